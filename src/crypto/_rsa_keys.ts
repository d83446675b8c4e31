/**
 * RSA keys as the atPlatform moves them (base64 of DER) to key objects, with a small cache: parsing a private key
 * costs more than a signature check.
 */

import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { Buffer } from "node:buffer";
import { decodeBase64 } from "../encoding/mod.ts";
import { BoundedMap, NoportsError } from "../base/mod.ts";

/** Our choice: the keys of a busy server's recent logins, about 2 KB each. */
const MAX_CACHED_KEYS = 64;
/** Our choice: base64 of a PKCS#8 RSA-8192 key is about 6,300 characters; strangers send keys. */
const MAX_KEY_CHARS = 8_192;
/** Our choice: bounds the work that a stranger's key can cause. The atPlatform uses 2048. */
const MAX_MODULUS_BITS = 8_192;

export interface ParsedKey {
  readonly object: KeyObject;
  readonly modulusBits: number;
  /** False when the DER was the bare PKCS#1 form. */
  readonly isStandardForm: boolean;
}

type Kind = "public" | "private";

const caches: Readonly<Record<Kind, BoundedMap<string, ParsedKey>>> = {
  public: new BoundedMap(MAX_CACHED_KEYS),
  private: new BoundedMap(MAX_CACHED_KEYS),
};

/** The key in `text`: SPKI or PKCS#8, or PKCS#1. @throws {NoportsError} `protocol_violation`. */
export function rsaKey(kind: Kind, text: string): ParsedKey {
  const key = caches[kind].get(text) ?? parseKey(kind, text);
  // also when it was known: the map forgets what was set longest ago
  caches[kind].set(text, key);
  return key;
}

function parseKey(kind: Kind, text: string): ParsedKey {
  if (text.length > MAX_KEY_CHARS) throw invalid(kind, `longer than ${MAX_KEY_CHARS} characters`);
  const der = Buffer.from(decodeBase64(text));
  const standard = tryParse(kind, der, kind === "public" ? "spki" : "pkcs8");
  const object = standard ?? tryParse(kind, der, "pkcs1");
  if (object === null || object.asymmetricKeyType !== "rsa") throw invalid(kind, "not an RSA key");
  const modulusBits = object.asymmetricKeyDetails?.modulusLength ?? 0;
  if (modulusBits > MAX_MODULUS_BITS) throw invalid(kind, `more than ${MAX_MODULUS_BITS} bits`);
  return { object, modulusBits, isStandardForm: standard !== null };
}

function tryParse(kind: Kind, key: Buffer, type: "spki" | "pkcs8" | "pkcs1"): KeyObject | null {
  try {
    return kind === "public"
      ? createPublicKey({ key, format: "der", type: type === "spki" ? "spki" : "pkcs1" })
      : createPrivateKey({ key, format: "der", type: type === "pkcs8" ? "pkcs8" : "pkcs1" });
  } catch {
    return null;
  }
}

function invalid(kind: Kind, state: string): NoportsError {
  return new NoportsError("protocol_violation", `Cannot use ${kind} key: ${state}`);
}
