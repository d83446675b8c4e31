/**
 * The `.atKeys` file: an atSign's keys, four of them wrapped with the fifth that stands beside them in clear. So the
 * file is a secret as a whole. atPlatform client, key file; pure: reading, modes and renaming are the caller's.
 */

import { isNoportsError, NoportsError } from "../../base/mod.ts";
import {
  decryptAesText,
  encryptAesText,
  normalizeRsaPrivateKey,
  normalizeRsaPublicKey,
} from "../../crypto/mod.ts";
import { decodeBase64 } from "../../encoding/mod.ts";
import { isJsonObject, type JsonObject, textMember } from "./_json.ts";
import type { AtSign } from "./at_sign.ts";

/** RSA keys as base64 of DER (SPKI, PKCS#8), AES keys as base64 of 32 bytes. */
export interface AtKeys {
  /** What the connection logs in with: PKAM, or APKAM when there is an enrollment. */
  readonly pkam: { readonly publicKey: string; readonly privateKey: string };
  readonly encryption: { readonly publicKey: string; readonly privateKey: string };
  readonly selfEncryptionKey: string;
  readonly apkamSymmetricKey?: string;
  /** Missing in files made before enrollments: log in without one. */
  readonly enrollmentId?: string;
}

/** Our choice: a real file has about 6 KB. */
const MAX_FILE_CHARS = 64 * 1024;
const AES_KEY_BYTES = 32;
const PASSPHRASE_HINT = "Write it without a passphrase (at_activate decrypt) and name that file.";

/**
 * Parses the text of a key file, however the Dart, C and Python programs laid it out.
 * @throws {NoportsError} `key_file_invalid`, naming the field; no message holds a key.
 */
export function parseAtKeysFile(text: string): AtKeys {
  const file = parseObject(text);
  const selfEncryptionKey = readAesKey(file, "selfEncryptionKey");
  const unwrap = (field: string, normalize: (key: string) => string): string =>
    unwrapKey(file, field, selfEncryptionKey, normalize);
  const apkamSymmetricKey = hasText(file, "apkamSymmetricKey")
    ? readAesKey(file, "apkamSymmetricKey")
    : undefined;
  const enrollmentId = hasText(file, "enrollmentId") ? readEnrollmentId(file) : undefined;
  return {
    pkam: {
      publicKey: unwrap("aesPkamPublicKey", normalizeRsaPublicKey),
      privateKey: unwrap("aesPkamPrivateKey", normalizeRsaPrivateKey),
    },
    encryption: {
      publicKey: unwrap("aesEncryptPublicKey", normalizeRsaPublicKey),
      privateKey: unwrap("aesEncryptPrivateKey", normalizeRsaPrivateKey),
    },
    selfEncryptionKey,
    ...(apkamSymmetricKey === undefined ? {} : { apkamSymmetricKey }),
    ...(enrollmentId === undefined ? {} : { enrollmentId }),
  };
}

/** The text of a key file: one line, the fields in the order of the vendor's writer. It is a secret. */
export function encodeAtKeysFile(atSign: AtSign, keys: AtKeys): string {
  const wrap = (key: string): string => encryptAesText(keys.selfEncryptionKey, null, key);
  return JSON.stringify({
    aesPkamPublicKey: wrap(keys.pkam.publicKey),
    aesEncryptPublicKey: wrap(keys.encryption.publicKey),
    aesEncryptPrivateKey: wrap(keys.encryption.privateKey),
    selfEncryptionKey: keys.selfEncryptionKey,
    // a duplicate that old apps look for
    [atSign]: keys.selfEncryptionKey,
    ...(keys.apkamSymmetricKey === undefined ? {} : { apkamSymmetricKey: keys.apkamSymmetricKey }),
    ...(keys.enrollmentId === undefined ? {} : { enrollmentId: keys.enrollmentId }),
    aesPkamPrivateKey: wrap(keys.pkam.privateKey),
  });
}

function parseObject(text: string): JsonObject {
  if (text.length > MAX_FILE_CHARS) throw invalid(`longer than ${MAX_FILE_CHARS} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // the parser's message quotes the text, which is secret
    throw invalid("not JSON");
  }
  if (!isJsonObject(value)) throw invalid("not a JSON object");
  if (Object.hasOwn(value, "content")) {
    if (!Object.hasOwn(value, "iv") || Object.hasOwn(value, "version")) {
      throw invalid("it is protected in a form that this version does not know", PASSPHRASE_HINT);
    }
    throw invalid("it is protected by a passphrase", PASSPHRASE_HINT);
  }
  return value;
}

function hasText(file: JsonObject, field: string): boolean {
  if (!Object.hasOwn(file, field)) return false;
  const value = file[field];
  return value !== null && value !== "" && value !== "null";
}

function readAesKey(file: JsonObject, field: string): string {
  const text = requireText(file, field);
  try {
    if (decodeBase64(text).length === AES_KEY_BYTES) return text;
  } catch (error) {
    if (!isNoportsError(error)) throw error;
  }
  throw invalid(`field "${field}" is not base64 of ${AES_KEY_BYTES} bytes`);
}

function readEnrollmentId(file: JsonObject): string {
  const text = requireText(file, "enrollmentId");
  if (/^[\w-]{1,255}$/.test(text)) return text;
  throw invalid('field "enrollmentId" is not an enrollment id');
}

function unwrapKey(
  file: JsonObject,
  field: string,
  selfEncryptionKey: string,
  normalize: (key: string) => string,
): string {
  const wrapped = requireText(file, field);
  let key: string;
  try {
    key = decryptAesText(selfEncryptionKey, null, wrapped).trim();
  } catch (error) {
    if (!isNoportsError(error)) throw error;
    throw invalid(`field "${field}" does not decrypt with field "selfEncryptionKey"`);
  }
  try {
    return normalize(key);
  } catch (error) {
    if (!isNoportsError(error)) throw error;
    throw invalid(`field "${field}" does not hold an RSA key`);
  }
}

function requireText(file: JsonObject, field: string): string {
  const text = textMember(file, field);
  if (text !== undefined && text !== "") return text;
  throw invalid(`field "${field}" is missing or not text`);
}

function invalid(state: string, hint?: string): NoportsError {
  return new NoportsError(
    "key_file_invalid",
    `Cannot read key file: ${state}`,
    hint === undefined ? {} : { hint },
  );
}
