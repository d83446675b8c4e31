/** Checked access to JSON objects from outside: each message caps its size first and names the member that is wrong. Pure. */

import { NoportsError } from "../base/mod.ts";

/** A parsed JSON object whose members still have to be checked. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Our choice: host names, nonces, keys and signatures all fit with room to spare. */
export const MAX_TEXT_CHARS = 2048;

/** Parses `text` as a JSON object of at most `maxChars`. @throws {NoportsError} `protocol_violation`. */
export function parseJsonObject(text: string, maxChars: number, what: string): JsonObject {
  if (text.length > maxChars) throw malformed(what, `longer than ${maxChars} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw malformed(what, "not JSON", cause);
  }
  return asObject(value, what);
}

export function asObject(value: unknown, what: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw malformed(what, "not a JSON object");
  }
  return value as JsonObject;
}

/** A text without control characters, quotes or backslashes: it goes into other JSON and into logs. */
export function textMember(object: JsonObject, name: string, what: string): string {
  const value = object[name];
  if (typeof value !== "string" || value === "" || value.length > MAX_TEXT_CHARS) {
    throw malformed(what, `"${name}" is not a text of 1–${MAX_TEXT_CHARS} characters`);
  }
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f"\\]/.test(value)) {
    throw malformed(what, `"${name}" has control characters`);
  }
  return value;
}

/** A host name or address as a peer wrote it. */
export function hostMember(object: JsonObject, name: string, what: string): string {
  return checkHost(textMember(object, name, what), name, what);
}

export function checkHost(host: string, name: string, what: string): string {
  if (host.length > 255 || /[\s,/@]/.test(host)) throw malformed(what, `"${name}" is not a host`);
  return host;
}

export function booleanMember(
  object: JsonObject,
  name: string,
  what: string,
  absent?: boolean,
): boolean {
  const value = object[name];
  if (value === undefined && absent !== undefined) return absent;
  if (typeof value !== "boolean") throw malformed(what, `"${name}" is not true or false`);
  return value;
}

/** A TCP port, 1–65535. */
export function portMember(object: JsonObject, name: string, what: string): number {
  return checkPort(object[name], name, what);
}

export function checkPort(value: unknown, name: string, what: string): number {
  if (!Number.isInteger(value) || Number(value) < 1 || Number(value) > 65535) {
    throw malformed(what, `"${name}" is not a port of 1–65535`);
  }
  return Number(value);
}

/** The error for a message that left the format. The text is ours; it never quotes the peer's value. */
export function malformed(what: string, why: string, cause?: unknown): NoportsError {
  return new NoportsError("protocol_violation", `Cannot read ${what}: ${why}`, { cause });
}
