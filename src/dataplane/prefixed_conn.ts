/** A connection from which some bytes have been read already: they are given first. Used for what came behind an auth line. */

import type { ByteConn } from "../base/mod.ts";

/** Takes over `conn`; closing this closes it. */
export class PrefixedConn implements ByteConn {
  readonly #conn: ByteConn;
  #prefix: Uint8Array | null;

  constructor(conn: ByteConn, prefix: Uint8Array) {
    this.#conn = conn;
    this.#prefix = prefix.length > 0 ? prefix : null;
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.#prefix === null || into.length === 0) return this.#conn.read(into);
    const n = Math.min(into.length, this.#prefix.length);
    into.set(this.#prefix.subarray(0, n));
    this.#prefix = n === this.#prefix.length ? null : this.#prefix.subarray(n);
    return Promise.resolve(n);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }
}
