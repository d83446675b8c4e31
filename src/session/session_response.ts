/**
 * K8: the daemon's answer to a session request: a signed envelope with the wrapped session keys, or a plain text that says
 * why not (PROTOCOL.md, Session response). The client checks status, session id and signature here, and the sender before. Pure.
 */

import { NoportsError } from "../base/mod.ts";
import { type JsonObject, malformed, textMember } from "./_json.ts";
import { encodeSignedEnvelope, parseSignedEnvelope } from "./envelope.ts";
import type { WrappedKeys } from "./session_keys.ts";
import type { Sign, Verify } from "./signature.ts";

const WHAT = "session response";
const CONNECTED = "connected";
/** Our choice: a longer refusal is cut. */
const MAX_REFUSAL_CHARS = 500;

/** What the daemon answered. `keys` is null when the traffic is not encrypted. */
export type SessionResponse =
  | { readonly kind: "connected"; readonly sessionId: string; readonly keys: WrappedKeys | null }
  | { readonly kind: "refused"; readonly text: string };

/** Encodes and signs the positive answer to a port-forward request. */
export function encodeSessionResponse(
  response: { readonly sessionId: string; readonly keys: WrappedKeys | null },
  sign: Sign,
): string {
  const keys = response.keys ?? { sessionAESKey: null, sessionIV: null };
  return encodeSignedEnvelope({ status: CONNECTED, sessionId: response.sessionId, ...keys }, sign);
}

/**
 * Reads the answer to the request of `sessionId`. Text that is no JSON object is a refusal. @throws {NoportsError}
 * `protocol_violation` for another form, status or session; `auth_failed` for a signature that is not the daemon's.
 */
export function parseSessionResponse(
  text: string,
  expected: { readonly sessionId: string; readonly verify: Verify },
): SessionResponse {
  if (!text.startsWith("{")) return { kind: "refused", text: printableRefusal(text) };
  const json = parseSignedEnvelope(text, expected.verify);
  if (json.sessionId !== expected.sessionId) throw malformed(WHAT, "of another session");
  if (json.status !== CONNECTED) throw malformed(WHAT, `"status" is not "${CONNECTED}"`);
  return { kind: "connected", sessionId: expected.sessionId, keys: parseKeys(json) };
}

/** The daemon's own permit-open list does not name the target. */
export function daemonDeniesText(host: string, port: number): string {
  return `Daemon does not permit connections to ${host}:${port}`;
}

/** The policy's permit-open list does not name the target. */
export function policyDeniesText(host: string, port: number): string {
  return `Client is not permitted connections to ${host}:${port}`;
}

/** The request's signature is not the sender's. */
export function signatureRefusedText(reason: string): string {
  return `Signature not verified: ${reason}`;
}

/** The daemon could not reach the relay. */
export function bridgeFailedText(reason: string): string {
  return `Failed to start up the daemon side of the srv socket tunnel : ${reason}`;
}

/** The error for a refusal: a permit-open denial has a code of its own. */
export function refusalError(text: string): NoportsError {
  const denied = /permit|denied/i.test(text);
  return new NoportsError(
    denied ? "permit_denied" : "daemon_refused",
    `Cannot open session: the daemon answered "${text}"`,
    denied
      ? { hint: "ask the device's owner to add the target to the daemon's --permit-open" }
      : undefined,
  );
}

function parseKeys(json: JsonObject): WrappedKeys | null {
  if (json.aesKeyC2D !== undefined && json.aesKeyC2D !== null) {
    return {
      aesKeyC2D: textMember(json, "aesKeyC2D", WHAT),
      ivC2D: textMember(json, "ivC2D", WHAT),
      aesKeyD2C: textMember(json, "aesKeyD2C", WHAT),
      ivD2C: textMember(json, "ivD2C", WHAT),
    };
  }
  const { sessionAESKey = null, sessionIV = null } = json;
  if (sessionAESKey === null && sessionIV === null) return null;
  return {
    sessionAESKey: textMember(json, "sessionAESKey", WHAT),
    sessionIV: textMember(json, "sessionIV", WHAT),
  };
}

/** A daemon's text is shown to the user: one line, no control characters. */
function printableRefusal(text: string): string {
  return text.replace(/[\p{Cc}\s]+/gu, " ").trim().slice(0, MAX_REFUSAL_CHARS);
}
