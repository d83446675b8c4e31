import fc from "fast-check";
import { assertEquals, assertRejects } from "../../tests/assert.ts";
import { NoportsError } from "../base/mod.ts";
import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8 } from "./mod.ts";

Deno.test("decodeBase64() gives back any bytes", () =>
  fc.assert(fc.property(fc.uint8Array(), (bytes) => {
    assertEquals(decodeBase64(encodeBase64(bytes)), bytes);
  })));

Deno.test("decodeBase64() refuses white space, other alphabets and missing padding", async () => {
  for (const text of ["QQ", "QQ=", "Q Q=", "QQ==\n", " QQ==", "-_-_", "QR==", "====", "QQ==QQ=="]) {
    await assertRejects(() => decodeBase64(text), NoportsError, { code: "protocol_violation" });
  }
});

Deno.test("decodeUtf8() gives back any text and refuses what is not UTF-8", async () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => {
    assertEquals(decodeUtf8(encodeUtf8(text)), text);
  }));
  assertEquals(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)), "\ufeffa");
  for (
    const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf4, 0x90, 0x80, 0x80]]
  ) {
    await assertRejects(() => decodeUtf8(Uint8Array.from(bytes)), NoportsError, {
      code: "protocol_violation",
    });
  }
});
