/**
 * Nonces of a session (`clientNonce`, `rvdNonce`). Peers treat them as opaque text; upstream sends the time of day, we send
 * 32 random bytes, in an alphabet without comma, quote, backslash and control characters (PROTOCOL.md, Nonces). Pure.
 */

import type { Entropy } from "../base/mod.ts";

/** 32 random bytes as 43 base64url characters. */
export function createNonce(entropy: Entropy): string {
  return entropy.bytes(32).toBase64({ alphabet: "base64url", omitPadding: true });
}
