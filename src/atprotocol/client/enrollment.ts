/**
 * What a manager does about enrollments: passcodes, lists, decisions. Functions over a logged-in connection
 * (`RequestChannel`). atProtocol client specification, Enrollment; PROTOCOL.md, "enroll". The other side, a device that
 * asks for one: `enrollment_request.ts`.
 */

import { type Entropy, NoportsError } from "../../base/mod.ts";
import { decryptAesKeyRsa, encryptAesText } from "../../crypto/mod.ts";
import { encodeBase64 } from "../../encoding/mod.ts";
import type { AtKeys, EnrollOperation, Reply, Verb } from "../wire/mod.ts";
import { refusal } from "./refusal.ts";

export type EnrollmentStatus = "pending" | "approved" | "denied" | "revoked" | "expired";

const STATUSES: readonly EnrollmentStatus[] = [
  "pending",
  "approved",
  "denied",
  "revoked",
  "expired",
];

/** An enrollment as its atServer shows it. */
export interface Enrollment {
  readonly id: string;
  readonly appName: string;
  readonly deviceName: string;
  /** Namespace to `r` or `rw`. */
  readonly namespaces: Readonly<Record<string, string>>;
  /** The new device's AES key, encrypted for the atSign; absent when it sent none. */
  readonly encryptedApkamSymmetricKey?: string;
  readonly status: EnrollmentStatus;
}

/** A logged-in connection that commands are sent on; a `RequestChannel` is one. */
export interface CommandChannel {
  request(verb: Verb, signal?: AbortSignal): Promise<Reply>;
}

/** A new one-time passcode, good for `ttlMs` (the server's 5 min when not given). @throws {NoportsError} `atserver_refused`. */
export async function makePasscode(
  channel: CommandChannel,
  ttlMs?: number,
  signal?: AbortSignal,
): Promise<string> {
  const reply = await channel.request({
    verb: "otp",
    operation: "get",
    ...(ttlMs === undefined ? {} : { ttlMs }),
  }, signal);
  if (reply.kind === "data") return reply.value.trim();
  throw refusal(reply, "make a passcode");
}

/** Sets the semi-permanent passcode. @throws {NoportsError} `usage` for a bad one, `atserver_refused`. */
export async function setPasscode(
  channel: CommandChannel,
  passcode: string,
  ttlMs?: number,
  signal?: AbortSignal,
): Promise<void> {
  // the vendor's tool asks for the same
  if (!/^[A-Za-z0-9]{6,16}$/.test(passcode)) {
    throw new NoportsError("usage", "Cannot set passcode: it must be 6 to 16 letters and digits");
  }
  const reply = await channel.request({
    verb: "otp",
    operation: "put",
    passcode,
    ...(ttlMs === undefined ? {} : { ttlMs }),
  }, signal);
  if (reply.kind !== "data") throw refusal(reply, "set the passcode");
}

/** The enrollments that this login may see, of the given states or all. @throws {NoportsError} `atserver_refused`, `protocol_violation`. */
export async function listEnrollments(
  channel: CommandChannel,
  states: readonly EnrollmentStatus[] = [],
  signal?: AbortSignal,
): Promise<Enrollment[]> {
  const params = states.length === 0 ? undefined : { enrollmentStatusFilter: states };
  const reply = await channel.request(enrollVerb("list", params), signal);
  if (reply.kind !== "data") throw refusal(reply, "list enrollments");
  return Object.entries(parseObject(reply.value))
    .map(([name, record]) => parseEnrollment(idOf(name), record));
}

/** One enrollment, null for an unknown id. @throws {NoportsError} `atserver_refused`, `protocol_violation`. */
export async function fetchEnrollment(
  channel: CommandChannel,
  id: string,
  signal?: AbortSignal,
): Promise<Enrollment | null> {
  const reply = await channel.request(enrollVerb("fetch", { enrollmentId: id }), signal);
  if (reply.kind === "error" && reply.code === "AT0015") return null;
  if (reply.kind !== "data") throw refusal(reply, `fetch enrollment ${id}`);
  return parseEnrollment(id, parseObject(reply.value));
}

/**
 * Approves a request: hands the atSign's keys to the new device, encrypted with the key that it sent. With `ivsFrom` each
 * has an IV of its own; older servers lose those, and the device could then decrypt nothing.
 * @throws {NoportsError} `protocol_violation` when the request holds no key for us, `atserver_refused`.
 */
