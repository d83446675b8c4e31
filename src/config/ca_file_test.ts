import { NoportsError } from "../base/mod.ts";
import { assertEquals, assertMatch, assertRejects } from "../../tests/assert.ts";
import { readCaFile } from "./ca_file.ts";

const pem = (n: number) => `-----BEGIN CERTIFICATE-----\nMII${n}\n-----END CERTIFICATE-----\n`;

Deno.test("readCaFile() takes every certificate of a file, whatever stands between", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, `# mine\n${pem(1)}\nand another\n${pem(2)}`);
    assertEquals(readCaFile(file), [pem(1), pem(2)]);
    await Deno.writeTextFile(file, "nothing");
    const error = await assertRejects(() => readCaFile(file), NoportsError, {
      code: "config_invalid",
    });
    assertMatch(error.message, /no PEM certificate/);
  } finally {
    await Deno.remove(file);
  }
  await assertRejects(() => readCaFile(file), NoportsError, { code: "config_invalid" });
});
