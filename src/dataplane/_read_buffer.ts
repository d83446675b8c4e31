/**
 * Read buffers that follow the traffic: a connection starts with 256 bytes, because an idle one costs what its pending read holds,
 * grows to 256 KB while reads fill it, and shrinks when they no longer do. Large buffers go back to a small shared stock: a
 * fresh one costs page faults. Buffers hold old bytes of other connections; only what a read reported is ever used.
 */

import { CTR_HEADROOM_BYTES } from "../crypto/mod.ts";

/** Our choice, measured: an idle relayed pair costs 18 KB with this, 25 KB with 4 KB. */
export const FIRST_BUFFER_BYTES = 256;
/** Our choice, measured: larger ones gain little. */
export const MAX_BUFFER_BYTES = 256 * 1024;
/** Sizes go up and down by this factor: 256 B, 1 KB, 4 KB, 16 KB, 64 KB, 256 KB. */
const STEP = 4;
/** Buffers from this size on are kept for reuse. */
const MIN_SHARED_BYTES = 16 * 1024;
/** At most this many of each size are kept: 16 × (16 + 64 + 256) KB is 5 MB. */
const MAX_SHARED = 16;

const stock = new Map<number, Uint8Array[]>();

/** The size of the next read after one of `size` bytes gave `n`. */
export function nextBufferSize(size: number, n: number): number {
  if (n >= size) return Math.min(size * STEP, MAX_BUFFER_BYTES);
  if (n < size / 2) return Math.max(size / STEP, FIRST_BUFFER_BYTES);
  return size;
}

/** A buffer of `size` bytes, which holds whatever it held before, with the room in front that a `CtrStream` likes. */
export function takeBuffer(size: number): Uint8Array {
  return stock.get(size)?.pop() ??
    new Uint8Array(new ArrayBuffer(CTR_HEADROOM_BYTES + size), CTR_HEADROOM_BYTES, size);
}

/** Gives a buffer back; nothing may use it any more. */
export function giveBuffer(buffer: Uint8Array): void {
  if (buffer.length < MIN_SHARED_BYTES) return;
  const shelf = stock.get(buffer.length);
  if (shelf === undefined) stock.set(buffer.length, [buffer]);
  else if (shelf.length < MAX_SHARED) shelf.push(buffer);
}

/** The buffer for the next read: `buffer` itself when its size still fits. */
export function fitBuffer(buffer: Uint8Array, n: number): Uint8Array {
  const size = nextBufferSize(buffer.length, n);
  if (size === buffer.length) return buffer;
  giveBuffer(buffer);
  return takeBuffer(size);
}

/**
 * Frees the memory of `bytes`, a large result that owns its buffer and is done with, at once: waiting for the garbage collector
 * costs page faults for each new one and three times the memory (measured).
 */
export function freeNow(bytes: Uint8Array): void {
  if (bytes.buffer instanceof ArrayBuffer) bytes.buffer.transfer(0);
}
