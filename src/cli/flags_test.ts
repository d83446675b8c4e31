import fc from "fast-check";
import { NoportsError } from "../base/mod.ts";
import { assert, assertEquals, assertRejects } from "../../tests/assert.ts";
import { type Flag, nearest, parseFlags } from "./flags.ts";

const FLAGS: readonly Flag[] = [
  { long: "from", short: "f", value: "ATSIGN", help: "" },
  { long: "device", short: "d", value: "NAME", help: "" },
  { long: "key-file", aliases: ["keyFile"], short: "k", value: "FILE", help: "" },
  { long: "encrypt-rvd-traffic", aliases: ["et"], negatable: true, help: "" },
  { long: "verbose", short: "v", help: "" },
  { long: "quiet", short: "q", help: "" },
];

Deno.test("parseFlags() reads the vendor's ways of writing flags", () => {
  const v = parseFlags(["-f@alice", "-vq", "--device=web 1", "--keyFile", "k", "--no-et"], FLAGS);
  assertEquals(v.text("from"), "@alice");
  assertEquals(v.text("device"), "web 1");
  assertEquals(v.text("key-file"), "k");
  assertEquals([v.switch("verbose"), v.switch("quiet")], [true, true]);
  assertEquals(v.switch("encrypt-rvd-traffic"), false);
  assertEquals(v.positionals, []);
});

Deno.test("parseFlags() ignores empty arguments and blanks around values, as service files produce them", () => {
  const v = parseFlags(["", "-f", "@alice", "", "-d web01"], FLAGS);
  assertEquals([v.text("from"), v.text("device")], ["@alice", "web01"]);
});

Deno.test("parseFlags() lets the last of a repeated flag win and keeps all of them", () => {
  const v = parseFlags(["-f", "@a", "-f", "@b"], FLAGS);
  assertEquals(v.text("from"), "@b");
  assertEquals(v.all("from"), ["@a", "@b"]);
});

Deno.test("parseFlags() refuses what it does not know, with the nearest flag as a hint", async () => {
  const rows: [string[], string | undefined][] = [
    [["--devise", "x"], "did you mean --device?"],
    [["--no-verbose"], undefined],
    [["--from"], undefined],
    [["--verbose=yes"], undefined],
    [["-z"], undefined],
  ];
  for (const [args, hint] of rows) {
    const error = await assertRejects(() => parseFlags(args, FLAGS), NoportsError, {
      code: "usage",
    });
    if (hint !== undefined) assertEquals(error.hint, hint);
  }
});

Deno.test("parseFlags() throws nothing but usage errors, whatever it is given", () =>
  fc.assert(fc.property(fc.array(fc.string()), (args) => {
    try {
      parseFlags(args, FLAGS);
    } catch (error) {
      assert(error instanceof NoportsError && error.code === "usage");
    }
  })));

Deno.test("nearest() finds slips and gives nothing for a strange word", () => {
  assertEquals(nearest("tunel", ["tunnel", "daemon"]), "tunnel");
  assertEquals(nearest("xyzzy", ["tunnel", "daemon"]), undefined);
});
