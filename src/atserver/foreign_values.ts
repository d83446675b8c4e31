/**
 * Values of other atSigns, for a hosted one: from its cache, from the other's store when that is hosted here too, or
 * from the other's atServer. atProtocol specification, Data verbs and Caching; our reading of its gaps: PROTOCOL.md.
 */

import {
  AtError,
  type AtSign,
  bareName,
  normalizeKey,
  parseAllResult,
  parseAtSign,
  type StoredMetadata,
} from "../atprotocol/wire/mod.ts";
import { isNoportsError } from "../base/mod.ts";
import { type AfterCommit, type Basics, inTransaction } from "./basics.ts";
import type { HostedAtSign } from "./hosted_at_sign.ts";
import type { HostedAtSigns } from "./hosted_at_signs.ts";
import type { PeerGateway } from "./peer_gateway.ts";
import { cachedName, sharedKeyName } from "./stored_key_name.ts";
import { resolveReference } from "./value_references.ts";
import { isFresh } from "./value_metadata.ts";

/** The specification: how long a peer may take. */
const LOOKUP_MS = 5_000;
const SCAN_MS = 3_000;
/** Our choice: a copy of a public encryption key is asked for again after this. */
const PUBLIC_KEY_MAX_AGE_MS = 24 * 3_600_000;
/** Our choice: what a peer may give as its public key; RSA-4096 takes 736. */
const MAX_PUBLIC_KEY_CHARS = 16_384;
/** Our choice: names that another server may list. */
const MAX_SCAN_KEYS = 100_000;

/** A value with the key under which it was found. */
export interface FoundValue {
  readonly key: string;
  readonly data: string | null;
  readonly metadata: StoredMetadata;
}

/** Whose value is asked for, by whom. */
export interface ForeignKey {
  readonly asker: HostedAtSign;
  readonly owner: AtSign;
  readonly entity: string;
  readonly bypassCache: boolean;
}

export class ForeignValues {
  readonly #basics: Basics;
  readonly #hosted: HostedAtSigns;
  readonly #peers: PeerGateway;

  constructor(basics: Basics, hosted: HostedAtSigns, peers: PeerGateway) {
    this.#basics = basics;
    this.#hosted = hosted;
    this.#peers = peers;
  }

  /**
   * What `owner` shares with the asker.
   * @throws {AtError} AT0015 when there is nothing, AT0016 for an over-long key, or as `PeerGateway.request`.
   */
  async lookup(wanted: ForeignKey): Promise<FoundValue> {
    const key = normalizeKey(`${wanted.asker.atSign}:${wanted.entity}${wanted.owner}`);
    wanted.asker.statistics.countAccess(wanted.owner, key);
    return this.#cached(wanted, key) ?? await this.#fetch(wanted, key, wanted.asker.atSign);
  }

  /** What `owner` shows to all. @throws {AtError} as `lookup`. */
  async plookup(wanted: ForeignKey): Promise<FoundValue> {
    const key = normalizeKey(`public:${wanted.entity}${wanted.owner}`);
    wanted.asker.statistics.countAccess(wanted.owner, key);
    const isHere = this.#hosted.find(wanted.owner) !== undefined;
    const cached = isHere ? null : this.#cached(wanted, key);
    return cached ?? await this.#fetch(wanted, key, null);
  }

  /**
   * Names of the keys that `owner` shares with `asker`, without the `@asker:` in front; `accepts` is asked with the whole
   * key, `regex` goes to another server as it is.
   * @throws {AtError} as `PeerGateway.request`.
   */
  async scan(
    asker: HostedAtSign,
    owner: AtSign,
    regex: string | undefined,
    accepts: (key: string) => boolean,
  ): Promise<string[]> {
    const hosted = this.#hosted.find(owner);
    if (hosted !== undefined) {
      hosted.blockList.check(asker.atSign, false);
      return hosted.listSharedWith(asker.atSign, accepts);
    }
    const line = regex === undefined ? "scan\n" : `scan ${regex}\n`;
    const answer = await this.#request(owner, asker.atSign, line, SCAN_MS);
    return parseKeys(answer);
  }

