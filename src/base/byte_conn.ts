/** The byte stream that everything above works on: a TCP or TLS connection, or a pair in memory. */

/** A `Deno.Conn` is one. The owner closes it; `close` may be called once only. */
export interface ByteConn {
  /** Reads at least one byte into `into`; resolves to null at end of stream. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of `bytes`; resolves to how many, once the stream has taken them (backpressure). */
  write(bytes: Uint8Array): Promise<number>;
  /** Sends end of stream; reading goes on. */
  closeWrite(): Promise<void>;
  close(): void;
}

/** Writes all of `bytes`. */
export async function writeAll(
  conn: Pick<ByteConn, "write">,
  bytes: Uint8Array,
): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Closes `conn`; a second close, or a close after the peer's reset, is no error. */
export function closeQuietly(conn: Pick<ByteConn, "close">): void {
  try {
    conn.close();
  } catch {
    // already closed: that is what the caller wanted
  }
}
