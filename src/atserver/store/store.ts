/**
 * What the atServers keep on disk, as one narrow interface: atSigns, keys with their commit log, notifications,
 * enrollments. Values are opaque texts here; what may be read or written by whom is the verbs' business.
 *
 * Every method is one transaction of its own, or a part of the `transaction` it is called in. The interface is
 * synchronous because SQLite is, so the order of a command's effects is the order of the code; no type of SQLite
 * shows, so that an implementation for several processes changes return types and nothing else.
 */

import type { AtSign, Metadata, StoredMetadata } from "../../atprotocol/wire/mod.ts";

/** `*` value stored, `#` metadata only: the commit log's letters (atProtocol specification, sync). A deletion is `-`. */
export type CommitOperation = "*" | "#";

export interface AtSignRecord {
  readonly atSign: AtSign;
  /** The owner's public encryption key is there: clients take the atSign for activated. */
  readonly activated: boolean;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** One stored key. `key` is complete and normalised, e.g. `@bob:phone.wavi@alice`. */
export interface StoredKey {
  readonly key: string;
  readonly value: string | null;
  readonly metadata: StoredMetadata;
}

/** What a list needs of a key, without its value. */
export interface KeyEntry {
  readonly key: string;
  readonly availableAt: number | null;
  readonly expiresAt: number | null;
}

export interface StoreTotals {
  readonly atSigns: number;
  /** Those that wait to be delivered to other atServers. */
  readonly notificationsQueued: number;
  /** What the store takes on disk, its log included; 0 in memory. */
  readonly bytes: number;
}

export type NotificationStatus = "queued" | "delivered" | "errored" | "expired";

/** A notification as one atSign's mailbox holds it. Two hosted atSigns hold one record each. */
export interface StoredNotification {
  readonly id: string;
  readonly from: AtSign;
  readonly to: AtSign;
  /** The whole key, case kept, e.g. `@bob:ping.web01.sshnp@alice`. */
  readonly key: string;
  readonly value: string | null;
  /** `self`: the server's own message to its owner, such as a pending enrollment. */
  readonly type: "received" | "sent" | "self";
  readonly operation: "update" | "delete";
  readonly messageType: "key" | "text";
  readonly priority: "low" | "medium" | "high";
  readonly strategy: "all" | "latest";
  readonly latestN: number;
  readonly notifier: string;
  readonly status: NotificationStatus;
  /** Deliveries that failed. */
  readonly tries: number;
  /** When this mailbox stored it; strictly ascending within a mailbox, so that a replay misses none. */
  readonly epochMillis: number;
  readonly expiresAt: number;
  readonly isEncrypted: boolean;
  /** Null when it was sent without any. */
  readonly metadata: Metadata | null;
}

export interface ReplayOptions {
  /** Only records with a greater `epochMillis`. */
  readonly afterEpochMs: number;
  /** Records that expire at or before this time are left out. */
  readonly nowMs: number;
  /** The mailbox owner's own messages too, beside the received ones. */
  readonly includeSelf: boolean;
  readonly maxRecords: number;
  /** The page ends after the record that exceeds this many characters of values. */
  readonly maxChars: number;
}

/** A queue of undelivered notifications to one foreign atSign. */
export interface QueuedPair {
  readonly from: AtSign;
  readonly to: AtSign;
}

/** Records of one mailbox that are alike. */
export interface NotificationCount {
  readonly type: StoredNotification["type"];
  readonly status: NotificationStatus;
  readonly operation: StoredNotification["operation"];
  readonly messageType: StoredNotification["messageType"];
  readonly count: number;
}

export interface CommitEntry {
  readonly key: string;
  readonly commitId: number;
  /** A `CommitOperation`, or `-`. */
  readonly operation: string;
}

/** How many records of a mailbox. */
export interface MailboxCount {
  readonly atSign: AtSign;
  readonly count: number;
}

export type EnrollmentState = "pending" | "approved" | "denied" | "revoked";
export type NamespaceAccess = "r" | "rw";

export interface StoredEnrollment {
  readonly id: string;
  readonly sessionId: string;
  readonly appName: string;
  readonly deviceName: string;
  readonly namespaces: Readonly<Record<string, NamespaceAccess>>;
  readonly apkamPublicKey: string;
  readonly encryptedApkamSymmetricKey: string | null;
  /** How long it lives once approved; 0 or absent: for ever. */
  readonly keysExpiryMs?: number;
  /** Made by the activation: its key is that of logins without enrollment too. */
  readonly isFirst?: boolean;
  readonly state: EnrollmentState;
  readonly createdAt: number;
  /** Null: never. */
  readonly expiresAt: number | null;
}

/**
 * The atServers' memory. Each method throws `NoportsError` `storage_failed` when the disk does not take or give the data;
 * nothing of the transaction is stored then. An atSign that was never added is `not_found`.
 */
export interface Store extends Disposable {
  /**
   * Writes everything that is stored to the new file `path`: consistent, compact, nothing in it of what was deleted. Nothing
   * else runs meanwhile (0.2 s for 100 MB). Not in a transaction.
   */
  backupTo(path: string): void;
  /** What is damaged, in words for the operator; empty when everything is sound. */
  checkIntegrity(): string[];
  /** The version of the layout of what is stored; a later program brings it up to date when it opens the store. */
  readonly schemaVersion: number;
  /** Sums over all atSigns. */
  totals(): StoreTotals;

  /** Runs `work` as one transaction: all of it is on disk when this returns, none of it when `work` throws. May be nested. */
  transaction<T>(work: () => T): T;

