/**
 * The line with which each connection to a relay starts: the session and its nonces, signed with the atSign's encryption key
 * (PROTOCOL.md, Relay authentication). The same line serves every connection of a session; between our own programs it carries
 * the number of the connection too, outside of what is signed (PROTOCOL.md, Numbered pairing). Pure: caps on bytes and time
 * belong to the relay.
 */

import { parseJsonObject } from "./_json.ts";
import { isNoportsError } from "../base/mod.ts";
import { HASHING_ALGO, type Sign, SIGNING_ALGO, type Verify } from "./signature.ts";

/** The relay's limit for the line, and the vendor's: a real one has about 560 bytes. */
export const MAX_AUTH_LINE_BYTES = 4096;
/** Our choice: more connections than a session can have. */
const MAX_CONNECTION_NUMBER = 2 ** 31;

/** What is signed. */
export interface AuthPayload {
  readonly sessionId: string;
  readonly clientNonce: string;
  readonly rvdNonce: string;
}

/** The outcome of reading a line: accepted, with the connection's number if it carries one, or the reason to refuse. */
export type AuthResult =
  | { readonly ok: true; readonly connection: number | null }
  | { readonly ok: false; readonly reason: string };

/** Makes a session's lines: signed once, numbered per connection when `connection` is given. */
export interface AuthLines {
  /** One line with its LF. */
  line(connection?: number): string;
}

/** Signs `payload` once for all lines of the session. */
export function createAuthLines(payload: AuthPayload, sign: Sign): AuthLines {
  const signed = orderedPayload(payload);
  const signature = sign(JSON.stringify(signed));
  const line = { payload: signed, signature, hashingAlgo: HASHING_ALGO, signingAlgo: SIGNING_ALGO };
  return {
    line: (connection) =>
      JSON.stringify(connection === undefined ? line : { ...line, connection }) + "\n",
  };
}

/** One line without a number. */
export function encodeAuthLine(payload: AuthPayload, sign: Sign): string {
  return createAuthLines(payload, sign).line();
}

/**
 * Checks a line (without LF) against the session that the relay expects on this port. The signature is checked over the relay's
 * own reconstruction of the payload, so a line of another session fails however it names itself.
 */
export function verifyAuthLine(line: string, expected: AuthPayload, verify: Verify): AuthResult {
  let json;
  try {
    json = parseJsonObject(line, MAX_AUTH_LINE_BYTES, "auth line");
  } catch (error) {
    if (!isNoportsError(error, "protocol_violation")) throw error;
    return { ok: false, reason: "not a JSON object" };
  }
  if (json.hashingAlgo !== HASHING_ALGO || json.signingAlgo !== SIGNING_ALGO) {
    return { ok: false, reason: "other algorithms" };
  }
  const payload = json.payload;
  if (typeof payload !== "object" || payload === null) return { ok: false, reason: "no payload" };
  if (!("rvdNonce" in payload) || payload.rvdNonce !== expected.rvdNonce) {
    return { ok: false, reason: "nonce of another session" };
  }
  if (typeof json.signature !== "string") return { ok: false, reason: "no signature" };
  if (!verify(JSON.stringify(orderedPayload(expected)), json.signature)) {
    return { ok: false, reason: "wrong signature" };
  }
  return { ok: true, connection: connectionNumber(json.connection) };
}

function orderedPayload(payload: AuthPayload): AuthPayload {
  const { sessionId, clientNonce, rvdNonce } = payload;
  return { sessionId, clientNonce, rvdNonce };
}

function connectionNumber(value: unknown): number | null {
  if (!Number.isInteger(value)) return null;
  const number = Number(value);
  return number >= 0 && number <= MAX_CONNECTION_NUMBER ? number : null;
}
