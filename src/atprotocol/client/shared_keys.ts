/**
 * The AES keys between us and other atSigns: one for each direction, kept RSA-encrypted on our atServer (for us) and shared with
 * the peer (for them). atProtocol client specification, Shared keys. IO through the request channel.
 */

import { BoundedMap, type Entropy, type Log, NoportsError } from "../../base/mod.ts";
import { encodeBase64 } from "../../encoding/mod.ts";
import { decryptAesKeyRsa, encryptRsaPkcs1, publicKeyChecksum } from "../../crypto/mod.ts";
import { type AtKeys, type AtSign, bareName, type KeyRef, type Reply } from "../wire/mod.ts";
import { refusal } from "./refusal.ts";
import type { RequestChannel } from "./request_channel.ts";

/** The vendor's Dart client lets the peer's server cache its copy for 45 days. */
const PEER_COPY_TTR_SECONDS = 3_888_000;
/** Our choice: one entry a peer. */
const MAX_CACHED_PEERS = 1024;

/** What encrypts values for one peer, with the metadata that tells the peer so. */
export interface SendingKey {
  /** Base64 of 32 bytes. */
  readonly key: string;
  /** The key, RSA-encrypted for the peer. */
  readonly sharedKeyEnc: string;
  /** MD5 (hex) of the peer's public key that `sharedKeyEnc` was made with. */
  readonly pubKeyCS: string;
}

export interface SharedKeysOptions {
  readonly atSign: AtSign;
  readonly keys: AtKeys;
  readonly channel: RequestChannel;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly publicKeyOf: (atSign: AtSign, signal?: AbortSignal) => Promise<string>;
}

export class SharedKeys {
  readonly #options: SharedKeysOptions;
  readonly #sending = new BoundedMap<AtSign, Promise<SendingKey>>(MAX_CACHED_PEERS);
  readonly #receiving = new BoundedMap<AtSign, string>(MAX_CACHED_PEERS);
  /** Keys by their RSA ciphertext: an RSA decryption for each notification would cost milliseconds. */
  readonly #byCiphertext = new BoundedMap<string, string>(MAX_CACHED_PEERS);

  constructor(options: SharedKeysOptions) {
    this.#options = options;
  }

  /**
   * The key for values that we send to `peer`; made, stored and shared when there is none yet.
   * @throws {NoportsError} `atsign_unknown`, `atsign_not_activated`, `atserver_refused` and what the channel throws.
   */
  async forSending(peer: AtSign, signal?: AbortSignal): Promise<SendingKey> {
    const publicKey = await this.#options.publicKeyOf(peer, signal);
    const checksum = publicKeyChecksum(publicKey);
    const cached = await this.#sending.get(peer)?.catch(() => undefined);
    // a peer that was activated anew has another public key: its copy must be made again
    if (cached?.pubKeyCS === checksum) return cached;
    const fresh = this.#obtain(peer, publicKey, checksum, cached !== undefined, signal);
    this.#sending.set(peer, fresh);
    try {
      return await fresh;
    } catch (error) {
      this.#sending.delete(peer);
      throw error;
    }
  }

