/**
 * A new device asks for keys of its own: request with a passcode, wait for the approval, fetch what the approver left.
 * atProtocol client specification, Enrollment; PROTOCOL.md, "enroll". IO; the approver's side: `enrollment.ts`.
 */

import {
  type Clock,
  describeError,
  type Entropy,
  isNoportsError,
  NoportsError,
  type RsaKeyPair,
} from "../../base/mod.ts";
import { decryptAesText, encryptRsaPkcs1, isRsaPair } from "../../crypto/mod.ts";
import { decodeBase64, encodeBase64 } from "../../encoding/mod.ts";
import type { AtKeys, AtSign } from "../wire/mod.ts";
import { type AtConnection, ConnectionLost } from "./connection.ts";
import { attemptPkam, requirePkamSuccess } from "./login.ts";
import { refusal } from "./refusal.ts";

/** A server answers a wrong passcode after up to 55 s, and the next guess of the same address after that. */
const REQUEST_TIMEOUT_MS = 120_000;
/** The vendor's: between two attempts to log in. */
const RETRY_MS = 10_000;
/** The vendor's: attempts that may fail for the network's sake. */
const MAX_NETWORK_FAILURES = 5;
const AES_KEY_BYTES = 32;

export interface EnrollmentRequest {
  readonly appName: string;
  readonly deviceName: string;
  /** At least one. */
  readonly namespaces: Readonly<Record<string, "r" | "rw">>;
  /** A one-time passcode, or the semi-permanent one. */
  readonly passcode: string;
  /** How long the keys are good once approved; for ever when not given. */
  readonly keysExpiryMs?: number;
}

/** A request that waits for its approval. All of it is secret and nowhere else: lost, it cannot be completed. */
export interface PendingEnrollment {
  readonly atSign: AtSign;
  readonly enrollmentId: string;
  readonly pkam: RsaKeyPair;
  readonly apkamSymmetricKey: string;
  readonly encryptionPublicKey: string;
}

/** Opens a connection to the atSign's atServer that is not logged in; whoever calls it disposes the connection. */
export type Connect = (signal?: AbortSignal) => Promise<AtConnection>;

/**
 * Asks for an enrollment of `atSign`.
 * @throws {NoportsError} `atsign_not_activated`; `atserver_refused`, also for a wrong passcode; errors of `connect`.
 */
export async function requestEnrollment(
  atSign: AtSign,
  request: EnrollmentRequest,
  means: { readonly connect: Connect; readonly entropy: Entropy },
  signal?: AbortSignal,
): Promise<PendingEnrollment> {
  const { entropy } = means;
  const making = entropy.rsaKeyPair();
  making.catch(() => {});
  using conn = await means.connect(signal);
  const encryptionPublicKey = await publicKeyOf(conn, atSign, signal);
  const pkam = await making;
  const apkamSymmetricKey = encodeBase64(entropy.bytes(AES_KEY_BYTES));
  const reply = await conn.request({
    verb: "enroll",
    operation: "request",
    force: false,
    params: JSON.stringify({
      appName: request.appName,
      deviceName: request.deviceName,
      namespaces: request.namespaces,
      otp: request.passcode,
      encryptedAPKAMSymmetricKey: encryptRsaPkcs1(encryptionPublicKey, apkamSymmetricKey),
      apkamPublicKey: pkam.publicKey,
      apkamKeysExpiryInMillis: request.keysExpiryMs ?? 0,
    }),
  }, { timeoutMs: REQUEST_TIMEOUT_MS, ...withSignal(signal) });
  if (reply.kind !== "data") throw refusal(reply, `enroll with ${atSign}`);
  const enrollmentId = parseId(reply.value);
  return { atSign, enrollmentId, pkam, apkamSymmetricKey, encryptionPublicKey };
}

/**
 * Looks once whether the request was approved: the keys, or null while it waits.
 * @throws {NoportsError} `auth_failed` when it was denied, revoked or has expired; `protocol_violation` when the approver's
 * keys do not fit; errors of `connect`.
 */
export async function tryEnrollment(
  pending: PendingEnrollment,
  means: { readonly connect: Connect },
  signal?: AbortSignal,
): Promise<AtKeys | null> {
  const { atSign } = pending;
  using conn = await means.connect(signal);
  const reply = await attemptPkam(conn, atSign, pending, signal);
  const isWaiting = reply.kind === "error" && (reply.code === "AT0026" || reply.code === "AT0401");
  if (isWaiting) return null;
  requirePkamSuccess(reply, atSign);
  return await fetchKeys(conn, pending, signal);
}