  /**
   * Asks again for the value of which `asker` has the copy `cachedKey` (`cached:@asker:k@owner`, `cached:public:k@owner`).
   * @throws {AtError} as `lookup`; the copy is dropped when there is nothing.
   */
  async refresh(asker: HostedAtSign, cachedKey: string): Promise<void> {
    const key = cachedKey.slice(cachedKey.indexOf(":") + 1);
    const owner = parseAtSign(key.slice(key.lastIndexOf("@")));
    const entity = key.slice(key.indexOf(":") + 1, key.lastIndexOf("@"));
    const as = key.startsWith("public:") ? null : asker.atSign;
    await this.#fetch({ asker, owner, entity, bypassCache: true }, key, as);
  }

  /**
   * A new connection to `peer`'s atServer began with its public key: `answer` to `lookup:all:publickey`. `as` is whom the
   * connection speaks for; null: for everybody who keeps a copy.
   */
  noticePublicKey(peer: AtSign, as: AtSign | null, answer: string): void {
    const key = `public:publickey${peer}`;
    let value: string | null;
    try {
      value = parseAllResult(answer).data;
    } catch (error) {
      if (isNoportsError(error)) return;
      throw error;
    }
    // no key of any kind is that long
    if (value === null || value.length > MAX_PUBLIC_KEY_CHARS || /[\r\n\0]/.test(value)) return;
    const found: string = value;
    try {
      const holders = as === null ? this.#basics.store.listHolders(cachedName(key)) : [as];
      for (const holder of holders) {
        const asker = this.#hosted.find(holder);
        if (asker === undefined) continue;
        inTransaction(
          this.#basics.store,
          (after) => this.#keepPublicKey(asker, peer, found, after),
        );
      }
    } catch (error) {
      // the request that the connection was made for goes on
      this.#basics.log.warn("public key of a peer not kept", { peer, error });
    }
  }

