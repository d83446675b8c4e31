/** The JSON parameters of `enroll`. atProtocol specification, APKAM. */

import * as v from "valibot";
import { AtError } from "../../atprotocol/wire/mod.ts";
import { invalidRequest } from "../at_failures.ts";

/** Our choice: an enrollment asks for a handful. */
const MAX_NAMESPACES = 100;
/** Our choice: the names stand in a stored key of at most 248 characters. */
const MAX_NAME_CHARS = 75;
/** Our choice: base64 of an RSA-8192 key is shorter; what strangers leave in the store is bounded. */
const MAX_KEY_CHARS = 8_192;

const NAMESPACE = v.pipe(
  v.string(),
  v.maxLength(100),
  v.regex(/^(?:\*|[\w.-]+)$/),
  v.toLowerCase(),
);
const KEY_TEXT = v.nullish(v.pipe(v.string(), v.maxLength(MAX_KEY_CHARS)));
const PARAMS = v.object({
  enrollmentId: v.nullish(v.string()),
  appName: v.nullish(v.string()),
  deviceName: v.nullish(v.string()),
  otp: v.nullish(v.string()),
  namespaces: v.nullish(v.record(NAMESPACE, v.picklist(["r", "rw"]))),
  apkamPublicKey: KEY_TEXT,
  encryptedAPKAMSymmetricKey: KEY_TEXT,
  encryptedDefaultEncryptionPrivateKey: KEY_TEXT,
  encryptedDefaultSelfEncryptionKey: KEY_TEXT,
  encPrivateKeyIV: KEY_TEXT,
  selfEncKeyIV: KEY_TEXT,
  apkamKeysExpiryInMillis: v.nullish(v.pipe(v.number(), v.safeInteger(), v.minValue(0))),
  enrollmentStatusFilter: v.nullish(v.pipe(v.array(v.string()), v.maxLength(20))),
});

export type EnrollParams = v.InferOutput<typeof PARAMS>;

/** @throws {AtError} AT0022 when there are none, AT0011 (closing) for what is no JSON or of the wrong kind. */
export function parseEnrollParams(json: string | undefined): EnrollParams {
  if (json === undefined) throw new AtError("AT0022", "Enroll parameters not provided");
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw invalidRequest("enroll parameters are not JSON");
  }
  const result = v.safeParse(PARAMS, value);
  if (!result.success) throw invalidRequest("enroll parameters are of the wrong kind");
  if (Object.keys(result.output.namespaces ?? {}).length > MAX_NAMESPACES) {
    throw new AtError("AT0022", "too many namespaces");
  }
  return result.output;
}

/** A member that must be there. @throws {AtError} AT0011 `<name> is mandatory for enroll:<operation>`. */
export function required(
  value: string | null | undefined,
  name: string,
  operation: string,
): string {
  if (value !== null && value !== undefined && value !== "") return value;
  throw new AtError("AT0011", `${name} is mandatory for ${operation}`);
}

/** The name of an app or a device. @throws {AtError} AT0011 when it is missing, AT0022 when no stored key could hold it. */
export function requiredName(value: string | null | undefined, name: string): string {
  const text = required(value, name, "enroll:request");
  // deno-lint-ignore no-control-regex -- these are what must not be there
  if (/[:@\u0000-\u001f\u007f]/.test(text) || [...text].length > MAX_NAME_CHARS) {
    throw new AtError(
      "AT0022",
      `${name} is longer than ${MAX_NAME_CHARS} characters or has a forbidden one`,
    );
  }
  return text;
}
