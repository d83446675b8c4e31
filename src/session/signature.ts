/**
 * Signing and verifying as functions, so that the message codecs never hold a key: RSA-2048 with SHA-256, made with the atSign's
 * encryption key (not its PKAM key). Upstream accepts nothing else in newer versions, and neither do we. Pure.
 */

import { rsaModulusBits, signRsaSha256, verifyRsa } from "../crypto/mod.ts";

/** The only pair of algorithm names that is accepted and sent. */
export const HASHING_ALGO = "sha256";
export const SIGNING_ALGO = "rsa2048";
/** The specification's modulus for `rsa2048`. */
export const RSA_MODULUS_BITS = 2048;

/** Gives the base64 signature of `text`. */
export type Sign = (text: string) => string;
/** True when `signature` (base64) is good for `text`. Never throws. */
export type Verify = (text: string, signature: string) => boolean;

/** Signs with a base64 PKCS#8 encryption private key. */
export function signWith(privateKey: string): Sign {
  return (text) => signRsaSha256(privateKey, text);
}

/** Verifies with a base64 SPKI encryption public key; false for any key that is not RSA-2048. */
export function verifyWith(publicKey: string): Verify {
  return (text, signature) =>
    rsaModulusBits(publicKey) === RSA_MODULUS_BITS && verifyRsa(publicKey, text, signature);
}
