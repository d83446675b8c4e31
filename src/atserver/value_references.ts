/**
 * Values that stand for another one: `atsign://phone@alice` means the value of that key, as far as who asks may read it.
 * atProtocol specification, Values; our reading of its gaps: PROTOCOL.md.
 */

import { AtError, normalizeKey, parseAtSign } from "../atprotocol/wire/mod.ts";
import { isNoportsError } from "../base/mod.ts";
import type { HostedAtSign } from "./hosted_at_sign.ts";
import type { StoredKey } from "./store/store.ts";

/** The specification. */
const MAX_DEPTH = 3;
const REFERENCE = /^atsign:\/\/([^:@\s]+)(@[^:@\s]+)$/i;

/**
 * What `found` stands for in `of`'s own store: itself when it is no reference, null when it leads nowhere. `front` is what
 * the asker's keys begin with (`@bob:`, or `public:`); `accepts` says whether it may read a key.
 */
export function resolveReference(
  of: HostedAtSign,
  found: StoredKey,
  front: string,
  accepts: (key: string) => boolean,
): StoredKey | null {
  let at: StoredKey | null = found;
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    const match = REFERENCE.exec(at.value ?? "");
    if (match === null) return at;
    at = follow(of, match[1] ?? "", match[2] ?? "", front, accepts);
    if (at === null) return null;
  }
  return null;
}

function follow(
  of: HostedAtSign,
  entity: string,
  owner: string,
  front: string,
  accepts: (key: string) => boolean,
): StoredKey | null {
  try {
    if (parseAtSign(owner) !== of.atSign) return null;
    for (const start of new Set([front, "public:"])) {
      const key = normalizeKey(`${start}${entity}${of.atSign}`);
      const found = accepts(key) ? of.readActive(key) : null;
      if (found !== null) return found;
    }
    return null;
  } catch (error) {
    // a name that no key can have
    if (error instanceof AtError || isNoportsError(error, "atsign_invalid")) return null;
    throw error;
  }
}
