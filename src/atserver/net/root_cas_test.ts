import { assertEquals } from "../../../tests/assert.ts";
import { chooseClientCas } from "./root_cas.ts";

const pem = (n: number) => `-----BEGIN CERTIFICATE-----\nMII${n}\n-----END CERTIFICATE-----\n`;

Deno.test("chooseClientCas() names no more authorities than a handshake can hold", () => {
  const many = Array.from({ length: 33 }, (_, n) => pem(n));
  assertEquals(chooseClientCas(pem(99), many), [pem(99)]);
  assertEquals(chooseClientCas(null, many.slice(1)), many.slice(1));
  assertEquals(chooseClientCas(null, []), []);
});
