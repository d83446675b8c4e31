/**
 * Metadata of values and notifications: as options of a command, and as JSON beside a stored value.
 * atServer: ttl, ttb in ms, ttr in seconds (-1: for ever). atProtocol specification, Metadata; pure.
 */

import { NoportsError } from "../../base/mod.ts";
import {
  booleanMember,
  integerMember,
  type JsonObject,
  parseJsonObject,
  textMember,
} from "./_json.ts";
import { encodeTimestamp, parseTimestamp } from "./timestamp.ts";

export interface Metadata {
  readonly ttl?: number;
  readonly ttb?: number;
  readonly ttr?: number;
  readonly ccd?: boolean;
  readonly dataSignature?: string;
  readonly sharedKeyStatus?: string;
  readonly isBinary?: boolean;
  readonly isEncrypted?: boolean;
  readonly sharedKeyEnc?: string;
  readonly pubKeyCS?: string;
  readonly encoding?: string;
  readonly encKeyName?: string;
  readonly encAlgo?: string;
  readonly ivNonce?: string;
  readonly skeEncKeyName?: string;
  readonly skeEncAlgo?: string;
}

/** What an atServer keeps beside a value. Times are ms since 1970 UTC here, text on the wire. */
export interface StoredMetadata extends Metadata {
  readonly createdBy?: string;
  readonly updatedBy?: string;
  readonly createdAt?: number;
  readonly updatedAt?: number;
  readonly availableAt?: number;
  readonly expiresAt?: number;
  readonly refreshAt?: number;
  readonly status?: string;
  readonly version?: number;
}

/** What `lookup:all:` and its like answer. */
export interface AllResult {
  /** Starts with `cached:` when it came from the asking server's cache. */
  readonly key: string;
  readonly data: string | null;
  readonly metadata: StoredMetadata;
}

type FieldKind = "integer" | "boolean" | "text" | "time";

/** The specification's order on the command line. */
export const METADATA_FIELDS: Readonly<Record<keyof Metadata, FieldKind>> = {
  ttl: "integer",
  ttb: "integer",
  ttr: "integer",
  ccd: "boolean",
  dataSignature: "text",
  sharedKeyStatus: "text",
  isBinary: "boolean",
  isEncrypted: "boolean",
  sharedKeyEnc: "text",
  pubKeyCS: "text",
  encoding: "text",
  encKeyName: "text",
  encAlgo: "text",
  ivNonce: "text",
  skeEncKeyName: "text",
  skeEncAlgo: "text",
};

/** The specification's order in JSON; `sharedKeyStatus` is parsed but never stored. */
const STORED_FIELDS: Readonly<
  Record<Exclude<keyof StoredMetadata, "sharedKeyStatus">, FieldKind>
> = {
  createdBy: "text",
  updatedBy: "text",
  createdAt: "time",
  updatedAt: "time",
  availableAt: "time",
  expiresAt: "time",
  refreshAt: "time",
  status: "text",
  version: "integer",
  ttl: "integer",
  ttb: "integer",
  ttr: "integer",
  ccd: "boolean",
  isBinary: "boolean",
  isEncrypted: "boolean",
  dataSignature: "text",
  sharedKeyEnc: "text",
  pubKeyCS: "text",
  encoding: "text",
  encKeyName: "text",
  encAlgo: "text",
  ivNonce: "text",
  skeEncKeyName: "text",
  skeEncAlgo: "text",
};

/** `:ttl:60000:isEncrypted:true…` in the specified order, empty for none. @throws {NoportsError} `usage` for a value that would break the line. */
export function encodeMetadata(metadata: Metadata): string {
  let out = "";
  for (const name of Object.keys(METADATA_FIELDS) as (keyof Metadata)[]) {
    const value = metadata[name];
    if (value === undefined) continue;
    const text = String(value);
    if (METADATA_FIELDS[name] === "integer" ? !Number.isSafeInteger(value) : !isToken(text)) {
      throw new NoportsError("usage", `Cannot encode metadata: bad value of ${name}`);
    }
    out += `:${name}:${text}`;
  }
  return out;
}

/** The members of `metadata` as a compact JSON object, absent ones omitted. */
export function encodeMetadataJson(metadata: Metadata): string {
  return JSON.stringify(pickFields(metadata, METADATA_FIELDS));
}

/** The result of a `meta` lookup: compact, in the specified order, absent members omitted. */
export function encodeStoredMetadataJson(metadata: StoredMetadata): string {
  return JSON.stringify(pickFields(metadata, STORED_FIELDS));
}

/** Reads either form; null, the text "null" and what is not understood count as absent. @throws {NoportsError} `protocol_violation` unless it is a JSON object. */
export function parseMetadataJson(json: string): StoredMetadata {
  return readStoredMetadata(parseJsonObject(json, "metadata"));
}

/** The result of an `all` lookup. */
export function encodeAllResult(result: AllResult): string {
  const metaData = pickFields(result.metadata, STORED_FIELDS);
  return JSON.stringify({ key: result.key, data: result.data, metaData });
}

/** @throws {NoportsError} `protocol_violation`. */
export function parseAllResult(json: string): AllResult {
  const object = parseJsonObject(json, "lookup result");
  const metaData = object["metaData"];
  const data = object["data"];
  return {
    key: textMember(object, "key") ?? "",
    data: typeof data === "string" ? data : null,
    metadata: readStoredMetadata(
      typeof metaData === "object" && metaData !== null ? metaData as JsonObject : {},
    ),
  };
}

/** True for a non-empty text that can stand as one field of a command: no `:`, `@`, white space or control character. */
export function isToken(text: string): boolean {
  return /^[^:@\s\p{Cc}]+$/u.test(text);
}

function pickFields<T extends object>(
  from: T,
  fields: Readonly<Partial<Record<keyof T, FieldKind>>>,
): JsonObject {
  const out: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(fields)) {
    const value = from[name as keyof T];
    if (value === undefined) continue;
    out[name] = kind === "time" ? encodeTimestamp(Number(value)) : value;
  }
  return out;
}

function readStoredMetadata(object: JsonObject): StoredMetadata {
  const out: Record<string, unknown> = {};
  const fields: Readonly<Record<string, FieldKind>> = { ...METADATA_FIELDS, ...STORED_FIELDS };
  for (const [name, kind] of Object.entries(fields)) {
    const value = readField(object, name, kind);
    if (value !== undefined) out[name] = value;
  }
  return out;
}

function readField(object: JsonObject, name: string, kind: FieldKind): unknown {
  switch (kind) {
    case "integer":
      return integerMember(object, name);
    case "boolean":
      return booleanMember(object, name);
    case "text":
      return textMember(object, name);
    case "time": {
      const text = textMember(object, name);
      return text === undefined ? undefined : parseTimestamp(text) ?? undefined;
    }
    default:
      return kind satisfies never;
  }
}
