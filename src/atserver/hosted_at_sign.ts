/**
 * One atSign of this server: its keys, its mailbox, its live monitors and logged-in connections.
 * Who may do what is the verbs' question; what happens between atSigns is `notifications.ts` and `foreign_values.ts`.
 */

import {
  AtError,
  type AtSign,
  type Metadata,
  type StoredMetadata,
} from "../atprotocol/wire/mod.ts";
import { signRsaSha256 } from "../crypto/mod.ts";
import { AtSignStatistics } from "./atsign_statistics.ts";
import type { AfterCommit, Basics } from "./basics.ts";
import { inTransaction } from "./basics.ts";
import { BlockList } from "./block_list.ts";
import { ConnectionPool } from "./connection_pool.ts";
import { encodeRecord, encodeStats, type Monitor } from "./monitor.ts";
import type { StoredKey, StoredNotification } from "./store/store.ts";
import { isLogged, isSecret } from "./stored_key_name.ts";
import { isActive, mergeMetadata } from "./value_metadata.ts";

/** The specification: a proof of `pol` is published this long. */
const PROOF_TTL_MS = 60_000;
/** Never readable by clients, as any `privatekey:`. */
const SIGNING_PRIVATE_KEY = "privatekey:signing_privatekey";
const SIGNING_KEYS_MADE = "privatekey:signing_keypair_generated";
/** Our choice: how many records go at once when a mailbox is full. */
const EVICT_SHARE = 100;
/** Our choice: so many removals of keys may pass before the marks that they leave in the commit log are counted. */
const REMOVALS_PER_CHECK = 1_000;

export class HostedAtSign {
  readonly atSign: AtSign;
  /** Connections of its owner. */
  readonly owners: ConnectionPool;
  readonly blockList: BlockList;
  readonly statistics: AtSignStatistics;
  readonly #basics: Basics;
  readonly #monitors = new Set<Monitor>();
  #lastEpochMs: number | undefined;
  /** Upper bounds of what is stored; counted anew when one reaches its cap. */
  #keys: number | undefined;
  #records: number | undefined;
  #signingKey: Promise<string> | undefined;
  #isRemoved = false;
  #removals = 0;

  constructor(basics: Basics, atSign: AtSign) {
    this.atSign = atSign;
    this.#basics = basics;
    this.statistics = new AtSignStatistics(basics, atSign);
    this.blockList = new BlockList(basics, atSign);
    const { clock, limits } = basics;
    this.owners = new ConnectionPool(clock, limits.connectionsPerAtSign, limits.loggedInIdleMs);
  }

  read(key: string): StoredKey | null {
    return this.#basics.store.getKey(this.atSign, key);
  }

