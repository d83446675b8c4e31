import fc from "fast-check";
import { assert, assertEquals, assertMatch, assertRejects } from "../../../tests/assert.ts";
import { vectors } from "../../../tests/vectors.ts";
import { NoportsError } from "../../base/mod.ts";
import { bareName, parseAtSign } from "./mod.ts";

Deno.test("parseAtSign() agrees with the vendor's vectors", async () => {
  for (const v of vectors<{ in: string; out?: string; error?: true }[]>("atclient", "fixAtSign")) {
    if (v.out !== undefined) assertEquals(parseAtSign(v.in), v.out);
    else await assertRejects(() => parseAtSign(v.in), NoportsError, { code: "atsign_invalid" });
  }
});

Deno.test("parseAtSign() says what is wrong", async () => {
  const rows: [string, RegExp][] = [
    ["", /must include one @ character/],
    ["  ", /must include one @ character/],
    ["@", /must include one @ character/],
    ["@...", /must include one @ character/],
    ["@a@b", /more than one @/],
    ["@@a", /more than one @/],
    ["a@", /more than one @/],
    ["@a b", /whitespace/],
    ["@a\u3000b", /whitespace/],
    ["@a\u0085b", /whitespace/],
    ["@a\u0000b", /control/],
    ["@a\u2400b", /control/],
    ["@a\u007fb", /control/],
    ...Array.from("!*'`();:&=+$,/?#[]{}", (c): [string, RegExp] => [`@a${c}b`, /Cannot Contain !/]),
    ["a".repeat(56), /too long/],
    ["a".repeat(1_000_000), /too long/],
  ];
  for (const [text, message] of rows) {
    const error = await assertRejects(() => parseAtSign(text), NoportsError, {
      code: "atsign_invalid",
    });
    assertMatch(error.message, message);
    assert(error.message.length < 300);
  }
});

Deno.test("parseAtSign() accepts emoji, trims, lower-cases, and is settled after one pass", () => {
  assertEquals(parseAtSign(" Colin.Constable "), "@colinconstable");
  assertEquals(parseAtSign("@👩‍👩‍👧‍👦Fam"), "@👩‍👩‍👧‍👦fam");
  assertEquals(bareName(parseAtSign("ALICE")), "alice");
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    try {
      const once = parseAtSign(text);
      assertEquals(parseAtSign(once), once);
      assertEquals(parseAtSign(bareName(once)), once);
    } catch (error) {
      assert(error instanceof NoportsError);
    }
  }));
});
