/**
 * One `monitor` subscription: which notifications it wants, the replay of stored ones, then live ones, without gap or
 * duplicate. atProtocol specification, Notifications; writing the lines is the connection's.
 */

import {
  type AtSign,
  bareName,
  encodeNotificationLine,
  normalizeKey,
  type Notification,
  STATS_NOTIFICATION_ID,
} from "../atprotocol/wire/mod.ts";
import { encodeUtf8 } from "../encoding/mod.ts";
import { isAuthorised, isAuthorisedForText, type Rights } from "./authorisation.ts";
import type { Basics } from "./basics.ts";
import type { SafeRegex } from "./safe_regex.ts";
import type { StoredNotification } from "./store/store.ts";

/** Our choice: a replay reads the store in pages, so that a long one costs little memory. */
const PAGE_RECORDS = 100;
const PAGE_CHARS = 1024 * 1024;

/** Where a monitor's lines go: the writer of its connection. */
export interface MonitorSink {
  /** Queues one line; the connection is closed when too much waits. */
  sendLine(line: Uint8Array): void;
}

export interface MonitorOptions {
  readonly owner: AtSign;
  readonly sink: MonitorSink;
  /** The connection's rights now; undefined once its enrollment is gone. */
  readonly rights: () => Rights | null | undefined;
  readonly regex: SafeRegex;
  readonly selfNotifications: boolean;
  /** No statistics. */
  readonly strict: boolean;
  /** Replay what was stored after this; null: live only. */
  readonly sinceEpochMs: number | null;
}

export class Monitor {
  readonly #basics: Basics;
  readonly #options: MonitorOptions;
  /** The time of the last record that the replay has read; null once live. */
  #replayedTo: number | null;

  constructor(basics: Basics, options: MonitorOptions) {
    this.#basics = basics;
    this.#options = options;
    this.#replayedTo = options.sinceEpochMs;
  }

  /**
   * The next lines of the replay, perhaps none of a page; null when the replay has caught up: from then on `offer` sends.
   * What is stored meanwhile is read by a later page, because a mailbox's times only ascend.
   */
  nextPage(): Uint8Array[] | null {
    if (this.#replayedTo === null) return null;
    const page = this.#basics.store.listReceived(this.#options.owner, {
      afterEpochMs: this.#replayedTo,
      nowMs: this.#basics.clock.now(),
      includeSelf: this.#options.selfNotifications,
      maxRecords: PAGE_RECORDS,
      maxChars: PAGE_CHARS,
    });
    const last = page.at(-1);
    if (last === undefined) {
      this.#replayedTo = null;
      return null;
    }
    this.#replayedTo = last.epochMillis;
    return page.filter((record) => this.#wants(record)).map(encodeRecord);
  }

  /** Sends a record that has just been stored, if it is wanted. `line` is its encoded line, made once for all monitors. */
  offer(record: StoredNotification, line: () => Uint8Array): void {
    if (this.#replayedTo === null && this.#wants(record)) this.#options.sink.sendLine(line());
  }

  /** Sends statistics: every monitor gets them, whatever its regex. */
  offerStats(line: Uint8Array): void {
    if (this.#replayedTo !== null || this.#options.strict) return;
    if (this.#options.rights() !== undefined) this.#options.sink.sendLine(line);
  }

  #wants(record: StoredNotification): boolean {
    if (record.type === "sent") return false;
    if (record.type === "self" && !this.#options.selfNotifications) return false;
    const rights = this.#options.rights();
    if (rights === undefined) return false;
    const isAllowed = record.messageType === "text"
      ? isAuthorisedForText(rights, "monitor")
      : isAuthorised(rights, normalizeKey(record.key), "monitor");
    if (!isAllowed) return false;
    return this.#options.regex.test(record.key) || this.#options.regex.test(bareName(record.from));
  }
}

/** The line of a stored record, with its LF. */
export function encodeRecord(record: StoredNotification): Uint8Array {
  return encodeUtf8(encodeNotificationLine(toNotification(record)));
}

/** A stored record as clients see it: the same live, replayed and listed. */
export function toNotification(record: StoredNotification): Notification {
  const given = record.metadata ?? {};
  return {
    id: record.id,
    from: record.from,
    to: record.to,
    key: record.key,
    value: record.value,
    operation: record.operation,
    epochMillis: record.epochMillis,
    messageType: record.messageType,
    isEncrypted: record.isEncrypted,
    metadata: {
      ...given,
      ...(given.ttb === undefined || given.ttb === 0
        ? {}
        : { availableAt: record.epochMillis + given.ttb }),
      expiresAt: record.expiresAt,
    },
  };
}

/** The statistics line: the latest commit id, which is also the server's sign of life. */
export function encodeStats(
  owner: AtSign,
  lastCommitId: number,
  operation: "update" | "delete",
  epochMillis: number,
): Uint8Array {
  return encodeUtf8(encodeNotificationLine({
    id: STATS_NOTIFICATION_ID,
    from: owner,
    to: owner,
    key: `statsNotification.${owner}`,
    value: String(lastCommitId),
    operation,
    epochMillis,
    messageType: "key",
    isEncrypted: false,
    metadata: {},
  }));
}
