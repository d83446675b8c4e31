/**
 * Text under AES-256 as the atPlatform does it: counter mode, and PKCS#7 padding although counter mode needs none.
 * The IV travels beside the ciphertext; without one it is 16 zero bytes. Trying again with the zero IV after bad padding
 * (a peer's known fault) is left to the caller. Pure.
 */

import { createCipheriv } from "node:crypto";
import { NoportsError } from "../base/mod.ts";
import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8 } from "../encoding/mod.ts";

const KEY_BYTES = 32;
const BLOCK_BYTES = 16;

/** Encrypts `text`; base64. `iv` is base64 of 16 bytes, null for zeros. @throws {NoportsError} `protocol_violation` for a bad key or IV. */
export function encryptAesText(key: string, iv: string | null, text: string): string {
  const plain = encodeUtf8(text);
  const padding = BLOCK_BYTES - plain.length % BLOCK_BYTES;
  const padded = new Uint8Array(plain.length + padding).fill(padding);
  padded.set(plain);
  return encodeBase64(applyKeystream(key, iv, padded));
}

/**
 * Decrypts what `encryptAesText` made.
 * @throws {NoportsError} `protocol_violation` for a bad key, IV, length, padding or text: nearly always the wrong key or IV.
 */
export function decryptAesText(key: string, iv: string | null, ciphertext: string): string {
  const padded = applyKeystream(key, iv, decodeBase64(ciphertext));
  const padding = padded.at(-1) ?? 0;
  const isPadded = padded.length % BLOCK_BYTES === 0 && padding >= 1 && padding <= BLOCK_BYTES &&
    padded.subarray(padded.length - padding).every((byte) => byte === padding);
  if (!isPadded) {
    throw new NoportsError("protocol_violation", "Cannot decrypt text: wrong key, IV or padding");
  }
  return decodeUtf8(padded.subarray(0, padded.length - padding));
}

function applyKeystream(key: string, iv: string | null, bytes: Uint8Array): Uint8Array {
  const keyBytes = decodeBase64(key);
  const ivBytes = iv === null ? new Uint8Array(BLOCK_BYTES) : decodeBase64(iv);
  if (keyBytes.length !== KEY_BYTES) {
    throw new NoportsError("protocol_violation", `Cannot use AES key: ${keyBytes.length} bytes`);
  }
  if (ivBytes.length !== BLOCK_BYTES) {
    throw new NoportsError("protocol_violation", `Cannot use AES IV: ${ivBytes.length} bytes`);
  }
  const cipher = createCipheriv("aes-256-ctr", keyBytes, ivBytes);
  const out = cipher.update(bytes);
  cipher.final();
  return out;
}
