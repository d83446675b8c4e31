/** Digests of the atProtocol: the CRAM answer, the checksum of a public key, the form in which passcodes are kept. Pure. */

import { createHash } from "node:crypto";

/** The answer to a CRAM challenge (the whole text after `data:`): 128 lower-case hex digits. */
export function cramDigest(secret: string, challenge: string): string {
  return createHash("sha512").update(secret + challenge, "utf8").digest("hex");
}

/** `pubKeyCS`: MD5 of the base64 text, in lower-case hex. It tells keys apart; it proves nothing. */
export function publicKeyChecksum(publicKey: string): string {
  return createHash("md5").update(publicKey, "utf8").digest("hex");
}

/** SHA-256 of the UTF-8 bytes, in lower-case hex. */
export function sha256Hex(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}