  /** The key if it is there and its time has come and not passed. */
  readActive(key: string): StoredKey | null {
    const found = this.read(key);
    return found !== null && isActive(found.metadata, this.#basics.clock.now()) ? found : null;
  }

  /**
   * Stores a value; its metadata is what `given` makes of that of the value it replaces. Returns the commit id or -1.
   * Call it in a transaction. @throws {AtError} AT0011 when the atSign has too many keys.
   */
  write(key: string, value: string | null, given: Metadata, after: AfterCommit): number {
    const previous = this.read(key);
    if (previous === null) this.#makeRoomForKey();
    const metadata = mergeMetadata(
      previous?.metadata ?? null,
      given,
      this.atSign,
      this.#basics.clock.now(),
    );
    return this.put({ key, value, metadata }, "*", after);
  }

  /**
   * Stores a copy of another atSign's value, or just its metadata when `value` is undefined, and nothing of the metadata
   * that an older copy had. Call it in a transaction.
   */
  writeCopy(key: string, value: string | undefined, given: Metadata, after: AfterCommit): number {
    const previous = this.read(key);
    if (previous === null) this.#makeRoomForKey();
    const { createdBy, createdAt, version } = previous?.metadata ?? {};
    const kept = previous === null ? null : {
      ...(createdBy === undefined ? {} : { createdBy }),
      ...(createdAt === undefined ? {} : { createdAt }),
      ...(version === undefined ? {} : { version }),
    };
    const metadata = mergeMetadata(kept, given, this.atSign, this.#basics.clock.now());
    return value === undefined
      ? this.put({ key, value: previous?.value ?? null, metadata }, "#", after)
      : this.put({ key, value, metadata }, "*", after);
  }

  /** Changes what is kept beside a value; a key that is not there gets none. Call it in a transaction. */
  writeMetadata(key: string, given: Metadata, after: AfterCommit): number {
    const found = this.read(key);
    if (found === null) this.#makeRoomForKey();
    const now = this.#basics.clock.now();
    const metadata: StoredMetadata = mergeMetadata(
      found?.metadata ?? null,
      given,
      this.atSign,
      now,
    );
    return this.put({ key, value: found?.value ?? null, metadata }, "#", after);
  }

  /** It is hosted here no longer: what is still under way changes nothing, even when the name comes back. */
  retire(): void {
    this.#isRemoved = true;
  }

  /** Stores a key as it is. Call it in a transaction. */
  put(record: StoredKey, operation: "*" | "#", after: AfterCommit): number {
    this.#requireHosted();
    const isOwn = isSecret(record.key); // the server's, and short
    if (!isOwn && (record.value?.length ?? 0) > this.#basics.limits.valueChars) {
      throw new AtError("AT0005", "Cannot store value: it is too long", { closes: false });
    }
    const isInLog = isLogged(record.key);
    const commitId = this.#basics.store.putKey(this.atSign, record, isInLog ? operation : null);
    if (isInLog) after(() => this.announceStats("update"));
    return commitId;
  }

  /** Removes a key, which may be missing. Returns the commit id or -1. Call it in a transaction. */
  remove(key: string, after: AfterCommit): number {
    const isInLog = isLogged(key);
    const { existed, commitId } = this.#basics.store.deleteKey(this.atSign, key, isInLog);
    if (existed && this.#keys !== undefined) this.#keys--;
    if (isInLog && ++this.#removals % REMOVALS_PER_CHECK === 0) this.#forgetDeletions();
    if (isInLog) after(() => this.announceStats("delete"));
    return commitId;
  }

  /** Keys whose time has come and not passed, without their values; those that start with `prefix` when it is given. */
  listActive(prefix?: string): string[] {
    const now = this.#basics.clock.now();
    return this.#basics.store.listKeys(this.atSign, prefix)
      .filter((entry) => isActive(entry, now)).map((entry) => entry.key);
  }

  /** What `peer` may know of: the keys shared with it that `accepts` names, without the `@peer:` in front. */
  listSharedWith(peer: AtSign, accepts: (key: string) => boolean): string[] {
    const prefix = `${peer}:`;
    return this.listActive(prefix).filter(accepts).map((key) => key.slice(prefix.length));
  }

  /** False when copies of other atSigns' keys have taken their share of the keys. */
  hasRoomForCopy(): boolean {
    return this.#countKeys() < this.#basics.limits.keysPerAtSign / 2;
  }

  /** Adds a record to the mailbox, dropping old ones when it is full; false for an id that this sender used before. */
  addNotification(record: StoredNotification): boolean {
    this.#requireHosted();
    const { store, limits } = this.#basics;
    this.#records ??= store.countNotifications(this.atSign);
    if (this.#records >= limits.notificationsPerAtSign) {
      this.#records = store.countNotifications(this.atSign);
    }
    if (this.#records >= limits.notificationsPerAtSign) {
      const count = Math.max(1, Math.ceil(limits.notificationsPerAtSign / EVICT_SHARE));
      store.evictNotifications(this.atSign, record.from, count);
      this.#records -= count;
      this.#basics.log.warn("mailbox full", { atSign: this.atSign, dropped: count });
    }
    const isNew = store.addNotification(this.atSign, record);
    if (isNew) this.#records++;
    return isNew;
  }

  /** Takes a record out of the mailbox. */
  removeNotification(record: StoredNotification): void {
    this.#basics.store.removeNotification(this.atSign, record.id, record.from);
    if (this.#records !== undefined) this.#records--;
  }

  /** The time for the next record: now, but always later than the one before, whatever the clock does. */
  nextEpochMillis(): number {
    this.#lastEpochMs ??= this.#basics.store.lastEpochMillis(this.atSign);
    this.#lastEpochMs = Math.max(this.#basics.clock.now(), this.#lastEpochMs + 1);
    return this.#lastEpochMs;
  }

  addMonitor(monitor: Monitor): void {
    this.#monitors.add(monitor);
  }

  removeMonitor(monitor: Monitor): void {
    this.#monitors.delete(monitor);
  }

  get hasMonitors(): boolean {
    return this.#monitors.size > 0;
  }

  /** Shows a record, which is on disk, to the monitors. */
  broadcast(record: StoredNotification): void {
    let encoded: Uint8Array | undefined;
    for (const monitor of this.#monitors) {
      monitor.offer(record, () => encoded ??= encodeRecord(record));
    }
  }

  /** Sends the latest commit id to the monitors. */
  announceStats(operation: "update" | "delete"): void {
    if (!this.hasMonitors) return;
    const lastCommitId = this.#basics.store.lastCommitId(this.atSign) ?? -1;
    const line = encodeStats(this.atSign, lastCommitId, operation, this.nextEpochMillis());
    for (const monitor of this.#monitors) monitor.offerStats(line);
  }

  /** Signs `challenge` with the server's signing key and publishes the signature under `public:<proofKey>` for 60 s. */
  async publishProof(proofKey: string, challenge: string): Promise<void> {
    const signature = signRsaSha256(await this.#loadSigningKey(), challenge.trim());
    inTransaction(this.#basics.store, (after) => {
      this.write(`public:${proofKey.toLowerCase()}`, signature, { ttl: PROOF_TTL_MS }, after);
    });
  }

  #loadSigningKey(): Promise<string> {
    this.#signingKey ??= this.#makeSigningKey().catch((error) => {
      this.#signingKey = undefined; // the next handshake tries again
      throw error;
    });
    return this.#signingKey;
  }

  /** The private half, base64 PKCS#8; made when it is first needed, since that takes a while. */
  async #makeSigningKey(): Promise<string> {
    const stored = this.read(SIGNING_PRIVATE_KEY)?.value;
    if (typeof stored === "string") return stored;
    const pair = await this.#basics.entropy.rsaKeyPair();
    inTransaction(this.#basics.store, (after) => {
      this.write(`public:signing_publickey${this.atSign}`, pair.publicKey, {}, after);
      this.write(SIGNING_PRIVATE_KEY, pair.privateKey, {}, after);
      this.write(SIGNING_KEYS_MADE, "true", {}, after);
    });
    return pair.privateKey;
  }

  /** Keys with names that never come again must not fill the disk: as many marks of deleted ones as keys may be. */
  #forgetDeletions(): void {
    const { store, clock, limits } = this.#basics;
    const startedAt = clock.now();
    const before = store.countDeletions(this.atSign);
    if (before <= limits.keysPerAtSign) return;
    const removed = store.forgetDeletions(this.atSign, limits.keysPerAtSign);
    const durationMs = clock.now() - startedAt;
    const compaction = { startedAt, durationMs, before, removed };
    this.statistics.recordCompaction("commitLogCompaction", compaction);
  }

  #requireHosted(): void {
    if (this.#isRemoved) throw new AtError("AT0007", `${this.atSign} is hosted here no longer`);
  }

  #countKeys(): number {
    const { store, limits } = this.#basics;
    this.#keys ??= store.countKeys(this.atSign);
    if (this.#keys >= limits.keysPerAtSign / 2) this.#keys = store.countKeys(this.atSign);
    return this.#keys;
  }

  #makeRoomForKey(): void {
    if (this.#countKeys() >= this.#basics.limits.keysPerAtSign) {
      throw new AtError("AT0011", `Cannot store key: ${this.atSign} has too many keys`);
    }
    this.#keys = (this.#keys ?? 0) + 1;
  }
}
