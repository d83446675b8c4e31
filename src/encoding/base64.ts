/** Base64 as the atPlatform writes it: standard alphabet, padded, one line (RFC 4648 §4). */

import { NoportsError } from "../base/mod.ts";

export function encodeBase64(bytes: Uint8Array): string {
  return bytes.toBase64();
}

/** Decodes strict base64. @throws {NoportsError} `protocol_violation` for any other character, length or padding. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    if (/\s/.test(text)) throw new SyntaxError("white space");
    return Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch (cause) {
    throw new NoportsError(
      "protocol_violation",
      "Cannot decode base64: not in the alphabet or length",
      {
        cause,
      },
    );
  }
}