  /**
   * The key that `peer` encrypted a value for us with: from `sharedKeyEnc` when the value brought it, else looked up.
   * @throws {NoportsError} `protocol_violation` when there is none that we can decrypt.
   */
  async forReceiving(
    peer: AtSign,
    options: { sharedKeyEnc?: string; refresh?: boolean },
    signal?: AbortSignal,
  ): Promise<string> {
    if (options.sharedKeyEnc !== undefined && options.refresh !== true) {
      try {
        return this.#unwrap(options.sharedKeyEnc);
      } catch (error) {
        this.#options.log.debug("inline shared key cannot be decrypted, looking it up", {
          peer,
          error,
        });
      }
    }
    const cached = this.#receiving.get(peer);
    if (cached !== undefined && options.refresh !== true) return cached;
    const reply = await this.#options.channel.request({
      verb: "lookup",
      entity: "shared_key",
      owner: peer,
      detail: "value",
      bypassCache: options.refresh === true,
    }, signal);
    if (reply.kind !== "data" || reply.value === "null") {
      throw new NoportsError(
        "protocol_violation",
        `Cannot decrypt a value of ${peer}: it shares no key with ${this.#options.atSign}`,
      );
    }
    const key = this.#unwrap(reply.value.trim());
    this.#receiving.set(peer, key);
    return key;
  }

  /** Forgets the key of `peer` for us: it told us that it stored another. */
  forget(peer: AtSign): void {
    this.#receiving.delete(peer);
  }

  async #obtain(
    peer: AtSign,
    publicKey: string,
    checksum: string,
    peerChanged: boolean,
    signal: AbortSignal | undefined,
  ): Promise<SendingKey> {
    const { channel, keys, entropy } = this.#options;
    const [mine, theirs] = await Promise.all([
      channel.request({ verb: "llookup", key: this.#ourCopy(peer), detail: "value" }, signal),
      channel.request({ verb: "llookup", key: this.#peerCopy(peer), detail: "value" }, signal),
    ]);
    let key = present(mine, "our copy of the shared key");
    if (key === null) {
      key = encodeBase64(entropy.bytes(32));
      await this.#command({ verb: "delete", key: this.#peerCopy(peer) }, signal);
      await this.#command({
        verb: "update",
        key: this.#ourCopy(peer),
        value: encryptRsaPkcs1(keys.encryption.publicKey, key),
        metadata: { isEncrypted: false },
      }, signal);
      // another process of this atSign may have stored one at the same time: what is stored now counts
      const stored = await channel.request(
        { verb: "llookup", key: this.#ourCopy(peer), detail: "value" },
        signal,
      );
      key = this.#unwrap(present(stored, "our copy of the shared key") ?? "");
    } else {
      key = this.#unwrap(key);
      const shared = present(theirs, "the peer's copy of the shared key");
      if (shared !== null && !peerChanged) {
        return { key, sharedKeyEnc: shared, pubKeyCS: checksum };
      }
    }
    const sharedKeyEnc = encryptRsaPkcs1(publicKey, key);
    await this.#command({
      verb: "update",
      key: this.#peerCopy(peer),
      value: sharedKeyEnc,
      metadata: { ttr: PEER_COPY_TTR_SECONDS, isEncrypted: false },
    }, signal);
    return { key, sharedKeyEnc, pubKeyCS: checksum };
  }

  #unwrap(ciphertext: string): string {
    const known = this.#byCiphertext.get(ciphertext);
    if (known !== undefined) return known;
    const key = decryptAesKeyRsa(this.#options.keys.encryption.privateKey, ciphertext);
    this.#byCiphertext.set(ciphertext, key);
    return key;
  }

  async #command(
    verb: Parameters<RequestChannel["request"]>[0],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const reply = await this.#options.channel.request(verb, signal);
    if (reply.kind !== "data") throw refusal(reply, `${verb.verb} a shared key`);
  }

  #ourCopy(peer: AtSign): KeyRef {
    return {
      cached: false,
      visibility: "self",
      entity: `shared_key.${bareName(peer)}`,
      owner: this.#options.atSign,
    };
  }

  #peerCopy(peer: AtSign): KeyRef {
    return {
      cached: false,
      visibility: "shared",
      sharedWith: peer,
      entity: "shared_key",
      owner: this.#options.atSign,
    };
  }
}

/** The value of a lookup, null when the key does not exist. Any other error is one: a key must not be replaced because of it. */
function present(reply: Reply, what: string): string | null {
  if (reply.kind === "data") return reply.value === "null" ? null : reply.value.trim();
  if (reply.kind === "error" && reply.code === "AT0015") return null;
  throw refusal(reply, `read ${what}`);
}
