import fc from "fast-check";
import { assertEquals, assertRejects } from "../../../tests/assert.ts";
import { NoportsError } from "../../base/mod.ts";
import { encodeUtf8 } from "../../encoding/mod.ts";
import { LineFramer } from "./mod.ts";

Deno.test("LineFramer yields the same lines however the bytes are cut", () => {
  const line = fc.string({ unit: "grapheme", maxLength: 80 }).filter((text) =>
    !/[\r\n]/.test(text)
  );
  const end = fc.constantFrom("\n", "\r\n");
  fc.assert(
    fc.property(
      fc.array(fc.tuple(line, end)),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
      fc.string({ maxLength: 5 }).filter((text) => !/[\r\n]/.test(text)),
      (lines, cuts, rest) => {
        const bytes = encodeUtf8(lines.map(([text, end]) => text + end).join("") + rest);
        const framer = new LineFramer({ maxLineBytes: 4_096 });
        const out: string[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const cut = cuts[i % cuts.length] ?? 1;
          const chunk = bytes.slice(at, at + cut);
          out.push(...framer.push(chunk));
          chunk.fill(0); // the caller's buffer is the caller's
          at += cut;
        }
        assertEquals(out, lines.map(([text]) => text));
        assertEquals(framer.pendingBytes, encodeUtf8(rest).length);
      },
    ),
  );
});

Deno.test("LineFramer strips one CR before the LF and keeps the others", () => {
  const framer = new LineFramer({ maxLineBytes: 100 });
  assertEquals(framer.push(encodeUtf8("a\rb\r\n\r\n\n\r\r\nc")), ["a\rb", "", "", "\r"]);
  assertEquals(framer.pendingBytes, 1);
  assertEquals(framer.push(encodeUtf8("\r")), []);
  assertEquals(framer.push(encodeUtf8("\n")), ["c"]);
  assertEquals(framer.pendingBytes, 0);
});

Deno.test("LineFramer takes a line of the cap and refuses one byte more, complete or not", async () => {
  const push = (step: number, text: string): string[] => {
    const framer = new LineFramer({ maxLineBytes: 100 });
    const bytes = encodeUtf8(text);
    const out: string[] = [];
    for (let at = 0; at < bytes.length; at += step) {
      out.push(...framer.push(bytes.subarray(at, at + step)));
    }
    return out;
  };
  for (const step of [1, 7, 1_000]) {
    assertEquals(push(step, `${"x".repeat(100)}\n`), ["x".repeat(100)]);
    for (const text of ["x".repeat(101), `${"x".repeat(101)}\n`]) {
      await assertRejects(() => push(step, text), NoportsError, { code: "protocol_violation" });
    }
  }
});

Deno.test("LineFramer refuses bytes that are not UTF-8, also when a character is cut by the end of the line", async () => {
  for (const bytes of [[0xff, 0x0a], [0xf0, 0x9f, 0x0a, 0x9b, 0xa0], [0xc0, 0x80, 0x0a]]) {
    const framer = new LineFramer({ maxLineBytes: 100 });
    await assertRejects(() => framer.push(Uint8Array.from(bytes)), NoportsError, {
      code: "protocol_violation",
    });
  }
});

Deno.test("LineFramer handles a line of ten megabytes in small pieces without quadratic work", () => {
  const framer = new LineFramer({ maxLineBytes: 10_240_000 });
  const chunk = new Uint8Array(1_000).fill(0x61);
  const started = performance.now();
  for (let i = 0; i < 10_000; i++) framer.push(chunk);
  assertEquals(framer.push(Uint8Array.of(0x0a))[0]?.length, 10_000_000);
  const elapsedMs = performance.now() - started;
  assertEquals(elapsedMs < 5_000, true, `${elapsedMs} ms`);
});