  #cached(wanted: ForeignKey, key: string): FoundValue | null {
    if (wanted.bypassCache) return null;
    const cached = wanted.asker.read(cachedName(key));
    const now = this.#basics.clock.now();
    if (cached === null || !isFresh(cached.metadata, now)) return null;
    const age = now - (cached.metadata.updatedAt ?? 0);
    if (isPublicKey(key, wanted.owner) && age > PUBLIC_KEY_MAX_AGE_MS) return null;
    return { key: cached.key, data: cached.value, metadata: cached.metadata };
  }

  async #fetch(wanted: ForeignKey, key: string, as: AtSign | null): Promise<FoundValue> {
    const hosted = this.#hosted.find(wanted.owner);
    try {
      if (as !== null) hosted?.blockList.check(as, false);
      const found = hosted === undefined
        ? await this.#ask(wanted, key, as)
        : readShared(hosted, key, as);
      this.#keepCopy(wanted, found);
      return found;
    } catch (error) {
      if (error instanceof AtError && error.code === "AT0015") this.#dropCopy(wanted, key);
      throw error;
    }
  }

  async #ask(wanted: ForeignKey, key: string, as: AtSign | null): Promise<FoundValue> {
    const line = `lookup:all:${wanted.entity}${wanted.owner}\n`;
    const answer = await this.#request(wanted.owner, as, line, LOOKUP_MS);
    if (answer.trim() === "null") throw notShared(key);
    try {
      const { data, metadata } = parseAllResult(answer);
      if (data === null) throw notShared(key);
      // a value is one line, whoever stored it
      if (!/[\r\n\0]/.test(data)) return { key, data, metadata };
      throw new AtError("AT0011", `unusable answer of ${wanted.owner}`);
    } catch (error) {
      if (!isNoportsError(error)) throw error;
      throw new AtError("AT0011", `unusable answer of ${wanted.owner}`, { cause: error });
    }
  }

  /** What a peer refuses is no reason to end our own client's connection, whatever the code. */
  async #request(
    peer: AtSign,
    as: AtSign | null,
    line: string,
    timeoutMs: number,
  ): Promise<string> {
    try {
      return await this.#peers.request(peer, as, line, timeoutMs);
    } catch (error) {
      if (!(error instanceof AtError) || !error.closes) throw error;
      throw new AtError(error.code, error.message, { closes: false, cause: error });
    }
  }

  /** Copies what may be kept: public encryption keys always, to notice a change; other values as their ttr says. */
  #keepCopy({ asker, owner }: ForeignKey, found: FoundValue): void {
    if (found.data === null || asker.atSign === owner) return;
    const value = found.data;
    const key = cachedName(found.key);
    inTransaction(this.#basics.store, (after) => {
      if (isPublicKey(found.key, owner)) return this.#keepPublicKey(asker, owner, value, after);
      const { ttr } = found.metadata;
      const isKept = ttr !== undefined && ttr !== 0 &&
        !(found.key.startsWith("public:") && this.#hosted.find(owner) !== undefined);
      const hasCopy = asker.read(key) !== null;
      if (isKept && (hasCopy || asker.hasRoomForCopy())) {
        asker.writeCopy(key, value, found.metadata, after);
      } else if (hasCopy) {
        asker.remove(key, after); // it may not be kept any longer
      }
    });
  }

  /** A new public key of a peer makes the AES key shared with it useless: it is put aside, so that clients make another. */
  #keepPublicKey(asker: HostedAtSign, owner: AtSign, value: string, after: AfterCommit): void {
    const key = cachedName(`public:publickey${owner}`);
    const known = asker.read(key);
    if (known === null && !asker.hasRoomForCopy()) return;
    const now = this.#basics.clock.now();
    if (known?.value === value) {
      const age = now - (known.metadata.updatedAt ?? 0);
      if (age <= PUBLIC_KEY_MAX_AGE_MS) return;
    }
    asker.write(key, value, { ttr: -1 }, after);
    if (known === null || known.value === value) return;
    const shared = asker.read(sharedKeyName(asker.atSign, owner));
    if (shared === null) return;
    const name = `shared_key.${bareName(owner)}.until.${now}${asker.atSign}`;
    asker.put({ ...shared, key: name }, "*", after);
    asker.remove(shared.key, after);
  }

  #dropCopy({ asker, owner }: ForeignKey, key: string): void {
    if (isPublicKey(key, owner)) return;
    const name = cachedName(key);
    if (asker.read(name) === null) return;
    inTransaction(this.#basics.store, (after) => asker.remove(name, after));
  }
}

function isPublicKey(key: string, owner: AtSign): boolean {
  return key === `public:publickey${owner}`;
}

/** As the atServer of `owner` would answer a peer: also what a reference leads to. */
function readShared(owner: HostedAtSign, key: string, as: AtSign | null): FoundValue {
  owner.statistics.countAccess(as, key);
  const stored = owner.readActive(key);
  const front = as === null ? "public:" : `${as}:`;
  const found = stored === null ? null : resolveReference(owner, stored, front, () => true);
  if (found === null || found.value === null) throw notShared(key);
  return { key, data: found.value, metadata: found.metadata };
}

/** As a foreign server's own refusal looks to our client. */
function notShared(key: string): AtError {
  return new AtError("AT0015", `Exception: ${key} does not exist in keystore`);
}

function parseKeys(answer: string): string[] {
  let keys: unknown;
  try {
    keys = JSON.parse(answer);
  } catch (cause) {
    throw new AtError("AT0011", "unusable answer to scan", { cause });
  }
  if (!Array.isArray(keys) || keys.length > MAX_SCAN_KEYS) {
    throw new AtError("AT0011", "unusable answer to scan");
  }
  return keys.filter((key) => typeof key === "string");
}