  /** @throws {NoportsError} `conflict` when it is there already. */
  addAtSign(atSign: AtSign, createdAt: number): void;
  /** Removes an atSign and everything of it; what others hold of it stays theirs. */
  removeAtSign(atSign: AtSign): void;
  listAtSigns(): AtSignRecord[];

  getKey(atSign: AtSign, key: string): StoredKey | null;
  /** Stores a key, replacing the one of that name; returns the commit id, or -1 when `operation` is null (not logged). */
  putKey(atSign: AtSign, record: StoredKey, operation: CommitOperation | null): number;
  /** Removes a key; a missing one is no error and is logged all the same when `logged`. */
  deleteKey(
    atSign: AtSign,
    key: string,
    logged: boolean,
  ): { readonly existed: boolean; readonly commitId: number };
  /** Keys in ascending order; only those that start with `prefix` when it is given. */
  listKeys(atSign: AtSign, prefix?: string): KeyEntry[];
  countKeys(atSign: AtSign): number;
  /** Keys of any atSign whose time ended before `nowMs`, at most `limit`. */
  listExpiredKeys(nowMs: number, limit: number): { atSign: AtSign; key: string }[];
  /** The highest commit id, of the keys that `accepts` names when it is given; null when there is none. */
  lastCommitId(atSign: AtSign, accepts?: (key: string) => boolean): number | null;
  /** The latest commit of each key, ascending by id. */
  listCommits(atSign: AtSign): { key: string; commitId: number; operation: string }[];
  /** Commits with an id above `afterCommitId` whose key `accepts` names, ascending, at most `maxEntries`. */
  listCommitsAfter(
    atSign: AtSign,
    afterCommitId: number,
    maxEntries: number,
    accepts: (key: string) => boolean,
  ): CommitEntry[];
  /** Marks of deleted keys in the commit log. */
  countDeletions(atSign: AtSign): number;
  /** Removes the oldest marks of deleted keys down to `keep`; returns how many. */
  forgetDeletions(atSign: AtSign, keep: number): number;
  /** The atSigns that store `key`. */
  listHolders(key: string): AtSign[];
  /** Characters in the values of all keys. */
  storedChars(atSign: AtSign): number;

  /** Adds a record to `owner`'s mailbox; false when one with this id and sender is there already. */
  addNotification(owner: AtSign, record: StoredNotification): boolean;
  getNotification(owner: AtSign, id: string): StoredNotification | null;
  /** All records of `owner`'s mailbox with this id, one for each sender, the oldest first. */
  listNotificationsById(owner: AtSign, id: string): StoredNotification[];
  /** Removes one record; a missing one is no error. A queued one is not delivered any more. */
  removeNotification(owner: AtSign, id: string, from: AtSign): void;
  /** What the mailbox holds, by kind. */
  countNotificationKinds(owner: AtSign): NotificationCount[];
  /** How many records of each mailbox end at or before `nowMs`: what `purgeNotifications` would remove. */
  countExpiredNotifications(nowMs: number): MailboxCount[];
  /** One page of received records, oldest first. */
  listReceived(owner: AtSign, options: ReplayOptions): StoredNotification[];
  /** The newest `epochMillis` of the mailbox, 0 when it is empty. */
  lastEpochMillis(owner: AtSign): number;
  countNotifications(owner: AtSign): number;
  /** Removes up to `count` records to make room: sent and delivered ones first, then those of `from`, the oldest first. */
  evictNotifications(owner: AtSign, from: AtSign, count: number): void;
  /** Removes expired records of every mailbox; returns how many. */
  purgeNotifications(nowMs: number): number;

  /** Queues with undelivered records, for a start. */
  listQueuedPairs(): QueuedPair[];
  /** The oldest undelivered record of a queue that may be tried at `nowMs`. */
  nextQueued(from: AtSign, to: AtSign, nowMs: number): StoredNotification | null;
  /** When the next record of a queue may be tried; null when nothing is undelivered. */
  nextTryAt(from: AtSign, to: AtSign): number | null;
  setNotificationStatus(owner: AtSign, id: string, status: NotificationStatus): void;
  /** The receiver refused one record: one more try is counted, the next not before `notBeforeMs`; from `maxTries` on `errored`. */
  countRefusal(
    from: AtSign,
    to: AtSign,
    id: string,
    notBeforeMs: number,
    maxTries: number,
  ): void;
  /** The receiver is away: one more try for the whole queue; from `maxTries` on `errored`. */
  countAbsence(from: AtSign, to: AtSign, maxTries: number): void;
  /** Strategy `latest`: leaves the newest `keep` undelivered records of `notifier`, the older ones become `errored`. */
  trimQueue(from: AtSign, to: AtSign, notifier: string, keep: number): void;

  putEnrollment(atSign: AtSign, enrollment: StoredEnrollment): void;
  getEnrollment(atSign: AtSign, id: string): StoredEnrollment | null;
  listEnrollments(atSign: AtSign): StoredEnrollment[];
  /** A missing one is no error. */
  deleteEnrollment(atSign: AtSign, id: string): void;
  /** Enrollments of any atSign whose time ended at or before `nowMs`, the oldest first, at most `limit`. */
  listExpiredEnrollments(nowMs: number, limit: number): {
    readonly atSign: AtSign;
    readonly enrollment: StoredEnrollment;
  }[];

  /** Keeps a text about an atSign under a name, such as when its owner logged in last; it is no key and is not counted. */
  putStatistic(atSign: AtSign, name: string, text: string): void;
  getStatistic(atSign: AtSign, name: string): string | null;
}
