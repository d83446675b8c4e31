/** Logs a connection in as an atSign: PKAM (APKAM when the keys have an enrollment) and CRAM. atProtocol specification, Authentication. */

import { NoportsError } from "../../base/mod.ts";
import { cramDigest, signRsaSha256 } from "../../crypto/mod.ts";
import type { AtKeys, AtSign, Reply, Verb } from "../wire/mod.ts";
import type { AtConnection } from "./connection.ts";

/**
 * Logs in with the keys of `atSign`.
 * @throws {NoportsError} `auth_failed`; see `AtConnection.request` for the rest.
 */
export async function loginPkam(
  conn: AtConnection,
  atSign: AtSign,
  keys: AtKeys,
  signal?: AbortSignal,
): Promise<void> {
  requirePkamSuccess(await attemptPkam(conn, atSign, keys, signal), atSign);
}

/** Tries to log in and gives the server's answer. @throws {NoportsError} `auth_failed` when there is no challenge. */
export async function attemptPkam(
  conn: AtConnection,
  atSign: AtSign,
  keys: Pick<AtKeys, "pkam" | "enrollmentId">,
  signal?: AbortSignal,
): Promise<Reply> {
  const challenge = await askChallenge(conn, atSign, signal);
  return await conn.request({
    verb: "pkam",
    signingAlgo: "rsa2048",
    hashingAlgo: "sha256",
    ...(keys.enrollmentId === undefined ? {} : { enrollmentId: keys.enrollmentId }),
    signature: signRsaSha256(keys.pkam.privateKey, challenge),
  }, withSignal(signal));
}

/** Says why an attempt failed. @throws {NoportsError} `auth_failed`. */
export function requirePkamSuccess(reply: Reply, atSign: AtSign): void {
  requireSuccess(reply, atSign, PKAM_HINTS);
}

/**
 * Logs in with the activation code (CRAM secret) of `atSign`.
 * @throws {NoportsError} `auth_failed`, `already_activated` when the server has no code any more.
 */
export async function loginCram(
  conn: AtConnection,
  atSign: AtSign,
  secret: string,
  signal?: AbortSignal,
): Promise<void> {
  const challenge = await askChallenge(conn, atSign, signal);
  const verb: Verb = { verb: "cram", digest: cramDigest(secret, challenge) };
  const reply = await conn.request(verb, withSignal(signal));
  if (reply.kind === "error" && reply.code === "AT0015") {
    throw new NoportsError(
      "already_activated",
      `Cannot log in to ${atSign} with an activation code: its atServer has none any more`,
      { hint: "the atSign is activated already; use its key file, or enroll this machine" },
    );
  }
  requireSuccess(reply, atSign, {
    AT0401: "check the activation code: it must be the one printed for this atSign",
  });
}

/** True when a log-in was refused because its enrollment was denied or revoked, has expired or is unknown: trying again is no use. */
export function isEnrollmentOver(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof RefusedLogin &&
    OVER_CODES.includes(error.cause.code);
}

/** The answers that tell so. atProtocol specification, APKAM. */
const OVER_CODES: readonly string[] = ["AT0025", "AT0027", "AT0028"];

/** The server's code, as the cause of `auth_failed`. */
class RefusedLogin extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

const PKAM_HINTS: Readonly<Record<string, string>> = {
  AT0025: "the enrollment was denied; enroll this machine again",
  AT0026: "the enrollment waits for approval",
  AT0027: "the enrollment was revoked; enroll this machine again",
  AT0028: "the enrollment has expired or is unknown; enroll this machine again",
  AT0401: "the key file does not belong to this atSign, or the atSign was activated anew since",
};

async function askChallenge(
  conn: AtConnection,
  atSign: AtSign,
  signal: AbortSignal | undefined,
): Promise<string> {
  const reply = await conn.request({ verb: "from", atSign }, withSignal(signal));
  if (reply.kind === "data" && reply.value !== "" && !reply.value.startsWith("proof:")) {
    return reply.value.trim();
  }
  const why = reply.kind === "error"
    ? `${reply.code} ${reply.text}`
    : "it does not host the atSign";
  throw new NoportsError("auth_failed", `Cannot log in as ${atSign}: the atServer said ${why}`, {
    hint: "check the atSign and --root-domain",
  });
}

function requireSuccess(
  reply: Reply,
  atSign: AtSign,
  hints: Readonly<Record<string, string>>,
): void {
  if (reply.kind === "data" && reply.value === "success") return;
  const why = reply.kind === "error" ? `${reply.code} ${reply.text}` : "an unexpected reply";
  const hint = reply.kind === "error" ? hints[reply.code] : undefined;
  const cause = reply.kind === "error" ? new RefusedLogin(reply.code) : undefined;
  throw new NoportsError("auth_failed", `Cannot log in as ${atSign}: the atServer said ${why}`, {
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}

function withSignal(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
