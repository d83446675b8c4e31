/**
 * The real `AtClient`: one request connection, one monitor connection, encryption of what goes out and decryption of what comes in.
 * atProtocol client specification; PROTOCOL.md, "Client". IO.
 */

import {
  abortable,
  BoundedMap,
  type Clock,
  describeError,
  type Entropy,
  type Log,
  NoportsError,
  TaskGroup,
} from "../../base/mod.ts";
import { encodeBase64 } from "../../encoding/mod.ts";
import { decryptAesText, encryptAesText } from "../../crypto/mod.ts";
import {
  type AtKeys,
  type AtSign,
  isSharedKeyName,
  type Metadata,
  type Notification,
  parseAllResult,
  parseAtSign,
  type Verb,
} from "../wire/mod.ts";
import type { AtClient, OutgoingNotification, Subscription } from "./at_client.ts";
import type { Directory } from "./directory.ts";
import { Monitor } from "./monitor.ts";
import { refusal } from "./refusal.ts";
import { type AtServerAccess, connectAtServer, RequestChannel } from "./request_channel.ts";
import { SharedKeys } from "./shared_keys.ts";
import { Subscriptions } from "./subscriptions.ts";

/** NoPorts' value for session messages. */
const DEFAULT_TTLN_MS = 60_000;
/** Our choice: public keys are asked for again after an hour. */
const PUBLIC_KEY_CACHE_MS = 60 * 60 * 1000;
const MAX_CACHED_PUBLIC_KEYS = 1024;
/** Our choice: notifications that are being decrypted at the same time; the rest wait on the monitor connection's queue. */
const MAX_DECRYPTING = 256;

export interface OpenAtClientOptions {
  readonly atSign: AtSign;
  readonly keys: AtKeys;
  readonly directory: Directory;
  readonly caCerts: readonly string[];
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}

/** Makes the client of an atSign; connections are opened when first needed. The caller disposes it. */
export function openAtClient(options: OpenAtClientOptions): AtClient {
  return new RealAtClient(options);
}

