/**
 * Reads the auth line off a fresh socket: the line alone is limited, what came behind it is kept for the peer. The caller sets the
 * deadline by closing the socket, and checks the line.
 */

import type { ByteConn } from "../src/base/mod.ts";
import { decodeUtf8 } from "../src/encoding/mod.ts";
import { MAX_AUTH_LINE_BYTES } from "../src/session/mod.ts";

const LF = 0x0a;
/** A real line fits; only a longer one needs more. */
const FIRST_BUFFER_BYTES = 1024;

/** A line without its LF, and the bytes that came behind it; or why there is none. */
export type AuthRead =
  | { readonly ok: true; readonly line: string; readonly rest: Uint8Array }
  | { readonly ok: false; readonly reason: string };

/** Reads up to and including the first LF. At most 4,096 bytes of line are held. @throws when the socket breaks or is closed. */
export async function readAuthLine(conn: ByteConn): Promise<AuthRead> {
  let buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  let filled = 0;
  for (;;) {
    const n = await conn.read(buffer.subarray(filled));
    if (n === null) return { ok: false, reason: "closed before its line" };
    const lf = buffer.subarray(0, filled + n).indexOf(LF, filled);
    filled += n;
    if (lf >= 0) return toLine(buffer.subarray(0, lf), buffer.slice(lf + 1, filled));
    if (filled >= MAX_AUTH_LINE_BYTES) return { ok: false, reason: "line too long" };
    if (filled === buffer.length) {
      const larger = new Uint8Array(MAX_AUTH_LINE_BYTES);
      larger.set(buffer);
      buffer = larger;
    }
  }
}

function toLine(bytes: Uint8Array, rest: Uint8Array): AuthRead {
  try {
    return { ok: true, line: decodeUtf8(bytes), rest };
  } catch {
    return { ok: false, reason: "not text" };
  }
}
