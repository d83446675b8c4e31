/**
 * Notification lines of a monitor connection. atProtocol specification, Notifications; our reading of its gaps: PROTOCOL.md.
 * Pure: decryption and de-duplication are the receiver's.
 */

import { NoportsError } from "../../base/mod.ts";
import {
  booleanMember,
  integerMember,
  isJsonObject,
  type JsonObject,
  parseJsonObject,
  textMember,
} from "./_json.ts";
import type { Metadata } from "./metadata.ts";
import { encodeTimestamp, parseTimestamp } from "./timestamp.ts";

/** What travels with a notification: what a receiver needs to decrypt it. Times are ms since 1970 UTC here. */
export interface NotificationMetadata extends
  Pick<
    Metadata,
    | "encKeyName"
    | "encAlgo"
    | "ivNonce"
    | "skeEncKeyName"
    | "skeEncAlgo"
    | "sharedKeyEnc"
    | "pubKeyCS"
  > {
  readonly availableAt?: number;
  readonly expiresAt?: number;
}

export interface Notification {
  /** `-1` for the server's statistics, which double as a sign of life. */
  readonly id: string;
  /** The proven sender, with `@`; the key's text proves nothing. */
  readonly from: string;
  readonly to: string;
  /** The full key, case kept: `@bob:ping.web01.sshnp@alice`. */
  readonly key: string;
  readonly value: string | null;
  readonly operation: "update" | "delete" | null;
  /** When the receiver's server stored it. */
  readonly epochMillis: number;
  readonly messageType: "key" | "text";
  readonly isEncrypted: boolean;
  readonly metadata: NotificationMetadata;
}

/** The id of statistics notifications. */
export const STATS_NOTIFICATION_ID = "-1";

const METADATA_TEXTS = [
  "encKeyName",
  "encAlgo",
  "ivNonce",
  "skeEncKeyName",
  "skeEncAlgo",
  "sharedKeyEnc",
  "pubKeyCS",
] as const;
const METADATA_TIMES = ["availableAt", "expiresAt"] as const;

/** Parses the JSON after `notification:`. @throws {NoportsError} `protocol_violation`: drop the line, keep the connection. */
export function parseNotification(json: string): Notification {
  const object = parseJsonObject(json, "notification");
  const key = requireText(object, "key");
  const operation = textMember(object, "operation")?.toLowerCase();
  const epochMillis = integerMember(object, "epochMillis");
  if (epochMillis === undefined) {
    throw new NoportsError("protocol_violation", "Cannot parse notification: no epochMillis");
  }
  const metadata = object["metadata"];
  return {
    id: requireText(object, "id"),
    from: requireText(object, "from"),
    to: requireText(object, "to"),
    key,
    value: textMember(object, "value") ?? null,
    operation: operation === "update" || operation === "delete" ? operation : null,
    epochMillis,
    messageType: /text/i.test(textMember(object, "messageType") ?? "") ? "text" : "key",
    // very old servers leave it out
    isEncrypted: booleanMember(object, "isEncrypted") ??
      (key.includes(":") && !key.includes("public:")),
    metadata: isJsonObject(metadata) ? readMetadata(metadata) : {},
  };
}

/** The whole line with its LF. */
export function encodeNotificationLine(notification: Notification): string {
  return `notification: ${encodeNotificationJson(notification)}\n`;
}

/** Absent metadata is omitted, never null: the C client would read "null" as an IV. */
export function encodeNotificationJson(notification: Notification): string {
  const { id, from, to, key, value, operation, epochMillis, isEncrypted } = notification;
  return JSON.stringify({
    id,
    from,
    to,
    key,
    value,
    operation,
    epochMillis,
    messageType: `MessageType.${notification.messageType}`,
    isEncrypted,
    metadata: id === STATS_NOTIFICATION_ID ? null : writeMetadata(notification.metadata),
  });
}

function requireText(object: JsonObject, name: string): string {
  const value = textMember(object, name);
  if (value !== undefined) return value;
  throw new NoportsError("protocol_violation", `Cannot parse notification: no ${name}`);
}

function readMetadata(object: JsonObject): NotificationMetadata {
  const out: Record<string, unknown> = {};
  for (const name of METADATA_TEXTS) {
    const value = textMember(object, name);
    if (value !== undefined && value !== "") out[name] = value;
  }
  for (const name of METADATA_TIMES) {
    const value = parseTimestamp(textMember(object, name) ?? "");
    if (value !== null) out[name] = value;
  }
  return out;
}

function writeMetadata(metadata: NotificationMetadata): JsonObject {
  const out: Record<string, string> = {};
  for (const name of METADATA_TEXTS) {
    const value = metadata[name];
    if (value !== undefined) out[name] = value;
  }
  for (const name of METADATA_TIMES) {
    const value = metadata[name];
    if (value !== undefined) out[name] = encodeTimestamp(value);
  }
  return out;
}
