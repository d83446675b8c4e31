import fc from "fast-check";
import { assert, assertEquals, assertRejects } from "../../tests/assert.ts";
import { AtError } from "../atprotocol/wire/mod.ts";
import { compileRegex } from "./safe_regex.ts";

Deno.test("compileRegex() matches what clients send", () => {
  const rows: [string, string, boolean][] = [
    [".*", "anything", true],
    ["\\.dev1\\.sshnp@", "@bob:req.dev1.sshnp@alice", true],
    ["\\.dev1\\.sshnp@", "@bob:req.dev2.sshnp@alice", false],
    ["dev1.sshnp@", "@bob:req.DEV1.sshnp@alice", true],
    ["device_info\\..*\\.sshnp", "cached:@mgr:device_info.web01.sshnp@dev", true],
    ["^bob$", "bob", true],
    ["^bob$", "bobby", false],
    ["(a|b)c{2,3}$", "xbcc", true],
    ["(a|b)c{2,3}$", "xbc", false],
    ["[a-c\\d_.-]+z", "a1_.-z", true],
    ["[^@]+@alice", "k@alice", true],
    ["\\bsshnp\\b", "x.sshnp@a", true],
    ["a{,2}", "a{,2}", true],
    ["", "x", true],
  ];
  for (const [source, text, expected] of rows) {
    assertEquals(compileRegex(source).test(text), expected, `${source} on ${text}`);
  }
});

Deno.test("compileRegex() refuses what it does not support, and what is malformed", async () => {
  const rows = ["(", ")", "[a", "*a", "a**", "(?=a)", "(?<=a)", "(a)\\1", "\\", "a{3,2}", "[b-a]"];
  for (const source of [...rows, "a".repeat(501), "((a{50}){50}){50}", "(".repeat(60)]) {
    const error = await assertRejects(() => compileRegex(source), AtError);
    assertEquals(error.code, "AT0003", source);
  }
});

Deno.test("compileRegex() takes no time for patterns that make others backtrack", () => {
  const text = "a".repeat(250) + "!";
  for (const source of ["(a+)+$", "^(a|a)*$", "(.*)*x", "(a?){60}b", "^(a|aa)+$"]) {
    const start = performance.now();
    assertEquals(compileRegex(source).test(text), false, source);
    assert(performance.now() - start < 500, source);
  }
  assertEquals(compileRegex("((){9999}){9999}").test(text), true);
});

Deno.test("compileRegex() agrees with JavaScript's own RegExp", () => {
  const atom = fc.constantFrom(
    "a",
    "B",
    ".",
    "\\.",
    "[ab]",
    "[^b]",
    "\\w",
    "\\d",
    "(a|b)",
    "(?:ab)",
  );
  const piece = fc.tuple(atom, fc.constantFrom("", "*", "+", "?", "{1,2}", "{2}", "*?"))
    .map(([a, q]) => a + q);
  const source = fc.tuple(
    fc.constantFrom("", "^"),
    fc.array(piece, { maxLength: 5 }),
    fc.constantFrom("", "$", "|b", "\\b"),
  ).map(([front, pieces, end]) => front + pieces.join("") + end);
  const text = fc.array(fc.constantFrom("a", "b", "A", ".", "1", "@", "é"), { maxLength: 8 })
    .map((chars) => chars.join(""));
  fc.assert(
    fc.property(source, text, (s, t) => compileRegex(s).test(t) === new RegExp(s, "i").test(t)),
    { numRuns: 2000 },
  );
});
