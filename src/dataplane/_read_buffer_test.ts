import { assert, assertEquals } from "../../tests/assert.ts";
import {
  FIRST_BUFFER_BYTES,
  fitBuffer,
  freeNow,
  giveBuffer,
  MAX_BUFFER_BYTES,
  nextBufferSize,
  takeBuffer,
} from "./_read_buffer.ts";

Deno.test("read buffers grow while reads fill them and shrink when they do not", () => {
  let buffer = takeBuffer(FIRST_BUFFER_BYTES);
  const sizes = [buffer.length];
  for (let i = 0; i < 7; i++) {
    buffer = fitBuffer(buffer, buffer.length);
    sizes.push(buffer.length);
  }
  assertEquals(sizes, [256, 1024, 4096, 16384, 65536, 262144, 262144, 262144]);
  assertEquals(nextBufferSize(MAX_BUFFER_BYTES, MAX_BUFFER_BYTES - 1), MAX_BUFFER_BYTES);
  assertEquals(nextBufferSize(MAX_BUFFER_BYTES, 1), MAX_BUFFER_BYTES / 4);
  assertEquals(nextBufferSize(FIRST_BUFFER_BYTES, 1), FIRST_BUFFER_BYTES);
});

Deno.test("large buffers are used again", () => {
  const buffer = takeBuffer(65536);
  giveBuffer(buffer);
  assert(takeBuffer(65536) === buffer);
});

Deno.test("freeNow() gives the memory back at once", () => {
  const bytes = new Uint8Array(100_000);
  freeNow(bytes);
  assertEquals(bytes.length, 0);
});
