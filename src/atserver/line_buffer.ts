/**
 * The bytes that a client sent, cut at LF, one line at a time, so that the cap can change between two lines (login) and
 * a line that is no text can be answered instead of ending the connection. Pure: caps and deadlines are `inbound.ts`'s.
 */

const LF = 0x0a;

export class LineBuffer {
  #chunks: Uint8Array[] = [];
  /** Bytes of `#chunks`, which hold no LF but perhaps in the last one. */
  #bytes = 0;

  /** Bytes that wait, a complete line among them or not. */
  get pendingBytes(): number {
    return this.#bytes;
  }

  /** Takes a copy of `bytes`. Call it when `next` has given all lines. */
  append(bytes: Uint8Array): void {
    this.#chunks.push(bytes.slice());
    this.#bytes += bytes.length;
  }

  /** The next complete line without its LF, or null. Only the newest chunk is searched: older ones hold no LF. */
  next(): Uint8Array | null {
    const last = this.#chunks.at(-1);
    if (last === undefined) return null;
    const end = last.indexOf(LF);
    if (end < 0) return null;
    this.#chunks[this.#chunks.length - 1] = last.subarray(0, end);
    const line = this.#chunks.length === 1 ? last.subarray(0, end) : this.#join();
    const rest = last.subarray(end + 1);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#bytes = rest.length;
    return line;
  }

  #join(): Uint8Array {
    let length = 0;
    for (const chunk of this.#chunks) length += chunk.length;
    const line = new Uint8Array(length);
    let at = 0;
    for (const chunk of this.#chunks) {
      line.set(chunk, at);
      at += chunk.length;
    }
    return line;
  }
}
