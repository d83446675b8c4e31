/** Two `ByteConn`s joined in memory, with a bounded buffer each way, so that backpressure is real. */

import type { ByteConn } from "../src/base/mod.ts";

/** A pair of joined connections; a write waits while `bufferBytes` are unread at the other end. */
export function memoryConnPair(bufferBytes = 64 * 1024): [MemoryConn, MemoryConn] {
  const ab = new Pipe(bufferBytes);
  const ba = new Pipe(bufferBytes);
  return [new MemoryConn(ba, ab), new MemoryConn(ab, ba)];
}

export class MemoryConn implements ByteConn {
  /** What each `write` call carried, in order: one entry per call. */
  readonly writes: Uint8Array[] = [];
  closed = false;
  readonly #in: Pipe;
  readonly #out: Pipe;

  constructor(input: Pipe, output: Pipe) {
    this.#in = input;
    this.#out = output;
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.closed) return Promise.reject(new Deno.errors.BadResource("closed"));
    return this.#in.read(into);
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.closed) throw new Deno.errors.BadResource("closed");
    this.writes.push(bytes.slice());
    return await this.#out.write(bytes);
  }

  closeWrite(): Promise<void> {
    this.#out.end();
    return Promise.resolve();
  }

  close(): void {
    if (this.closed) throw new Deno.errors.BadResource("closed");
    this.closed = true;
    this.#out.end();
    this.#in.abandon();
  }
}

class Pipe {
  #chunks: Uint8Array[] = [];
  #buffered = 0;
  #ended = false;
  #abandoned = false;
  #wake: (() => void)[] = [];

  constructor(readonly capacity: number) {}

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#chunks.length === 0) {
      if (this.#abandoned) throw new Deno.errors.BadResource("closed");
      if (this.#ended) return null;
      await this.#changed();
    }
    const chunk = this.#chunks[0] as Uint8Array;
    const n = Math.min(into.length, chunk.length);
    into.set(chunk.subarray(0, n));
    if (n === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(n);
    this.#buffered -= n;
    this.#notify();
    return n;
  }

  async write(bytes: Uint8Array): Promise<number> {
    while (this.#buffered >= this.capacity && !this.#abandoned && !this.#ended) {
      await this.#changed();
    }
    if (this.#abandoned || this.#ended) throw new Deno.errors.BrokenPipe("peer closed");
    const n = Math.min(bytes.length, this.capacity - this.#buffered);
    this.#chunks.push(bytes.slice(0, n));
    this.#buffered += n;
    this.#notify();
    return n;
  }

  end(): void {
    this.#ended = true;
    this.#notify();
  }

  abandon(): void {
    this.#abandoned = true;
    this.#notify();
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
