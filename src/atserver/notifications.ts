/**
 * Notifications between atSigns: into the sender's and the receiver's mailbox, the receiver's cache and its monitors,
 * or into the outbox when the receiver's atServer is another one. atProtocol specification, Notifications.
 * Everything is on disk before anybody hears of it. Who may send is the verbs' question.
 */

import { type AtSign, type Metadata, normalizeKey } from "../atprotocol/wire/mod.ts";
import type { AfterCommit, Basics } from "./basics.ts";
import type { HostedAtSign } from "./hosted_at_sign.ts";
import type { HostedAtSigns } from "./hosted_at_signs.ts";
import type { Outbox } from "./outbox.ts";
import type { StoredNotification } from "./store/store.ts";
import { cachedName } from "./stored_key_name.ts";

/** A notification as its sender gives it. */
export type NewNotification =
  & Pick<
    StoredNotification,
    | "id"
    | "to"
    | "key"
    | "value"
    | "operation"
    | "messageType"
    | "priority"
    | "strategy"
    | "latestN"
    | "notifier"
    | "isEncrypted"
    | "metadata"
  >
  & { readonly ttlnMs: number };

/** Metadata that a receiver's copy of the value keeps; without all of it the client could not decrypt it. */
const CACHED_FIELDS = [
  "ttl",
  "ttb",
  "ttr",
  "ccd",
  "isEncrypted",
  "sharedKeyEnc",
  "pubKeyCS",
  "encKeyName",
  "encAlgo",
  "ivNonce",
  "skeEncKeyName",
  "skeEncAlgo",
] as const;

export class Notifications {
  readonly #basics: Basics;
  readonly #hosted: HostedAtSigns;
  readonly #outbox: Outbox;

  constructor(basics: Basics, hosted: HostedAtSigns, outbox: Outbox) {
    this.#basics = basics;
    this.#hosted = hosted;
    this.#outbox = outbox;
  }

  /**
   * Sends for a hosted atSign: at once to itself and to others hosted here, through the outbox elsewhere. An id that it
   * used before is no error and does nothing: the client repeats what it did not hear an answer to.
   */
  send(sender: HostedAtSign, notification: NewNotification, after: AfterCommit): void {
    if (notification.to === sender.atSign) {
      this.receive(sender, sender.atSign, notification, after);
      return;
    }
    const receiver = this.#hosted.find(notification.to);
    const isBlocked = receiver?.blockList.has(sender.atSign) ?? false;
    const event = receiver === undefined ? "queued" : isBlocked ? "errored" : "delivered";
    const isNew = sender.addNotification({
      ...this.#stored(sender, sender.atSign, notification),
      type: "sent",
      status: event,
    });
    if (!isNew) return;
    after(() => this.#basics.observer?.notification(event));
    if (isBlocked) return;
    if (receiver !== undefined) {
      this.receive(receiver, sender.atSign, notification, after);
      return;
    }
    const { to, strategy, notifier, latestN } = notification;
    if (strategy === "latest") {
      this.#basics.store.trimQueue(sender.atSign, to, notifier, Math.max(1, latestN));
    }
    after(() => this.#outbox.kick({ from: sender.atSign, to }));
  }

  /** Takes in a notification of `from`, which is proven: mailbox, cache, monitors. One that is there already does nothing. */
  receive(
    receiver: HostedAtSign,
    from: AtSign,
    notification: NewNotification,
    after: AfterCommit,
  ): void {
    const record: StoredNotification = {
      ...this.#stored(receiver, from, notification),
      // a text has no value to decrypt or to keep a copy of
      ...(notification.messageType === "text" ? { metadata: null } : {}),
      type: "received",
      status: "delivered",
    };
    if (!receiver.addNotification(record)) return;
    receiver.statistics.countAccess(from, null);
    // before the statistics that a copy gives rise to: those have a later time, from which a client would go on
    after(() => receiver.broadcast(record));
    if (from !== receiver.atSign && record.messageType === "key") {
      this.#updateCache(receiver, record, after);
    }
  }

  /** The notification that a stored or deleted key shared with another atSign gives rise to. */
  announceKey(
    sender: HostedAtSign,
    change: {
      readonly to: AtSign;
      readonly key: string;
      readonly value: string | null;
      readonly operation: "update" | "delete";
      readonly metadata: Metadata | null;
    },
    after: AfterCommit,
  ): void {
    if (change.to === sender.atSign) return;
    this.send(sender, {
      ...change,
      id: this.#basics.entropy.uuid(),
      messageType: "key",
      priority: "low",
      strategy: "all",
      latestN: 1,
      notifier: "system",
      isEncrypted: change.metadata === null || (change.metadata.isEncrypted ?? false),
      ttlnMs: this.#basics.limits.notificationTtlMs,
    }, after);
  }

  #stored(
    mailbox: HostedAtSign,
    from: AtSign,
    { ttlnMs, ...notification }: NewNotification,
  ): Omit<StoredNotification, "type" | "status"> {
    const epochMillis = mailbox.nextEpochMillis();
    return { ...notification, from, tries: 0, epochMillis, expiresAt: epochMillis + ttlnMs };
  }

  /** What a receiver does with a value that comes with a ttr: keep a copy of it, or drop the copy. */
  #updateCache(receiver: HostedAtSign, record: StoredNotification, after: AfterCommit): void {
    const key = cachedName(normalizeKey(record.key));
    if (record.operation === "delete") {
      if (receiver.read(key)?.metadata.ccd === true) receiver.remove(key, after);
      return;
    }
    const given = record.metadata;
    if (given?.ttr === undefined || given.ttr === 0) return;
    const kept: Record<string, unknown> = {};
    for (const name of CACHED_FIELDS) if (given[name] !== undefined) kept[name] = given[name];
    kept["isEncrypted"] = record.isEncrypted;
    const copy = receiver.read(key);
    if (record.value === null) {
      if (copy !== null) receiver.writeCopy(key, undefined, kept, after);
      return;
    }
    if (copy === null && !receiver.hasRoomForCopy()) {
      this.#basics.log.warn("no room for a copy", { atSign: receiver.atSign, from: record.from });
      return;
    }
    receiver.writeCopy(key, record.value, kept, after);
  }
}
