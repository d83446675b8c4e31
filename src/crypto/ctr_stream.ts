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
   * for each before the next. @throws {NoportsError} `internal` otherwise.
   */
  async transformLarge(chunk: Uint8Array): Promise<Uint8Array> {
    this.#refuseOverlap();
    if (chunk.length < MIN_LARGE_BYTES) return this.#transformNow(chunk);
    this.#busy = true;
    try {
      const headBytes = (BLOCK_BYTES - this.#position % BLOCK_BYTES) % BLOCK_BYTES;
      const bulkBytes = (chunk.length - headBytes) & -BLOCK_BYTES;
      if (bulkBytes === chunk.length) return await this.#transformBlocks(chunk);
      const out = new Uint8Array(chunk.length);
      out.set(this.#transformNow(chunk.subarray(0, headBytes)));
      const tailStart = headBytes + bulkBytes;
      out.set(await this.#transformBlocks(chunk.subarray(headBytes, tailStart)), headBytes);
      out.set(this.#transformNow(chunk.subarray(tailStart)), tailStart);
      return out;
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

  /** The position stands on a block border and `blocks` is whole blocks. */
  async #transformBlocks(blocks: Uint8Array): Promise<Uint8Array> {
    this.#webKey ??= await crypto.subtle.importKey("raw", this.#key, "AES-CTR", false, ["encrypt"]);
    const counter = this.#counterHere();
    const out = await crypto.subtle.encrypt(
      { name: "AES-CTR", counter, length: 128 },
      this.#webKey,
      blocks as Uint8Array<ArrayBuffer>,
    );
    this.#position += blocks.length;
    return new Uint8Array(out);
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
