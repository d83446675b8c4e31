/**
 * The AES keys of a session and of each of its connections: a 32-byte key and a 16-byte counter block per direction. The baseline
 * uses one pair for both directions; newer daemons offer twin keys, one pair each (PROTOCOL.md, Session keys). What RSA
 * encrypts is the base64 text of a key, not its bytes. Pure: randomness comes in.
 */

import { type Entropy, NoportsError } from "../base/mod.ts";
import { decryptBase64Rsa, encryptRsaPkcs1, rsaModulusBits } from "../crypto/mod.ts";
import { decodeBase64, encodeBase64 } from "../encoding/mod.ts";
import { RSA_MODULUS_BITS } from "./signature.ts";

/** AES-256. */
export const STREAM_KEY_BYTES = 32;
/** The complete initial counter block. */
export const STREAM_IV_BYTES = 16;

/** Key and counter block of one direction. Never logged. */
export interface StreamKey {
  readonly key: Uint8Array;
  readonly iv: Uint8Array;
}

/** Both directions; the two are the same object in the baseline form. */
export interface DirectionKeys {
  readonly toDaemon: StreamKey;
  readonly toClient: StreamKey;
}

/** Session keys as the response carries them: each base64 text encrypted to the client's ephemeral key. */
export type WrappedKeys =
  | { readonly sessionAESKey: string; readonly sessionIV: string }
  | {
    readonly aesKeyC2D: string;
    readonly ivC2D: string;
    readonly aesKeyD2C: string;
    readonly ivD2C: string;
  };

/** Fresh keys: one pair for both directions, or with `twin` one pair each. */
export function createSessionKeys(entropy: Entropy, options?: { twin?: boolean }): DirectionKeys {
  const toDaemon = createStreamKey(entropy);
  return { toDaemon, toClient: options?.twin === true ? createStreamKey(entropy) : toDaemon };
}

/** True when each direction has a key of its own. */
export function isTwin(keys: DirectionKeys): boolean {
  return keys.toDaemon !== keys.toClient;
}

/**
 * Encrypts session keys to the client's ephemeral key (base64 SPKI). @throws {NoportsError} `protocol_violation` unless its
 * modulus has 2048 bits: a larger one overflowed the early C daemon's buffers, a smaller one protects nothing.
 */
export function wrapSessionKeys(keys: DirectionKeys, clientEphemeralPK: string): WrappedKeys {
  const bits = rsaModulusBits(clientEphemeralPK);
  if (bits !== RSA_MODULUS_BITS) {
    const found = bits === null ? "not an RSA key" : `${bits} bits`;
    throw new NoportsError("protocol_violation", `Cannot use client's ephemeral key: ${found}`);
  }
  const wrap = (bytes: Uint8Array) => encryptRsaPkcs1(clientEphemeralPK, encodeBase64(bytes));
  const { toDaemon, toClient } = keys;
  if (!isTwin(keys)) return { sessionAESKey: wrap(toDaemon.key), sessionIV: wrap(toDaemon.iv) };
  return {
    aesKeyC2D: wrap(toDaemon.key),
    ivC2D: wrap(toDaemon.iv),
    aesKeyD2C: wrap(toClient.key),
    ivD2C: wrap(toClient.iv),
  };
}

/** Decrypts session keys with the client's ephemeral private key (base64 PKCS#8). @throws {NoportsError} `protocol_violation`. */
export function unwrapSessionKeys(wrapped: WrappedKeys, privateKey: string): DirectionKeys {
  const unwrap = (text: string, bytes: number) =>
    decodeBase64(decryptBase64Rsa(privateKey, text, bytes));
  const pair = (key: string, iv: string): StreamKey => ({
    key: unwrap(key, STREAM_KEY_BYTES),
    iv: unwrap(iv, STREAM_IV_BYTES),
  });
  if ("sessionAESKey" in wrapped) {
    const both = pair(wrapped.sessionAESKey, wrapped.sessionIV);
    return { toDaemon: both, toClient: both };
  }
  return {
    toDaemon: pair(wrapped.aesKeyC2D, wrapped.ivC2D),
    toClient: pair(wrapped.aesKeyD2C, wrapped.ivD2C),
  };
}

function createStreamKey(entropy: Entropy): StreamKey {
  return { key: entropy.bytes(STREAM_KEY_BYTES), iv: entropy.bytes(STREAM_IV_BYTES) };
}
