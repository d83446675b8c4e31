/**
 * ECDSA over P-256 as the atPlatform uses it for logins: keys as points in hex, signatures as base64 of the hex text of
 * r and s. No shipped client signs so, servers understand it. Pure.
 */

import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { Buffer } from "node:buffer";
import { decodeBase64, decodeUtf8, encodeUtf8 } from "../encoding/mod.ts";

/** What stands before the point in a SubjectPublicKeyInfo: the curve and the length. */
const SPKI_UNCOMPRESSED = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
const SPKI_COMPRESSED = "3039301306072a8648ce3d020106082a8648ce3d030107032200";

/**
 * True when `signature` is `publicKey`'s over the UTF-8 bytes of `text`, with SHA-256. The key is the point in hex,
 * compressed or not. A bad key or signature is false, never a throw.
 */
export function verifyEccP256(publicKey: string, text: string, signature: string): boolean {
  try {
    const hex = decodeUtf8(decodeBase64(signature));
    if (!/^[0-9a-f]{128}$/i.test(hex)) return false;
    const key = { key: parsePoint(publicKey), dsaEncoding: "ieee-p1363" } as const;
    return verify("sha256", encodeUtf8(text), key, Buffer.from(hex, "hex"));
  } catch {
    return false;
  }
}

function parsePoint(hex: string): KeyObject {
  const front = /^04[0-9a-f]{128}$/i.test(hex)
    ? SPKI_UNCOMPRESSED
    : /^0[23][0-9a-f]{64}$/i.test(hex)
    ? SPKI_COMPRESSED
    : null;
  if (front === null) throw new RangeError("not a point");
  return createPublicKey({ key: Buffer.from(front + hex, "hex"), format: "der", type: "spki" });
}
