import { parseAtSign } from "../src/atprotocol/wire/mod.ts";
import { parsePermitOpen } from "../src/session/mod.ts";
import { assertEquals } from "../tests/assert.ts";
import { authorise } from "./authorise.ts";

const rules = {
  managers: new Set([parseAtSign("@alice")]),
  permitOpen: parsePermitOpen("localhost:22,*:8080"),
};

Deno.test("authorise() lets a manager reach what permit-open lists and nothing else", () => {
  const alice = parseAtSign("Al.ice");
  const rows: [string, number, boolean][] = [
    ["localhost", 22, true],
    ["db.lan", 8080, true],
    ["localhost", 23, false],
    ["127.0.0.1", 22, false],
    ["LOCALHOST", 22, false],
  ];
  for (const [host, port, allowed] of rows) {
    assertEquals(authorise(rules, alice, { host, port }).allowed, allowed, `${host}:${port}`);
  }
});

Deno.test("authorise() calls whoever is not a manager a stranger, whatever they ask for", () => {
  const mallory = parseAtSign("@mallory");
  const stranger = { allowed: false, reason: "stranger" };
  assertEquals(authorise(rules, mallory), stranger);
  assertEquals(authorise(rules, mallory, { host: "localhost", port: 22 }), stranger);
});