class RealAtClient implements AtClient {
  readonly atSign: AtSign;
  readonly keys: AtKeys;
  readonly #options: OpenAtClientOptions;
  readonly #channel: RequestChannel;
  readonly #monitor: Monitor;
  readonly #sharedKeys: SharedKeys;
  readonly #subscriptions: Subscriptions;
  readonly #publicKeys = new BoundedMap<AtSign, { key: string; until: number }>(
    MAX_CACHED_PUBLIC_KEYS,
  );
  readonly #stop = new AbortController();
  readonly #tasks: TaskGroup;
  #monitorStarted = false;

  constructor(options: OpenAtClientOptions) {
    this.atSign = options.atSign;
    this.keys = options.keys;
    this.#options = options;
    const access: AtServerAccess = options;
    this.#channel = new RequestChannel(access);
    this.#subscriptions = new Subscriptions(options.log);
    this.#sharedKeys = new SharedKeys({
      ...options,
      channel: this.#channel,
      publicKeyOf: (of, signal) => this.publicKey(of, signal === undefined ? {} : { signal }),
    });
    this.#tasks = new TaskGroup((error) => {
      options.log.debug("background task of the atClient ended", { reason: describeError(error) });
    });
    this.#monitor = new Monitor({
      connect: (signal, onNotification) => connectAtServer(access, signal, onNotification),
      deliver: (notification) => this.#deliver(notification),
      clock: options.clock,
      log: options.log,
      random: () => (options.entropy.bytes(1)[0] ?? 0) / 256,
    });
  }

  subscribe(matches: (key: string, from: AtSign) => boolean): Subscription {
    return this.#subscriptions.add(matches);
  }

  async monitorReady(signal?: AbortSignal): Promise<void> {
    if (!this.#monitorStarted) {
      this.#monitorStarted = true;
      this.#tasks.run(() => this.#runMonitor());
    }
    await this.#monitor.ready(signal);
  }

  async notify(notification: OutgoingNotification, signal?: AbortSignal): Promise<string> {
    const { to, entity, value } = notification;
    const encrypted = await this.#encryptFor(to, value, signal);
    const reply = await this.#channel.request({
      verb: "notify",
      id: this.#options.entropy.uuid(),
      operation: "update",
      messageType: "key",
      priority: "low",
      strategy: "all",
      latestN: 1,
      notifier: "SYSTEM",
      ttlnMs: notification.ttlnMs ?? DEFAULT_TTLN_MS,
      metadata: { ...lifetime(notification), ...encrypted.metadata },
      recipient: to,
      key: entity,
      owner: this.atSign,
      value: encrypted.value,
    }, signal);
    if (reply.kind === "data") return reply.value;
    throw refusal(reply, `notify ${to}`);
  }

  async publicKey(
    of: AtSign,
    options: { refresh?: boolean; signal?: AbortSignal } = {},
  ): Promise<string> {
    if (of === this.atSign) return this.keys.encryption.publicKey;
    const cached = this.#publicKeys.get(of);
    if (options.refresh !== true && cached !== undefined) {
      if (cached.until > this.#options.clock.now()) return cached.key;
    }
    const reply = await this.#channel.request({
      verb: "plookup",
      entity: "publickey",
      owner: of,
      detail: "value",
      bypassCache: options.refresh === true,
    }, options.signal);
    if (reply.kind === "error" && reply.code === "AT0007") {
      throw new NoportsError("atsign_unknown", `Cannot find ${of}: no atServer is known for it`, {
        hint: `check the spelling of ${of}`,
      });
    }
    const missing = reply.kind === "data" ? reply.value === "null" : reply.kind === "error" &&
      reply.code === "AT0015";
    if (missing) {
      throw new NoportsError(
        "atsign_not_activated",
        `Cannot use ${of}: it is registered but not activated`,
        { hint: `activate it first: noports activate onboard -a ${of}` },
      );
    }
    if (reply.kind !== "data") throw refusal(reply, `look up the public key of ${of}`);
    const key = reply.value.trim();
    this.#publicKeys.set(of, { key, until: this.#options.clock.now() + PUBLIC_KEY_CACHE_MS });
    return key;
  }

  async put(
    key: {
      readonly sharedWith: AtSign;
      readonly entity: string;
      readonly ttlMs?: number;
      readonly ttrSeconds?: number;
      readonly ccd?: boolean;
    },
    value: string,
    signal?: AbortSignal,
  ): Promise<void> {
    const encrypted = await this.#encryptFor(key.sharedWith, value, signal);
    await this.#command({
      verb: "update",
      key: this.#shared(key),
      value: encrypted.value,
      metadata: { ...lifetime(key), ...encrypted.metadata },
    }, signal);
  }

  async delete(
    key: { readonly sharedWith: AtSign; readonly entity: string },
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#command({ verb: "delete", key: this.#shared(key) }, signal);
  }

  async get(
    key: { readonly owner: AtSign; readonly entity: string; readonly bypassCache?: boolean },
    signal?: AbortSignal,
  ): Promise<string | null> {
    const reply = await this.#channel.request({
      verb: "lookup",
      entity: key.entity,
      owner: key.owner,
      detail: "all",
      bypassCache: key.bypassCache === true,
    }, signal);
    if (reply.kind === "error" && reply.code === "AT0015") return null;
    if (reply.kind !== "data") throw refusal(reply, `look up ${key.entity}${key.owner}`);
    if (reply.value === "null") return null;
    const { data, metadata } = parseAllResult(reply.value);
    if (data === null || metadata.isEncrypted === false) return data;
    return await this.#decrypt(key.owner, data, metadata, signal);
  }

  async scan(
    options: { regex?: string; atSign?: AtSign },
    signal?: AbortSignal,
  ): Promise<string[]> {
    const reply = await this.#channel.request(
      { verb: "scan", showHidden: false, ...options },
      signal,
    );
    if (reply.kind !== "data") throw refusal(reply, "scan");
    const keys: unknown = JSON.parse(reply.value);
    if (!Array.isArray(keys)) {
      throw new NoportsError("protocol_violation", "Cannot read a scan: the reply is no list");
    }
    return keys.filter((k) => typeof k === "string");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new NoportsError("interrupted", "Cannot go on: the client was closed"));
    this.#subscriptions.closeAll();
    this.#channel[Symbol.dispose]();
    await this.#tasks[Symbol.asyncDispose]();
  }

  /** No notification comes any more once the monitor gave up: subscribers hear why. */
  async #runMonitor(): Promise<void> {
    try {
      await this.#monitor.run(this.#stop.signal);
    } catch (error) {
      this.#subscriptions.closeAll(error);
      throw error;
    }
  }

  async #command(verb: Verb, signal: AbortSignal | undefined): Promise<void> {
    const reply = await this.#channel.request(verb, signal);
    if (reply.kind !== "data") throw refusal(reply, verb.verb);
  }

  #shared(key: { readonly sharedWith: AtSign; readonly entity: string }) {
    return {
      cached: false,
      visibility: "shared",
      sharedWith: key.sharedWith,
      entity: key.entity,
      owner: this.atSign,
    } as const;
  }

  async #encryptFor(
    peer: AtSign,
    text: string,
    signal: AbortSignal | undefined,
  ): Promise<{ value: string; metadata: Metadata }> {
    const iv = encodeBase64(this.#options.entropy.bytes(16));
    const { key, sharedKeyEnc, pubKeyCS } = await this.#sharedKeys.forSending(peer, signal);
    return {
      value: encryptAesText(key, iv, text),
      metadata: { isEncrypted: true, sharedKeyEnc, pubKeyCS, ivNonce: iv },
    };
  }

  async #decrypt(
    peer: AtSign,
    ciphertext: string,
    metadata: { readonly sharedKeyEnc?: string; readonly ivNonce?: string },
    signal?: AbortSignal,
  ): Promise<string> {
    const iv = metadata.ivNonce ?? null;
    const inline = metadata.sharedKeyEnc === undefined
      ? {}
      : { sharedKeyEnc: metadata.sharedKeyEnc };
    const key = await this.#sharedKeys.forReceiving(peer, inline, signal);
    const text = tryDecrypt(key, iv, ciphertext);
    if (text !== null) return text;
    const fresh = await this.#sharedKeys.forReceiving(peer, { refresh: true }, signal);
    const again = tryDecrypt(fresh, iv, ciphertext);
    if (again !== null) return again;
    throw new NoportsError("protocol_violation", `Cannot decrypt a value of ${peer}: wrong key`);
  }

  #deliver(notification: Notification): void {
    let from: AtSign;
    try {
      from = parseAtSign(notification.from);
    } catch {
      return;
    }
    const key = notification.key.toLowerCase();
    if (isSharedKeyName(key)) return this.#sharedKeys.forget(from);
    if (!this.#subscriptions.isWanted(key, from)) return;
    if (this.#tasks.size > MAX_DECRYPTING) {
      this.#options.log.warn("notification dropped: too many at once", { from });
      return;
    }
    this.#tasks.run(async () => {
      try {
        const value = await this.#plainValue(notification, from);
        this.#subscriptions.publish({
          id: notification.id,
          from,
          key,
          operation: notification.operation ?? "update",
          value,
          epochMillis: notification.epochMillis,
        });
      } catch (error) {
        this.#options.log.warn("notification dropped: it cannot be decrypted", {
          from,
          reason: describeError(error),
        });
      }
    });
  }

  async #plainValue(notification: Notification, from: AtSign): Promise<string | null> {
    if (notification.value === null || !notification.isEncrypted) return notification.value;
    if (from === this.atSign) {
      const iv = notification.metadata?.ivNonce ?? null;
      return decryptAesText(this.keys.selfEncryptionKey, iv, notification.value).trim();
    }
    const text = await abortable(
      this.#decrypt(from, notification.value, notification.metadata ?? {}, this.#stop.signal),
      this.#stop.signal,
    );
    return text.trim();
  }
}

/** The text, or null when the padding shows a wrong key; with an IV given the zero IV is tried too (a Python writer's fault). */
function tryDecrypt(key: string, iv: string | null, ciphertext: string): string | null {
  for (const candidate of iv === null ? [null] : [iv, null]) {
    try {
      return decryptAesText(key, candidate, ciphertext);
    } catch {
      // bad padding: the next candidate, then the caller's next key
    }
  }
  return null;
}

function lifetime(
  from: { readonly ttlMs?: number; readonly ttrSeconds?: number; readonly ccd?: boolean },
): Metadata {
  return {
    ...(from.ttlMs === undefined ? {} : { ttl: from.ttlMs }),
    ...(from.ttrSeconds === undefined ? {} : { ttr: from.ttrSeconds }),
    ...(from.ccd === undefined ? {} : { ccd: from.ccd }),
  };
}
