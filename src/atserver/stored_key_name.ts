/** Names of stored keys: from a command's parts to the text in the store, and what a name says about its key. Pure. */

import { type AtSign, bareName, type KeyRef, normalizeKey } from "../atprotocol/wire/mod.ts";
import { readAtSign } from "./at_failures.ts";

/** The key that `ref` names, normalised. @throws {AtError} AT0011 (closes) for a bad atSign, AT0016 when it is too long. */
export function keyName(ref: KeyRef): string {
  const front = ref.visibility === "public"
    ? "public:"
    : ref.sharedWith === undefined
    ? ""
    : `${readAtSign(ref.sharedWith)}:`;
  const owner = ref.owner === undefined ? "" : readAtSign(ref.owner);
  return normalizeKey(`${ref.cached ? "cached:" : ""}${front}${ref.entity}${owner}`);
}

/** True for keys that are in the commit log. */
export function isLogged(key: string): boolean {
  if (/^(?:private|privatekey|local):/.test(key) || isEnrollmentKey(key)) return false;
  return !key.startsWith("public:_") || key.startsWith("public:__");
}

/** True for keys that enrollments leave behind (`enroll`, `keys`): they are not synced. */
function isEnrollmentKey(key: string): boolean {
  return /\.__(?:manage|pkams|public_keys|private_keys|self_keys)(?:[.@]|$)/.test(key);
}

/** True for keys that no `scan` ever returns. */
export function isSecret(key: string): boolean {
  return key.startsWith("private:") || key.startsWith("privatekey:");
}

/** Where `owner` keeps its copy of the key `key` of another atSign. */
export function cachedName(key: string): string {
  return normalizeKey(`cached:${key}`);
}

/** Where `owner` keeps its own copy of the AES key that it shares with `peer`. */
export function sharedKeyName(owner: AtSign, peer: AtSign): string {
  return `shared_key.${bareName(peer)}${owner}`;
}
