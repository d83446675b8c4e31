/** Reading JSON from outside: peers write nulls, the text "null", and booleans as text. Private to this folder. */

import { NoportsError } from "../../base/mod.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** The JSON object in `text`. @throws {NoportsError} `protocol_violation` otherwise; `what` is named in the message. */
export function parseJsonObject(text: string, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new NoportsError("protocol_violation", `Cannot parse ${what}: not JSON`, { cause });
  }
  if (!isJsonObject(value)) {
    throw new NoportsError("protocol_violation", `Cannot parse ${what}: not a JSON object`);
  }
  return value;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A text member; undefined when it is absent, null, the text "null" or something else. */
export function textMember(object: JsonObject, name: string): string | undefined {
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  return typeof value === "string" && value !== "null" ? value : undefined;
}

/** A whole number, also as text. */
export function integerMember(object: JsonObject, name: string): number | undefined {
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  const number = typeof value === "string" && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) ? number : undefined;
}

/** A boolean, also as text in any case. */
export function booleanMember(object: JsonObject, name: string): boolean | undefined {
  const value = Object.hasOwn(object, name) ? object[name] : undefined;
  if (typeof value === "boolean") return value;
  if (typeof value !== "string") return undefined;
  const word = value.toLowerCase();
  return word === "true" ? true : word === "false" ? false : undefined;
}
