import { assertEquals, assertMatch, assertRejects } from "../../../tests/assert.ts";
import { NoportsError } from "../../base/mod.ts";
import { chooseClientCas, readRootCas } from "./root_cas.ts";

const pem = (n: number) => `-----BEGIN CERTIFICATE-----\nMII${n}\n-----END CERTIFICATE-----\n`;

Deno.test("readRootCas() takes every certificate of a file, whatever stands between", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, `# mine\n${pem(1)}\nand another\n${pem(2)}`);
    assertEquals(await readRootCas(file), [pem(1), pem(2)]);
    await Deno.writeTextFile(file, "nothing");
    const error = await assertRejects(() => readRootCas(file), NoportsError, {
      code: "config_invalid",
    });
    assertMatch(error.message, /no PEM certificate/);
  } finally {
    await Deno.remove(file);
  }
  await assertRejects(() => readRootCas(file), NoportsError, { code: "config_invalid" });
});

Deno.test("chooseClientCas() names no more authorities than a handshake can hold", () => {
  const many = Array.from({ length: 33 }, (_, n) => pem(n));
  assertEquals(chooseClientCas(pem(99), many), [pem(99)]);
  assertEquals(chooseClientCas(null, many.slice(1)), many.slice(1));
  assertEquals(chooseClientCas(null, []), []);
});
