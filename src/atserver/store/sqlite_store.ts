/**
 * The atServers' store in one SQLite file: WAL with `synchronous=FULL`, so that what was acknowledged survives a crash
 * of the process and of the machine. The file belongs to one process; a second one is refused at once.
 */

import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { AtSign, StoredMetadata } from "../../atprotocol/wire/mod.ts";
import { describeError, isNoportsError, NoportsError } from "../../base/mod.ts";
import { SCHEMA_STEPS } from "./_schema.ts";
import { SQL } from "./_sql.ts";
import type {
  AtSignRecord,
  CommitEntry,
  CommitOperation,
  KeyEntry,
  MailboxCount,
  NotificationCount,
  NotificationStatus,
  QueuedPair,
  ReplayOptions,
  Store,
  StoredEnrollment,
  StoredKey,
  StoredNotification,
  StoreTotals,
} from "./store.ts";

type Row = Record<string, unknown>;

/** Fields of a notification that no query looks at; kept as one JSON text. */
type NotificationDetails = Pick<
  StoredNotification,
  | "operation"
  | "messageType"
  | "priority"
  | "strategy"
  | "latestN"
  | "isEncrypted"
  | "metadata"
>;

/**
 * Opens the store in the file `path`, or in memory for `":memory:"`. A new file gets mode 0600.
 * @throws {NoportsError} `already_running` when another process has it open, `storage_failed` otherwise.
 */
export function openSqliteStore(path: string): Store {
  let database: DatabaseSync | undefined;
  try {
    if (path !== ":memory:") createPrivateFile(path);
    database = new DatabaseSync(path);
    // exclusive before WAL: the index of the log is then in memory, and a second process cannot write beside us
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    database.exec("PRAGMA foreign_keys = ON");
    migrate(database);
    return new SqliteStore(database, path);
  } catch (cause) {
    database?.close();
    if (isNoportsError(cause)) throw cause;
    if (cause instanceof Error && /locked|busy/.test(cause.message)) {
      throw new NoportsError(
        "already_running",
        `Cannot open store "${path}": another process has it open`,
        { cause, hint: "stop the other noports server, or give this one its own --data-dir" },
      );
    }
    throw new NoportsError("storage_failed", `Cannot open store "${path}"`, { cause });
  }
}

/** 0 for a file that is not there. */
function sizeOf(path: string): number {
  try {
    return Deno.statSync(path).size;
  } catch {
    return 0;
  }
}

