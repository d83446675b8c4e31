/**
 * RSA as the atPlatform uses it: RSASSA-PKCS1-v1_5 signatures over text, RSAES-PKCS1-v1_5 for short secrets that are
 * themselves base64 text. Keys are base64 of DER (SPKI and PKCS#8; PKCS#1 is accepted). Pure.
 */

import {
  constants,
  createPublicKey,
  privateDecrypt,
  publicEncrypt,
  sign,
  verify,
} from "node:crypto";
import { Buffer } from "node:buffer";
import { NoportsError } from "../base/mod.ts";
import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8 } from "../encoding/mod.ts";
import { rsaKey } from "./_rsa_keys.ts";

/** AES-256 keys are this long. */
const AES_KEY_BYTES = 32;

export type RsaHash = "sha256" | "sha512";

/** Signs the UTF-8 bytes of `text`; base64. @throws {NoportsError} `protocol_violation` for a bad key. */
export function signRsaSha256(privateKey: string, text: string): string {
  return signRsa(privateKey, text, "sha256");
}

/** As `signRsaSha256`, with a choice of hash. */
export function signRsa(privateKey: string, text: string, hash: RsaHash): string {
  const { object } = rsaKey("private", privateKey);
  return encodeBase64(sign(hash, encodeUtf8(text), object));
}

/** True when `signature` (base64) is `publicKey`'s over `text`. A bad key or signature is false, never a throw. */
export function verifyRsa(
  publicKey: string,
  text: string,
  signature: string,
  hash: RsaHash = "sha256",
): boolean {
  try {
    const { object } = rsaKey("public", publicKey);
    return verify(hash, encodeUtf8(text), object, decodeBase64(signature));
  } catch {
    return false;
  }
}

/** The size of an RSA public key, or null when it is none. */
export function rsaModulusBits(publicKey: string): number | null {
  try {
    return rsaKey("public", publicKey).modulusBits;
  } catch {
    return null;
  }
}

/** The same public key in SPKI form: unchanged unless it was PKCS#1. @throws {NoportsError} `protocol_violation`. */
export function normalizeRsaPublicKey(publicKey: string): string {
  const { object, isStandardForm } = rsaKey("public", publicKey);
  if (isStandardForm) return publicKey;
  return encodeBase64(object.export({ format: "der", type: "spki" }));
}

/** The same private key in PKCS#8 form: unchanged unless it was PKCS#1. @throws {NoportsError} `protocol_violation`. */
export function normalizeRsaPrivateKey(privateKey: string): string {
  const { object, isStandardForm } = rsaKey("private", privateKey);
  if (isStandardForm) return privateKey;
  return encodeBase64(object.export({ format: "der", type: "pkcs8" }));
}

/** True when the two are one pair. A bad key is false, never a throw. */
export function isRsaPair(publicKey: string, privateKey: string): boolean {
  try {
    const own = createPublicKey(rsaKey("private", privateKey).object);
    const given = rsaKey("public", publicKey).object;
    const der = { format: "der", type: "spki" } as const;
    return own.export(der).equals(given.export(der));
  } catch {
    return false;
  }
}

/** Encrypts the UTF-8 bytes of `text` (at most 245 for a 2048-bit key); base64. @throws {NoportsError} `protocol_violation`. */
export function encryptRsaPkcs1(publicKey: string, text: string): string {
  const { object } = rsaKey("public", publicKey);
  try {
    const padding = constants.RSA_PKCS1_PADDING;
    return encodeBase64(publicEncrypt({ key: object, padding }, Buffer.from(text, "utf8")));
  } catch (cause) {
    throw new NoportsError("protocol_violation", "Cannot encrypt with RSA: key or length", {
      cause,
    });
  }
}

/**
 * Decrypts to text. The runtime may answer a bad padding with random bytes instead of an error, so check the result:
 * `decryptBase64Rsa` does. @throws {NoportsError} `protocol_violation`.
 */
export function decryptRsaPkcs1(privateKey: string, ciphertext: string): string {
  const { object } = rsaKey("private", privateKey);
  const bytes = Buffer.from(decodeBase64(ciphertext));
  let plain: Uint8Array;
  try {
    plain = privateDecrypt({ key: object, padding: constants.RSA_PKCS1_PADDING }, bytes);
  } catch (cause) {
    throw new NoportsError("protocol_violation", "Cannot decrypt with RSA: not for this key", {
      cause,
    });
  }
  return decodeUtf8(plain);
}

/**
 * Decrypts what must be the base64 text of exactly `expectedBytes` bytes (32: an AES key, 16: an IV), and gives that text.
 * @throws {NoportsError} `protocol_violation`, with one message for every cause.
 */
export function decryptBase64Rsa(
  privateKey: string,
  ciphertext: string,
  expectedBytes: number,
): string {
  try {
    const text = decryptRsaPkcs1(privateKey, ciphertext).trim();
    if (decodeBase64(text).length === expectedBytes) return text;
  } catch (error) {
    if (!(error instanceof NoportsError)) throw error;
  }
  throw new NoportsError(
    "protocol_violation",
    `Cannot decrypt with RSA: not ${expectedBytes} bytes encrypted for this key`,
  );
}

/** Decrypts an AES-256 key; base64 of 32 bytes. @throws {NoportsError} `protocol_violation`. */
export function decryptAesKeyRsa(privateKey: string, ciphertext: string): string {
  return decryptBase64Rsa(privateKey, ciphertext, AES_KEY_BYTES);
}
