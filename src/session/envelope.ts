/**
 * The signed envelope of session requests and responses: `{"payload":{…},"signature":…,"hashingAlgo":…,"signingAlgo":…}`
 * (PROTOCOL.md, Signed envelope). The signature covers the payload as compact JSON. Who may sign is the caller's question. Pure.
 */

import { NoportsError } from "../base/mod.ts";
import { asObject, type JsonObject, malformed, parseJsonObject } from "./_json.ts";
import { memberText } from "./_member_text.ts";
import { HASHING_ALGO, type Sign, SIGNING_ALGO, type Verify } from "./signature.ts";

const WHAT = "signed envelope";
/** Our choice: real envelopes have under 4 KB. */
export const MAX_ENVELOPE_CHARS = 64 * 1024;

/** Signs `payload` as compact JSON in its own member order. */
export function encodeSignedEnvelope(payload: JsonObject, sign: Sign): string {
  const text = JSON.stringify(payload);
  return JSON.stringify({
    payload,
    signature: sign(text),
    hashingAlgo: HASHING_ALGO,
    signingAlgo: SIGNING_ALGO,
  });
}

/**
 * Reads an envelope and checks its signature, over the payload exactly as received and, when that fails, over its compact form,
 * which is what the vendor's programs verify. @throws {NoportsError} `protocol_violation` for another form or algorithm (no
 * answer is due), `auth_failed` for a signature that is not good.
 */
export function parseSignedEnvelope(text: string, verify: Verify): JsonObject {
  const envelope = parseJsonObject(text, MAX_ENVELOPE_CHARS, WHAT);
  const { signature, hashingAlgo, signingAlgo } = envelope;
  if (hashingAlgo !== HASHING_ALGO || signingAlgo !== SIGNING_ALGO) {
    throw malformed(WHAT, `algorithms are not ${HASHING_ALGO} and ${SIGNING_ALGO}`);
  }
  if (typeof signature !== "string") throw malformed(WHAT, '"signature" is not a text');
  const payload = asObject(envelope.payload, WHAT);
  const raw = memberText(text, "payload");
  if (raw !== null && verify(raw, signature)) return asObject(JSON.parse(raw), WHAT);
  if (verify(compactText(payload), signature)) return payload;
  throw new NoportsError("auth_failed", "Cannot verify signature: not made with the sender's key");
}

function compactText(payload: JsonObject): string {
  try {
    return JSON.stringify(payload);
  } catch (cause) {
    throw malformed(WHAT, "nested too deeply", cause);
  }
}