function createPrivateFile(path: string): void {
  try {
    Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

/** Brings the schema to the newest version, each step with its version number in one transaction. */
function migrate(database: DatabaseSync): void {
  database.exec("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT");
  const row = database.prepare("SELECT version FROM schema_version").get() as Row | undefined;
  const found = row === undefined ? 0 : Number(row["version"]);
  if (found > SCHEMA_STEPS.length) {
    throw new NoportsError(
      "storage_failed",
      `Cannot open store: its schema version ${found} is newer than this program's ${SCHEMA_STEPS.length}`,
      { hint: "run the newer noports, or restore an older backup" },
    );
  }
  if (found === SCHEMA_STEPS.length) return;
  database.exec("BEGIN IMMEDIATE");
  try {
    for (const step of SCHEMA_STEPS.slice(found)) database.exec(step);
    database.exec("DELETE FROM schema_version");
    database.prepare("INSERT INTO schema_version (version) VALUES (?)").run(SCHEMA_STEPS.length);
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

class SqliteStore implements Store {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, StatementSync>();
  readonly #ids = new Map<AtSign, number>();
  #depth = 0;

  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#path = path;
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  transaction<T>(work: () => T): T {
    if (this.#depth > 0) return this.#nested(work);
    this.#run(SQL.begin);
    let result: T;
    try {
      result = this.#nested(work);
    } catch (error) {
      this.#rollback();
      throw error;
    }
    try {
      this.#run(SQL.commit);
    } catch (error) {
      this.#rollback();
      throw error;
    }
    return result;
  }

  get schemaVersion(): number {
    return SCHEMA_STEPS.length;
  }

  backupTo(path: string): void {
    this.#guard(() => {
      createPrivateFile(path);
      this.#database.prepare("VACUUM INTO ?").run(path);
    });
  }

  checkIntegrity(): string[] {
    const damage = this.#all("PRAGMA integrity_check").map((row) => String(row["integrity_check"]));
    const orphans = this.#all("PRAGMA foreign_key_check").map((row) =>
      `a row of ${row["table"]} belongs to no atSign`
    );
    return [...damage.filter((line) => line !== "ok"), ...orphans];
  }

  totals(): StoreTotals {
    return {
      atSigns: this.#number(SQL.countAtSigns) ?? 0,
      notificationsQueued: this.#number(SQL.countQueued) ?? 0,
      bytes: sizeOf(this.#path) + sizeOf(`${this.#path}-wal`),
    };
  }

  removeAtSign(atSign: AtSign): void {
    this.#run(SQL.removeAtSign, this.#id(atSign));
    this.#ids.delete(atSign);
  }

  addAtSign(atSign: AtSign, createdAt: number): void {
    if (this.#run(SQL.addAtSign, atSign, createdAt) === 0) {
      throw new NoportsError("conflict", `Cannot add "${atSign}": it is hosted here already`);
    }
  }

  listAtSigns(): AtSignRecord[] {
    return this.#all(SQL.listAtSigns).map((row) => ({
      atSign: row["at_sign"] as AtSign,
      activated: row["activated"] === 1,
      createdAt: row["created_at"] as number,
    }));
  }

  getKey(atSign: AtSign, key: string): StoredKey | null {
    const row = this.#get(SQL.getKey, this.#id(atSign), key);
    if (row === undefined) return null;
    return {
      key,
      value: row["value"] as string | null,
      metadata: JSON.parse(row["metadata"] as string) as StoredMetadata,
    };
  }

  putKey(atSign: AtSign, record: StoredKey, operation: CommitOperation | null): number {
    return this.transaction(() => {
      const owner = this.#id(atSign);
      const { metadata } = record;
      this.#run(
        SQL.putKey,
        owner,
        record.key,
        record.value,
        JSON.stringify(metadata),
        metadata.availableAt ?? null,
        metadata.expiresAt ?? null,
      );
      return operation === null ? -1 : this.#log(owner, record.key, operation);
    });
  }

  deleteKey(
    atSign: AtSign,
    key: string,
    logged: boolean,
  ): { readonly existed: boolean; readonly commitId: number } {
    return this.transaction(() => {
      const owner = this.#id(atSign);
      const existed = this.#run(SQL.deleteKey, owner, key) > 0;
      return { existed, commitId: logged ? this.#log(owner, key, "-") : -1 };
    });
  }

  listKeys(atSign: AtSign, prefix?: string): KeyEntry[] {
    const rows = prefix === undefined
      ? this.#all(SQL.listKeys, this.#id(atSign))
      : this.#all(SQL.listKeysFrom, this.#id(atSign), prefix, prefix + "\u{10FFFF}");
    return rows.map((row) => ({
      key: row["key"] as string,
      availableAt: row["available_at"] as number | null,
      expiresAt: row["expires_at"] as number | null,
    }));
  }

  countKeys(atSign: AtSign): number {
    return this.#number(SQL.countKeys, this.#id(atSign)) ?? 0;
  }

  listExpiredKeys(nowMs: number, limit: number): { atSign: AtSign; key: string }[] {
    return this.#all(SQL.expiredKeys, nowMs, limit).map((row) => ({
      atSign: row["at_sign"] as AtSign,
      key: row["key"] as string,
    }));
  }

  lastCommitId(atSign: AtSign, accepts?: (key: string) => boolean): number | null {
    const owner = this.#id(atSign);
    if (accepts === undefined) return this.#number(SQL.lastCommit, owner);
    return this.#guard(() => {
      for (const row of this.#statement(SQL.commitsDown).iterate(owner)) {
        if (accepts(row["key"] as string)) return row["commit_id"] as number;
      }
      return null;
    });
  }

  listCommits(atSign: AtSign): { key: string; commitId: number; operation: string }[] {
    return this.#all(SQL.commits, this.#id(atSign)).map((row) => ({
      key: row["key"] as string,
      commitId: row["commit_id"] as number,
      operation: row["operation"] as string,
    }));
  }

  listCommitsAfter(
    atSign: AtSign,
    afterCommitId: number,
    maxEntries: number,
    accepts: (key: string) => boolean,
  ): CommitEntry[] {
    return this.#guard(() => {
      const entries: CommitEntry[] = [];
      const rows = this.#statement(SQL.commitsAfter).iterate(this.#id(atSign), afterCommitId);
      for (const row of rows) {
        if (!accepts(row["key"] as string)) continue;
        entries.push(toCommit(row));
        if (entries.length >= maxEntries) break;
      }
      return entries;
    });
  }

  countDeletions(atSign: AtSign): number {
    return this.#number(SQL.countDeletions, this.#id(atSign)) ?? 0;
  }

  forgetDeletions(atSign: AtSign, keep: number): number {
    const owner = this.#id(atSign);
    return this.#run(SQL.forgetDeletions, owner, owner, keep);
  }

  listHolders(key: string): AtSign[] {
    return this.#all(SQL.holders, key).map((row) => row["at_sign"] as AtSign);
  }

  storedChars(atSign: AtSign): number {
    return this.#number(SQL.storedChars, this.#id(atSign)) ?? 0;
  }

  addNotification(owner: AtSign, record: StoredNotification): boolean {
    const details: NotificationDetails = {
      operation: record.operation,
      messageType: record.messageType,
      priority: record.priority,
      strategy: record.strategy,
      latestN: record.latestN,
      isEncrypted: record.isEncrypted,
      metadata: record.metadata,
    };
    return this.#run(
      SQL.addNotification,
      this.#id(owner),
      record.id,
      record.from,
      record.to,
      record.type,
      record.status,
      record.tries,
      record.epochMillis,
      record.expiresAt,
      record.key,
      record.value,
      JSON.stringify(details),
      record.notifier,
    ) > 0;
  }

  getNotification(owner: AtSign, id: string): StoredNotification | null {
    const row = this.#get(SQL.getNotification, this.#id(owner), id);
    return row === undefined ? null : toNotification(row);
  }

  listNotificationsById(owner: AtSign, id: string): StoredNotification[] {
    return this.#all(SQL.notificationsById, this.#id(owner), id).map(toNotification);
  }

  removeNotification(owner: AtSign, id: string, from: AtSign): void {
    this.#run(SQL.removeNotification, this.#id(owner), id, from);
  }

  countNotificationKinds(owner: AtSign): NotificationCount[] {
    return this.#all(SQL.notificationKinds, this.#id(owner)).map((row) => ({
      type: row["type"] as NotificationCount["type"],
      status: row["status"] as NotificationStatus,
      operation: row["operation"] as NotificationCount["operation"],
      messageType: row["message_type"] as NotificationCount["messageType"],
      count: row["n"] as number,
    }));
  }

  countExpiredNotifications(nowMs: number): MailboxCount[] {
    return this.#all(SQL.expiredNotifications, nowMs).map(toCount);
  }

  listReceived(owner: AtSign, options: ReplayOptions): StoredNotification[] {
    return this.#guard(() => {
      const page: StoredNotification[] = [];
      let chars = 0;
      const rows = this.#statement(SQL.received).iterate(
        this.#id(owner),
        options.afterEpochMs,
        options.nowMs,
        options.includeSelf ? 1 : 0,
        options.maxRecords,
      );
      for (const row of rows) {
        const record = toNotification(row);
        page.push(record);
        chars += record.value?.length ?? 0;
        if (chars > options.maxChars) break;
      }
      return page;
    });
  }

  lastEpochMillis(owner: AtSign): number {
    return this.#number(SQL.lastEpoch, this.#id(owner)) ?? 0;
  }

  countNotifications(owner: AtSign): number {
    return this.#number(SQL.countNotifications, this.#id(owner)) ?? 0;
  }

  evictNotifications(owner: AtSign, from: AtSign, count: number): void {
    this.#run(SQL.evict, this.#id(owner), from, count);
  }

  purgeNotifications(nowMs: number): number {
    return this.#run(SQL.purge, nowMs);
  }

  listQueuedPairs(): QueuedPair[] {
    return this.#all(SQL.queuedPairs).map((row) => ({
      from: row["at_sign"] as AtSign,
      to: row["to_at_sign"] as AtSign,
    }));
  }

  nextQueued(from: AtSign, to: AtSign, nowMs: number): StoredNotification | null {
    const row = this.#get(SQL.nextQueued, this.#id(from), to, nowMs);
    return row === undefined ? null : toNotification(row);
  }

  nextTryAt(from: AtSign, to: AtSign): number | null {
    return this.#number(SQL.nextTryAt, this.#id(from), to);
  }

  setNotificationStatus(owner: AtSign, id: string, status: NotificationStatus): void {
    this.#run(SQL.setStatus, status, this.#id(owner), id);
  }

  countRefusal(
    from: AtSign,
    to: AtSign,
    id: string,
    notBeforeMs: number,
    maxTries: number,
  ): void {
    this.#run(SQL.refuse, notBeforeMs, maxTries, this.#id(from), to, id);
  }

  countAbsence(from: AtSign, to: AtSign, maxTries: number): void {
    this.#run(SQL.absent, maxTries, this.#id(from), to);
  }

  trimQueue(from: AtSign, to: AtSign, notifier: string, keep: number): void {
    this.#run(SQL.trimQueue, this.#id(from), to, notifier, keep);
  }

  putEnrollment(atSign: AtSign, enrollment: StoredEnrollment): void {
    const { id, expiresAt } = enrollment;
    this.#run(SQL.putEnrollment, this.#id(atSign), id, JSON.stringify(enrollment), expiresAt);
  }

  deleteEnrollment(atSign: AtSign, id: string): void {
    this.#run(SQL.deleteEnrollment, this.#id(atSign), id);
  }

  listExpiredEnrollments(
    nowMs: number,
    limit: number,
  ): { readonly atSign: AtSign; readonly enrollment: StoredEnrollment }[] {
    return this.#all(SQL.expiredEnrollments, nowMs, limit).map((row) => ({
      atSign: row["at_sign"] as AtSign,
      enrollment: JSON.parse(row["details"] as string) as StoredEnrollment,
    }));
  }

  getEnrollment(atSign: AtSign, id: string): StoredEnrollment | null {
    const row = this.#get(SQL.getEnrollment, this.#id(atSign), id);
    return row === undefined ? null : JSON.parse(row["details"] as string) as StoredEnrollment;
  }

  listEnrollments(atSign: AtSign): StoredEnrollment[] {
    return this.#all(SQL.listEnrollments, this.#id(atSign))
      .map((row) => JSON.parse(row["details"] as string) as StoredEnrollment);
  }

  putStatistic(atSign: AtSign, name: string, text: string): void {
    this.#run(SQL.putStatistic, this.#id(atSign), name, text);
  }

  getStatistic(atSign: AtSign, name: string): string | null {
    const row = this.#get(SQL.getStatistic, this.#id(atSign), name);
    return row === undefined ? null : row["text"] as string;
  }

  #nested<T>(work: () => T): T {
    this.#depth++;
    try {
      return work();
    } finally {
      this.#depth--;
    }
  }

  #rollback(): void {
    this.#ids.clear(); // an atSign that this transaction added is gone
    // SQLite rolls back by itself after some failures; a second time is an error that says nothing
    if (this.#database.isTransaction) this.#run(SQL.rollback);
  }

  #log(owner: number, key: string, operation: CommitOperation | "-"): number {
    const commitId = (this.#number(SQL.nextCommit, owner) ?? 0) - 1; // ids start at 0
    this.#run(SQL.putCommit, owner, key, commitId, operation);
    return commitId;
  }

  #id(atSign: AtSign): number {
    const known = this.#ids.get(atSign);
    if (known !== undefined) return known;
    const id = this.#number(SQL.atSignId, atSign);
    if (id === null) {
      throw new NoportsError("not_found", `Cannot find "${atSign}": not hosted here`);
    }
    this.#ids.set(atSign, id);
    return id;
  }

  #run(sql: string, ...values: SQLInputValue[]): number {
    return this.#guard(() => Number(this.#statement(sql).run(...values).changes));
  }

  #get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#guard(() => this.#statement(sql).get(...values) as Row | undefined);
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#guard(() => this.#statement(sql).all(...values) as Row[]);
  }

  /** The first column of the only row. */
  #number(sql: string, ...values: SQLInputValue[]): number | null {
    const row = this.#get(sql, ...values);
    if (row === undefined) return null;
    return Object.values(row)[0] as number | null;
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guard<T>(run: () => T): T {
    try {
      return run();
    } catch (cause) {
      if (isNoportsError(cause)) throw cause;
      const why = describeError(cause);
      throw new NoportsError("storage_failed", `Cannot use the store: ${why}`, {
        cause,
        hint: /full|readonly|read-only|I\/O/i.test(why)
          ? "see whether the disk of the data folder is full or read-only"
          : "see the server's log",
      });
    }
  }
}

function toCommit(row: Row): CommitEntry {
  return {
    key: row["key"] as string,
    commitId: row["commit_id"] as number,
    operation: row["operation"] as string,
  };
}

function toCount(row: Row): MailboxCount {
  return { atSign: row["at_sign"] as AtSign, count: row["n"] as number };
}

function toNotification(row: Row): StoredNotification {
  const details = JSON.parse(row["details"] as string) as NotificationDetails;
  return {
    id: row["id"] as string,
    from: row["from_at_sign"] as AtSign,
    to: row["to_at_sign"] as AtSign,
    key: row["key"] as string,
    value: row["value"] as string | null,
    type: row["type"] as StoredNotification["type"],
    status: row["status"] as NotificationStatus,
    tries: row["tries"] as number,
    epochMillis: row["epoch_millis"] as number,
    expiresAt: row["expires_at"] as number,
    notifier: row["notifier"] as string,
    ...details,
  };
}
