import fc from "fast-check";
import { createCipheriv } from "node:crypto";
import { assertEquals, assertRejects } from "../../tests/assert.ts";
import { vectors } from "../../tests/vectors.ts";
import { NoportsError } from "../base/mod.ts";
import { CtrStream } from "./mod.ts";

const KEY = new Uint8Array(32).map((_, i) => i);

Deno.test("CtrStream agrees with the C relay's transformer however the bytes are cut", () => {
  const v = vectors<
    Record<"key_base64" | "iv_base64" | "plaintext_base64" | "ciphertext_base64", string>
  >(
    "peers",
    "c.aes_ctr_stream",
  );
  const key = Uint8Array.fromBase64(v.key_base64);
  const iv = Uint8Array.fromBase64(v.iv_base64);
  const plain = Uint8Array.fromBase64(v.plaintext_base64);
  for (const step of [1, 15, 16, 17, 64, plain.length]) {
    const stream = new CtrStream(key, iv);
    const out: number[] = [];
    for (let at = 0; at < plain.length; at += step) {
      out.push(...stream.transform(plain.subarray(at, at + step)));
    }
    assertEquals(new Uint8Array(out).toBase64(), v.ciphertext_base64);
  }
});

Deno.test("CtrStream gives the bytes of one pass for any mix of methods and sizes, over the wrap of the counter", async () => {
  const size = fc.oneof(
    fc.integer({ min: 0, max: 40 }),
    fc.integer({ min: 16 * 1024 - 20, max: 16 * 1024 + 20 }),
    fc.integer({ min: 30_000, max: 70_000 }),
  );
  const steps = fc.array(fc.tuple(size, fc.boolean()), { minLength: 1, maxLength: 12 });
  // the last byte counts how many blocks are left until some or all of the 128 bits wrap
  const iv = fc.tuple(fc.integer({ min: 0, max: 16 }), fc.integer({ min: 0, max: 255 }))
    .map(([ones, last]) => {
      const bytes = new Uint8Array(16).fill(0x11).fill(0xff, 16 - ones);
      bytes[15] = last;
      return bytes;
    });
  await fc.assert(
    fc.asyncProperty(iv, steps, async (iv, steps) => {
      const total = steps.reduce((sum, [bytes]) => sum + bytes, 0);
      const plain = new Uint8Array(total).map((_, i) => i * 31);
      const expected = onePass(iv, plain);
      const stream = new CtrStream(KEY, iv);
      const out = new Uint8Array(total);
      let at = 0;
      for (const [bytes, large] of steps) {
        const chunk = plain.subarray(at, at + bytes);
        out.set(large ? await stream.transformLarge(chunk) : stream.transform(chunk), at);
        at += bytes;
      }
      assertEquals(out.length, expected.length);
      assertEquals(Buffer.compare(out, expected), 0);
    }),
    { numRuns: 60 },
  );
});

Deno.test("CtrStream leaves its arguments and its input as they were", async () => {
  const iv = new Uint8Array(16).fill(0xff);
  const key = KEY.slice();
  const stream = new CtrStream(key, iv);
  key.fill(0);
  iv.fill(0);
  const chunk = new Uint8Array(20_000).fill(1);
  const out = await stream.transformLarge(chunk);
  assertEquals(chunk, new Uint8Array(20_000).fill(1));
  assertEquals(out, onePass(new Uint8Array(16).fill(0xff), chunk));
});

Deno.test("CtrStream refuses to move while a large chunk is under way", async () => {
  const stream = new CtrStream(KEY, new Uint8Array(16));
  const running = stream.transformLarge(new Uint8Array(20_000));
  await assertRejects(() => stream.transform(new Uint8Array(1)), NoportsError, {
    code: "internal",
  });
  await assertRejects(() => stream.transformLarge(new Uint8Array(1)), NoportsError, {
    code: "internal",
  });
  await running;
  assertEquals(stream.transform(new Uint8Array(1)).length, 1);
});

Deno.test("CtrStream refuses keys and IVs of other lengths", async () => {
  for (const [key, iv] of [[31, 16], [16, 16], [32, 12], [0, 0]] as const) {
    await assertRejects(
      () => new CtrStream(new Uint8Array(key), new Uint8Array(iv)),
      NoportsError,
      {
        code: "protocol_violation",
      },
    );
  }
});

function onePass(iv: Uint8Array, plain: Uint8Array): Uint8Array {
  const cipher = createCipheriv("aes-256-ctr", KEY, iv);
  const out = new Uint8Array(cipher.update(plain));
  cipher.final();
  return out;
}