/**
 * Waits until the request is approved and gives the keys. `onWaiting` hears of each attempt that came too early.
 * @throws {NoportsError} as `tryEnrollment`; the signal's reason; the sixth network failure.
 */
export async function awaitEnrollment(
  pending: PendingEnrollment,
  means: {
    readonly connect: Connect;
    readonly clock: Clock;
    readonly retryMs?: number;
    readonly onWaiting?: (why: string) => void;
  },
  signal?: AbortSignal,
): Promise<AtKeys> {
  for (let failures = 0;;) {
    let why = "not approved yet";
    try {
      const keys = await tryEnrollment(pending, means, signal);
      if (keys !== null) return keys;
    } catch (error) {
      signal?.throwIfAborted();
      if (!isOfNetwork(error) || ++failures > MAX_NETWORK_FAILURES) throw error;
      why = describeError(error);
    }
    means.onWaiting?.(why);
    await means.clock.sleep(means.retryMs ?? RETRY_MS, signal);
  }
}

async function publicKeyOf(
  conn: AtConnection,
  atSign: AtSign,
  signal: AbortSignal | undefined,
): Promise<string> {
  const reply = await conn.request({
    verb: "lookup",
    entity: "publickey",
    owner: atSign,
    detail: "value",
    bypassCache: false,
  }, withSignal(signal));
  const isMissing = reply.kind === "error" ? reply.code === "AT0015" : reply.kind === "data" &&
    reply.value === "null";
  if (isMissing) {
    throw new NoportsError(
      "atsign_not_activated",
      `Cannot enroll with ${atSign}: it is not activated`,
      { hint: `activate it first: noports activate onboard -a ${atSign}` },
    );
  }
  if (reply.kind !== "data") throw refusal(reply, `look up the public key of ${atSign}`);
  return reply.value.trim();
}

async function fetchKeys(
  conn: AtConnection,
  pending: PendingEnrollment,
  signal: AbortSignal | undefined,
): Promise<AtKeys> {
  const { atSign, enrollmentId, apkamSymmetricKey, encryptionPublicKey, pkam } = pending;
  const read = async (name: string): Promise<string> => {
    const keyName = `${enrollmentId}.${name}.__manage${atSign}`;
    const reply = await conn.request(
      { verb: "keys", operation: "get", keyName },
      withSignal(signal),
    );
    if (reply.kind !== "data") throw refusal(reply, "fetch the keys of the enrollment");
    const { value, iv } = parseWrapped(reply.value);
    return decryptAesText(apkamSymmetricKey, iv, value).trim();
  };
  const privateKey = await read("default_enc_private_key");
  const selfEncryptionKey = await read("default_self_enc_key");
  const fits = isRsaPair(encryptionPublicKey, privateKey) && isAesKey(selfEncryptionKey);
  if (!fits) throw badKeys("they do not belong to the atSign");
  return {
    pkam,
    encryption: { publicKey: encryptionPublicKey, privateKey },
    selfEncryptionKey,
    apkamSymmetricKey,
    enrollmentId,
  };
}

function parseWrapped(text: string): { value: string; iv: string | null } {
  const { value, iv } = parseJson(text);
  if (typeof value !== "string") throw badKeys("the server's answer has no value");
  return { value, iv: typeof iv === "string" ? iv : null };
}

function parseId(text: string): string {
  const { enrollmentId } = parseJson(text);
  if (typeof enrollmentId === "string" && /^[\w-]{1,255}$/.test(enrollmentId)) return enrollmentId;
  throw new NoportsError("protocol_violation", "Cannot enroll: the atServer named no enrollment");
}

function parseJson(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    throw new NoportsError("protocol_violation", "Cannot enroll: the atServer's reply is not JSON");
  }
}

function isAesKey(text: string): boolean {
  try {
    return decodeBase64(text).length === AES_KEY_BYTES;
  } catch {
    return false;
  }
}

function badKeys(why: string): NoportsError {
  return new NoportsError("protocol_violation", `Cannot use the approver's keys: ${why}`);
}

function isOfNetwork(error: unknown): boolean {
  return error instanceof ConnectionLost ||
    isNoportsError(error, "atserver_unreachable", "directory_unreachable", "timeout");
}

function withSignal(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
