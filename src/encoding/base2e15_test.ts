import fc from "fast-check";
import { assert, assertEquals, assertRejects } from "../../tests/assert.ts";
import { vectors } from "../../tests/vectors.ts";
import { NoportsError } from "../base/mod.ts";
import { decodeBase2e15, encodeBase2e15 } from "./mod.ts";

Deno.test("base2e15 agrees with the vendor's vectors both ways", () => {
  const cases = vectors<{ bytesHex: string; encoded: string; codePointsHex: string[] }[]>(
    "atclient",
    "base2e15",
  );
  for (const { bytesHex, encoded, codePointsHex } of cases) {
    const codePoints = String.fromCodePoint(...codePointsHex.map((hex) => parseInt(hex, 16)));
    assertEquals(encodeBase2e15(Uint8Array.fromHex(bytesHex)), encoded);
    assertEquals(encoded, codePoints);
    assertEquals(decodeBase2e15(encoded).toHex(), bytesHex);
  }
});

Deno.test("decodeBase2e15() gives back any bytes", () =>
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
    assertEquals(decodeBase2e15(encodeBase2e15(bytes)), bytes);
  })));

Deno.test("decodeBase2e15() refuses other characters and throws nothing else", async () => {
  for (const text of ["a", "㐀 ", "\u33ff", "\u4dff", "\ud7a4", "\u9926", "\u4db6"]) {
    await assertRejects(() => decodeBase2e15(text), NoportsError, { code: "protocol_violation" });
  }
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    try {
      decodeBase2e15(text);
    } catch (error) {
      assert(error instanceof NoportsError);
    }
  }));
});
