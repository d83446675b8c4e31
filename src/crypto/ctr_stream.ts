/**
 * A continuous AES-256-CTR keystream over a byte stream of any length: the counter is the whole block, big-endian, and
 * wraps. Two ways to move along it, free to mix: `transform` at once, for what is small; `transformLarge` off the
 * thread and about three times faster, for what is not. Pure.
 */

import { createCipheriv } from "node:crypto";
import { NoportsError } from "../base/mod.ts";

const KEY_BYTES = 32;
const BLOCK_BYTES = 16;
/** Our choice, measured: below this the way to another thread costs more than it saves. */
const MIN_LARGE_BYTES = 16 * 1024;
/** What `transformLarge` likes to find in front of a chunk. */
export const CTR_HEADROOM_BYTES = BLOCK_BYTES;

/** One direction of one stream. Never make two with the same key and IV for different data. */
export class CtrStream {
  readonly #key: Uint8Array<ArrayBuffer>;
  readonly #iv: Uint8Array<ArrayBuffer>;
  #webKey: CryptoKey | null = null;
  /** Bytes of keystream used. */
  #position = 0;
  #busy = false;

  /** Copies both. @throws {NoportsError} `protocol_violation` unless the key has 32 bytes and the IV 16. */
  constructor(key: Uint8Array, iv: Uint8Array) {
    if (key.length !== KEY_BYTES || iv.length !== BLOCK_BYTES) {
      throw new NoportsError(
        "protocol_violation",
        `Cannot start cipher: key of ${key.length} bytes, IV of ${iv.length}`,
      );
    }
    this.#key = new Uint8Array(key);
    this.#iv = new Uint8Array(iv);
  }

  /** Encrypts or decrypts the next bytes; the result is the caller's. @throws {NoportsError} `internal` while `transformLarge` runs. */
  transform(chunk: Uint8Array): Uint8Array {
    this.#refuseOverlap();
    return this.#transformNow(chunk);
  }

  /**
   * The same for a large chunk, which must not change until the promise resolves. One call at a time: the caller waits
   * for each before the next. A chunk with 15 bytes or more in front of it in its own buffer (`CTR_HEADROOM_BYTES`) is
   * not copied, wherever the keystream stands. @throws {NoportsError} `internal` for overlapping calls.
   */
  async transformLarge(chunk: Uint8Array): Promise<Uint8Array> {
    this.#refuseOverlap();
    if (chunk.length < MIN_LARGE_BYTES) return this.#transformNow(chunk);
    this.#busy = true;
    try {
      this.#webKey ??= await crypto.subtle.importKey("raw", this.#key, "AES-CTR", false, [
        "encrypt",
      ]);
      // Web Crypto starts at a block: what lies in front of the chunk stands for the used part of it and is thrown away
      const skipBytes = this.#position % BLOCK_BYTES;
      const blocks = withBytesInFront(chunk, skipBytes);
      const counter = this.#counterHere();
      const out = await crypto.subtle.encrypt(
        { name: "AES-CTR", counter, length: 128 },
        this.#webKey,
        blocks,
      );
      this.#position += chunk.length;
      return new Uint8Array(out, skipBytes);
    } finally {
      this.#busy = false;
    }
  }

  #transformNow(chunk: Uint8Array): Uint8Array {
    if (chunk.length === 0) return new Uint8Array();
    // a cipher object holds a resource until it is finished, so none outlives the call: about 8 µs
    const cipher = createCipheriv("aes-256-ctr", this.#key, this.#counterHere());
    const skipBytes = this.#position % BLOCK_BYTES;
    if (skipBytes > 0) cipher.update(new Uint8Array(skipBytes));
    const out = cipher.update(chunk);
    cipher.final();
    this.#position += chunk.length;
    return out;
  }

  /** The counter block of the block that holds `#position`. */
  #counterHere(): Uint8Array<ArrayBuffer> {
    const counter = new Uint8Array(this.#iv);
    let carry = Math.floor(this.#position / BLOCK_BYTES);
    for (let i = BLOCK_BYTES - 1; i >= 0 && carry > 0; i--) {
      const sum = (counter[i] ?? 0) + carry % 256;
      counter[i] = sum & 0xff;
      carry = Math.floor(carry / 256) + (sum >> 8);
    }
    return counter;
  }

  #refuseOverlap(): void {
    if (this.#busy) {
      throw new NoportsError("internal", "Cannot transform: the last call has not finished");
    }
  }
}

/** `chunk` with `count` bytes of any content before it: a view where its buffer has them, else a copy. */
function withBytesInFront(chunk: Uint8Array, count: number): Uint8Array<ArrayBuffer> {
  if (chunk.byteOffset >= count) {
    const start = chunk.byteOffset - count;
    return new Uint8Array(chunk.buffer as ArrayBuffer, start, chunk.length + count);
  }
  const copy = new Uint8Array(count + chunk.length);
  copy.set(chunk, count);
  return copy;
}
