import fc from "fast-check";
import { assertEquals } from "../../tests/assert.ts";
import { LineBuffer } from "./line_buffer.ts";

Deno.test("LineBuffer gives the same lines however the bytes are cut", () =>
  fc.assert(fc.property(
    fc.array(fc.uint8Array({ max: 20, maxLength: 30 })),
    fc.array(fc.nat(7), { minLength: 1 }),
    (chunks, cuts) => {
      const all = new Uint8Array(chunks.flatMap((chunk) => [...chunk]));
      const expected = Array.from(all, (byte) => byte === 10 ? "\n" : `${byte},`).join("")
        .split("\n").slice(0, -1);
      const buffer = new LineBuffer();
      const lines: string[] = [];
      for (let at = 0, i = 0; at < all.length; i++) {
        const step = 1 + (cuts[i % cuts.length] ?? 0);
        buffer.append(all.subarray(at, at + step));
        at += step;
        for (let line = buffer.next(); line !== null; line = buffer.next()) {
          lines.push(Array.from(line, (byte) => `${byte},`).join(""));
        }
      }
      assertEquals(lines, expected);
      assertEquals(buffer.pendingBytes, all.length - 1 - all.lastIndexOf(10));
    },
  )));
