/** Keys of the atServer's store, e.g. `@bob:phone.wavi@alice`. atProtocol specification, Keys; pure. */

import { NoportsError } from "../../base/mod.ts";
import { AtError } from "./at_error.ts";
import { isToken } from "./metadata.ts";
import type { KeyRef } from "./verb.ts";

/** The specification's caps, in characters. */
export const MAX_KEY_CHARS = 248;
export const MAX_CACHED_KEY_CHARS = 255;

/** A key in its parts. */
export interface AtKey {
  readonly kind: "public" | "private" | "self" | "shared" | "local" | "reserved";
  /** A copy of another atSign's key. */
  readonly cached: boolean;
  /** The atSign in front, with `@`; with kind `self` it equals the owner (`@alice:x@alice` is not the key `x@alice`). */
  readonly sharedWith?: string;
  /** Name and namespace; a reserved key's whole text, e.g. `privatekey:at_secret`. */
  readonly entity: string;
  /** What stands after the entity's last dot. */
  readonly namespace?: string;
  /** The atSign behind, with `@`; missing in reserved keys. */
  readonly owner?: string;
}

const CACHED = "cached:";
const PRIVATE_KEY = "privatekey:";

/** The key as it is stored and found: lower case, without spaces. @throws {AtError} AT0016 when it is too long. */
export function normalizeKey(text: string): string {
  const max = text.trimStart().toLowerCase().startsWith(CACHED)
    ? MAX_CACHED_KEY_CHARS
    : MAX_KEY_CHARS;
  // an over-long text is not worth the work
  const key = text.length > 4 * max ? text : text.replace(/\s+/g, "").toLowerCase();
  if ([...key].length <= max) return key;
  throw new AtError("AT0016", `key length ${key.length} is greater than max allowed ${max} chars`);
}

/** Takes a key apart, after normalising it. @throws {AtError} AT0016. */
export function parseAtKey(text: string): AtKey {
  const key = normalizeKey(text);
  if (
    key === "configkey" || (key.startsWith(PRIVATE_KEY) && isToken(key.slice(PRIVATE_KEY.length)))
  ) {
    return { kind: "reserved", cached: false, entity: key };
  }
  const cached = key.startsWith(CACHED);
  const { rest, kind, sharedWith } = takeFront(cached ? key.slice(CACHED.length) : key);
  const at = rest.indexOf("@");
  const entity = at < 0 ? rest : rest.slice(0, at);
  const owner = at < 0 ? "" : rest.slice(at);
  const isCacheable = kind === "public" || kind === "shared";
  if (!isToken(entity) || !isAtSignText(owner) || (cached && !isCacheable)) {
    throw new AtError("AT0016", `${shorten(key)} is not a valid key`);
  }
  const dot = entity.lastIndexOf(".");
  return {
    kind: kind === "shared" && sharedWith === owner ? "self" : kind,
    cached,
    ...(sharedWith === undefined ? {} : { sharedWith }),
    entity,
    ...(dot < 0 ? {} : { namespace: entity.slice(dot + 1) }),
    owner,
  };
}

/** The text of a key that a command names. @throws {NoportsError} `usage` for parts that would break the line. */
export function encodeKeyRef(key: KeyRef): string {
  const entity = key.entity.startsWith(PRIVATE_KEY)
    ? key.entity.slice(PRIVATE_KEY.length)
    : key.entity;
  const isWhole = isToken(entity) && (key.owner === undefined || isAtSignText(key.owner)) &&
    (key.visibility !== "shared" || isAtSignText(key.sharedWith ?? ""));
  if (!isWhole) throw new NoportsError("usage", "Cannot encode key: bad character in a part");
  const front = key.visibility === "public"
    ? "public:"
    : key.visibility === "shared"
    ? `${key.sharedWith}:`
    : "";
  return `${key.cached ? CACHED : ""}${front}${key.entity}${key.owner ?? ""}`;
}

/** True for the keys that carry the AES key of a pair of atSigns: `@bob:shared_key@alice`, `shared_key.bob@alice`. */
export function isSharedKeyName(key: string): boolean {
  return /^(?:@[^:@]+:)?shared_key(?:\.[^@]+)?@/i.test(key);
}

/** True for `@` and at least one character that is none of `:`, `@` and white space. Not normalised, not validated. */
export function isAtSignText(text: string): boolean {
  return text.startsWith("@") && isToken(text.slice(1));
}

function takeFront(
  key: string,
): { rest: string; kind: "public" | "private" | "self" | "shared" | "local"; sharedWith?: string } {
  for (const kind of ["public", "private", "local"] as const) {
    if (!key.startsWith(`${kind}:`)) continue;
    const rest = key.slice(kind.length + 1);
    return kind === "private" && rest.startsWith("@")
      ? { ...takeSharedWith(rest), kind }
      : { rest, kind };
  }
  return key.startsWith("@")
    ? { ...takeSharedWith(key), kind: "shared" }
    : { rest: key, kind: "self" };
}

function takeSharedWith(key: string): { rest: string; sharedWith: string } {
  const colon = key.indexOf(":");
  const sharedWith = colon < 0 ? "" : key.slice(0, colon);
  if (!isAtSignText(sharedWith)) {
    throw new AtError("AT0016", `${shorten(key)} is not a valid key`);
  }
  return { rest: key.slice(colon + 1), sharedWith };
}

function shorten(key: string): string {
  return key.length > 80 ? `${key.slice(0, 80)}…` : key;
}
