/**
 * A relay connection that must not end before the relay has paired it: sending end of stream and closing wait until `release`.
 * A connection that ends while it waits in the relay's queue could lose its place there and shift all later pairs.
 */

import { type ByteConn, closeQuietly } from "../base/mod.ts";

/** Takes over `conn`. `release` must be called in the end, or it stays open. */
export class HeldConn implements ByteConn {
  readonly #conn: ByteConn;
  readonly #released = Promise.withResolvers<void>();
  #isReleased = false;
  #closed = false;

  constructor(conn: ByteConn) {
    this.#conn = conn;
  }

  /** The relay has paired the connection, or nothing matters any more. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#released.resolve();
    if (this.#closed) closeQuietly(this.#conn);
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#conn.read(into);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  async closeWrite(): Promise<void> {
    await this.#released.promise;
    await this.#conn.closeWrite();
  }

  close(): void {
    this.#closed = true;
    if (this.#isReleased) this.#conn.close();
  }
}
