/** UTF-8 text and bytes. */

import { NoportsError } from "../base/mod.ts";

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Decodes UTF-8. @throws {NoportsError} `protocol_violation` for bytes that are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch (cause) {
    throw new NoportsError("protocol_violation", "Cannot decode text: not UTF-8", { cause });
  }
}