export async function approveEnrollment(
  channel: CommandChannel,
  keys: AtKeys,
  enrollment: Pick<Enrollment, "id" | "encryptedApkamSymmetricKey">,
  options: { readonly ivsFrom?: Entropy; readonly signal?: AbortSignal } = {},
): Promise<void> {
  const { id, encryptedApkamSymmetricKey } = enrollment;
  if (encryptedApkamSymmetricKey === undefined) {
    throw new NoportsError("protocol_violation", `Cannot approve ${id}: the request has no key`);
  }
  const apkamKey = decryptAesKeyRsa(keys.encryption.privateKey, encryptedApkamSymmetricKey);
  const newIv = () =>
    options.ivsFrom === undefined ? null : encodeBase64(options.ivsFrom.bytes(16));
  const encIv = newIv();
  const selfIv = newIv();
  await decide(channel, "approve", {
    enrollmentId: id,
    encryptedDefaultEncryptionPrivateKey: encryptAesText(
      apkamKey,
      encIv,
      keys.encryption.privateKey,
    ),
    encryptedDefaultSelfEncryptionKey: encryptAesText(apkamKey, selfIv, keys.selfEncryptionKey),
    ...(encIv === null ? {} : { encPrivateKeyIV: encIv }),
    ...(selfIv === null ? {} : { selfEncKeyIV: selfIv }),
  }, options.signal);
}

/** Refuses a pending request. @throws {NoportsError} `atserver_refused`. */
export function denyEnrollment(
  channel: CommandChannel,
  id: string,
  signal?: AbortSignal,
): Promise<void> {
  return decide(channel, "deny", { enrollmentId: id }, signal);
}

/** Takes an approval back; `force` is needed for one's own enrollment. @throws {NoportsError} `atserver_refused`. */
export function revokeEnrollment(
  channel: CommandChannel,
  id: string,
  options: { readonly force?: boolean; readonly signal?: AbortSignal } = {},
): Promise<void> {
  return decide(channel, "revoke", { enrollmentId: id }, options.signal, options.force);
}

/** Gives a revoked enrollment its rights again. @throws {NoportsError} `atserver_refused`. */
export function unrevokeEnrollment(
  channel: CommandChannel,
  id: string,
  signal?: AbortSignal,
): Promise<void> {
  return decide(channel, "unrevoke", { enrollmentId: id }, signal);
}

/** Removes a denied or revoked enrollment. @throws {NoportsError} `atserver_refused`. */
export function deleteEnrollment(
  channel: CommandChannel,
  id: string,
  signal?: AbortSignal,
): Promise<void> {
  return decide(channel, "delete", { enrollmentId: id }, signal);
}

/** The request that a notification of our own atServer tells of, null for any other notification. */
export function parseEnrollmentNotice(key: string, value: string | null): Enrollment | null {
  if (value === null || !/^[^.:@]+\.new\.enrollments\.__manage@/i.test(key)) return null;
  try {
    return parseEnrollment(idOf(key), { ...parseObject(value), status: "pending" });
  } catch {
    return null;
  }
}

async function decide(
  channel: CommandChannel,
  operation: EnrollOperation,
  params: Record<string, unknown>,
  signal?: AbortSignal,
  force = false,
): Promise<void> {
  const reply = await channel.request(enrollVerb(operation, params, force), signal);
  if (reply.kind !== "data") {
    throw refusal(reply, `${operation} enrollment ${params["enrollmentId"]}`);
  }
}

function enrollVerb(operation: EnrollOperation, params?: object, force = false): Verb {
  return {
    verb: "enroll",
    operation,
    force,
    ...(params === undefined ? {} : { params: JSON.stringify(params) }),
  };
}

function idOf(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf(".")));
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // answered below
  }
  throw new NoportsError("protocol_violation", "Cannot read enrollments: not a JSON object");
}

function parseEnrollment(id: string, record: unknown): Enrollment {
  const { appName, deviceName, namespace, status, ...rest } = Object(record);
  const symmetricKey: unknown = rest.encryptedAPKAMSymmetricKey ?? rest.encryptedApkamSymmetricKey;
  const known = STATUSES.find((name) => name === status);
  if (id === "" || typeof appName !== "string" || typeof deviceName !== "string" || !known) {
    throw new NoportsError("protocol_violation", "Cannot read enrollments: a member is missing");
  }
  const grants = Object.entries(Object(namespace)).filter((grant): grant is [string, string] =>
    typeof grant[1] === "string"
  );
  return {
    id,
    appName,
    deviceName,
    namespaces: Object.fromEntries(grants),
    ...(typeof symmetricKey === "string" ? { encryptedApkamSymmetricKey: symmetricKey } : {}),
    status: known,
  };
}
