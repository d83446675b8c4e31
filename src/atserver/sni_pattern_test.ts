import { assertEquals, assertRejects } from "../../tests/assert.ts";
import { NoportsError } from "../base/mod.ts";
import { parseAtSign } from "../atprotocol/wire/mod.ts";
import { hostOfAtSign, matchSniPattern, parseSniPattern, wildcardOf } from "./sni_pattern.ts";

const PATTERN = parseSniPattern("{atsign}.at.example.org");

Deno.test("matchSniPattern() finds the atSign in the host name that a client asked for", () => {
  const rows = [
    ["alice.at.example.org", "@alice"],
    ["ALICE.AT.example.ORG", "@alice"],
    ["a-1.at.example.org", "@a-1"],
    ["at.example.org", null],
    [".at.example.org", null],
    ["a.b.at.example.org", null],
    ["alice.at.example.com", null],
    ["alice.at.example.org.evil", null],
    ["localhost", null],
  ] as const;
  for (const [host, atSign] of rows) assertEquals(matchSniPattern(PATTERN, host), atSign);
});

Deno.test("hostOfAtSign() names a host only where the atSign fits into one", () => {
  const rows = [
    ["@alice", "alice.at.example.org"],
    ["@a-1", "a-1.at.example.org"],
    ["@al_ice", null],
    ["@🐈", null],
    ["@-a", null],
  ] as const;
  for (const [atSign, host] of rows) {
    assertEquals(hostOfAtSign(PATTERN, parseAtSign(atSign)), host);
  }
  assertEquals(wildcardOf(PATTERN), "*.at.example.org");
});

Deno.test("parseSniPattern() refuses what is no pattern", async () => {
  for (
    const text of [
      "",
      "{atsign}",
      "{atsign}.",
      "{atsign}.org",
      "at.example.org",
      "x{atsign}.example.org",
      "{atsign}.exa mple.org",
      "{atsign}..org",
      "{atsign}.{atsign}.org",
    ]
  ) await assertRejects(() => parseSniPattern(text), NoportsError, { code: "usage" });
});
