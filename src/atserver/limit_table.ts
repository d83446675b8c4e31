/**
 * The limits that an operator may set (`--limit NAME=VALUE`), with their names and meanings: what `noports server limits`
 * prints. Pure. The values' use is everybody's who takes `Limits`.
 */

import { NoportsError } from "../base/mod.ts";
import { parseDurationMs } from "../cli/mod.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";

type Unit = "count" | "bytes" | "time";

/** One limit. */
export interface LimitRow {
  /** On the command line: `connections-per-atsign`. */
  readonly name: string;
  readonly field: keyof Limits;
  readonly unit: Unit;
  readonly meaning: string;
}

/** Our choice: no value may be above this, so that sums stay exact. */
const MAX_VALUE = 2 ** 40;

export const LIMIT_TABLE: readonly LimitRow[] = [
  count("connections", "connections", "connections in all; the limit of open files may allow less"),
  count("connections-per-atsign", "connectionsPerAtSign", "logged-in connections of one atSign"),
  count("connections-per-peer", "connectionsPerPeer", "connections of one other atServer"),
  count(
    "strangers-per-address",
    "strangersPerAddress",
    "connections of one address (IPv6: one /64) that have not logged in",
  ),
  count(
    "stranger-requests-per-second",
    "strangerRequestsPerSecond",
    "commands of one address before login, a second",
  ),
  count(
    "stranger-request-burst",
    "strangerRequestBurst",
    "commands that such an address may send at once",
  ),
  bytes("stranger-line", "strangerLineBytes", "a line before login"),
  time("stranger-line-time", "strangerLineMs", "for a line before login, from its first byte"),
  time("stranger-idle", "strangerIdleMs", "without a command before login"),
  bytes("peer-line", "peerLineBytes", "a line of another atServer"),
  time("peer-line-time", "peerLineMs", "for a line of another atServer"),
  bytes("owner-line", "ownerLineBytes", "a line of a logged-in owner"),
  time("owner-line-time", "ownerLineMs", "for a line of a logged-in owner"),
  time("idle", "loggedInIdleMs", "without a command after login; less when connections run short"),
  time("write", "writeMs", "for a reply that the other side does not take, plus 1 s per 64 KB"),
  count("value", "valueChars", "characters in one stored value"),
  count("keys-per-atsign", "keysPerAtSign", "keys of one atSign; copies of foreign ones: half"),
  count("notifications-per-atsign", "notificationsPerAtSign", "records in one atSign's mailbox"),
  time(
    "notification-ttl",
    "notificationTtlMs",
    "a notification lives when its sender does not say",
  ),
  bytes("monitor-queue", "monitorQueueBytes", "what waits for a monitor that does not read"),
  count("delivery-tries", "deliveryTries", "deliveries to another atServer before giving up"),
  time("delivery-pause", "quarantineMs", "pause after a failed delivery"),
  count("parallel-deliveries", "parallelDeliveries", "deliveries to other atServers at one time"),
  count("free-login-failures", "freeLoginFailures", "failed logins of one address without a delay"),
  count("login-failures", "loginFailures", "failed logins of one address in a minute"),
  time("login-delay", "loginDelayMs", "the longest delay of a failed login's answer"),
  time("challenge", "challengeMs", "a challenge of `from` is good for this long"),
  time("wrong-passcode-delay", "wrongPasscodeDelayMs", "the longest delay of a wrong passcode"),
  count("enroll-requests-per-hour", "enrollRequestsPerHour", "`enroll:request` of one connection"),
  time("pending-enrollment", "pendingEnrollmentMs", "an enrollment request that nobody decides"),
  time("otp-ttl", "otpTtlMs", "a one-time passcode lives when its maker does not say"),
  count(
    "enrollments-per-atsign",
    "enrollmentsPerAtSign",
    "enrollments of one atSign, of any state",
  ),
  time("stats-interval", "statsIntervalMs", "statistics to every monitor, a sign of life"),
  time("expiry-interval", "expiryIntervalMs", "between removals of what has expired"),
];

/**
 * The limits that `--limit NAME=VALUE` flags change.
 * @throws {NoportsError} `usage` for an unknown name or a value that is none.
 */
export function parseLimits(flags: readonly string[]): Partial<Limits> {
  const limits: Partial<Record<keyof Limits, number>> = {};
  for (const flag of flags) {
    const [name = "", text] = splitOnce(flag);
    const row = LIMIT_TABLE.find((each) => each.name === name);
    if (row === undefined || text === undefined) {
      throw new NoportsError("usage", `Cannot read --limit: "${flag}" names no limit`, {
        hint: "give NAME=VALUE; `noports server limits` prints the names",
      });
    }
    limits[row.field] = parseValue(row, text);
  }
  return limits;
}

/** A limit's value in the form that `--limit` takes. */
export function formatLimit(row: LimitRow, value: number): string {
  switch (row.unit) {
    case "count":
      return String(value);
    case "bytes":
      return value % 1024 === 0 ? `${value / 1024}k` : String(value);
    case "time":
      return value % 1000 === 0 ? `${value / 1000}s` : `${value}ms`;
    default:
      return row.unit satisfies never;
  }
}

/** The lines of `noports server limits`. */
export function renderLimits(): string[] {
  const width = Math.max(...LIMIT_TABLE.map((row) => row.name.length));
  return LIMIT_TABLE.map((row) => {
    const value = formatLimit(row, DEFAULT_LIMITS[row.field]);
    return `${row.name.padEnd(width)}  ${value.padStart(9)}  ${row.meaning}`;
  });
}

function parseValue(row: LimitRow, text: string): number {
  const value = row.unit === "time"
    ? parseDurationMs(text, `--limit ${row.name}`)
    : parseNumber(text, row.unit);
  if (!(value >= 1 && value <= MAX_VALUE)) {
    throw new NoportsError(
      "usage",
      `Cannot read --limit ${row.name}: "${text}" is no value for it`,
      {
        hint: `for example ${row.name}=${formatLimit(row, DEFAULT_LIMITS[row.field])}`,
      },
    );
  }
  return value;
}

/** NaN for what is no number; bytes may have the suffix k or m. */
function parseNumber(text: string, unit: Unit): number {
  const match = /^(\d{1,13})([km]?)$/i.exec(text);
  if (match === null || (match[2] !== "" && unit !== "bytes")) return NaN;
  const factor = { k: 1024, m: 1024 * 1024 }[match[2]?.toLowerCase() ?? ""] ?? 1;
  return Number(match[1]) * factor;
}

function splitOnce(flag: string): [string, string?] {
  const at = flag.indexOf("=");
  return at === -1 ? [flag] : [flag.slice(0, at), flag.slice(at + 1)];
}

function count(name: string, field: keyof Limits, meaning: string): LimitRow {
  return { name, field, unit: "count", meaning };
}

function bytes(name: string, field: keyof Limits, meaning: string): LimitRow {
  return { name, field, unit: "bytes", meaning: `bytes: ${meaning}` };
}

function time(name: string, field: keyof Limits, meaning: string): LimitRow {
  return { name, field, unit: "time", meaning };
}
