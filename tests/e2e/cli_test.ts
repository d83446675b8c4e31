/** The program as a command-line tool: help, version, streams, and the demo. */

import { COMMANDS } from "../../commands/mod.ts";
import { type CommandResult, runCommand } from "../../src/demo/mod.ts";
import { isCommandGroup } from "../../src/cli/mod.ts";
import { VERSION } from "../../src/base/mod.ts";
import { assert, assertEquals, assertMatch } from "../assert.ts";

const BIN = new URL("../../bin/noports", import.meta.url).pathname;

function noports(...args: string[]): Promise<CommandResult> {
  return runCommand({ name: args.join(" "), command: [BIN], args, env: {} });
}

Deno.test("every command shows its help on stdout and exits with 0", async () => {
  const paths: string[][] = [[]];
  for (const entry of COMMANDS) {
    const command = await entry.load();
    paths.push([entry.name]);
    if (isCommandGroup(command)) {
      paths.push(...command.commands.map((leaf) => [entry.name, leaf.name]));
    }
  }
  assert(paths.length > 10);
  const results = await Promise.all(paths.map((path) => noports(...path, "--help")));
  for (const [i, result] of results.entries()) {
    assertEquals([result.code, result.stderr], [0, ""], paths[i]?.join(" "));
    assertMatch(result.stdout, /Usage: noports/);
    assert(result.stdout.split("\n").every((line) => line.length <= 100), result.stdout);
  }
});

Deno.test("the program without a command shows its help on stderr and exits with 2", async () => {
  const { code, stdout, stderr } = await noports();
  assertEquals([code, stdout], [2, ""]);
  assertMatch(stderr, /Commands:/);
});

Deno.test("`noports version` prints the version of deno.json", async () => {
  const config = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  assertEquals(VERSION, config.version);
  const { code, stdout } = await noports("version", "--json");
  assertEquals([code, JSON.parse(stdout).version], [0, VERSION]);
});

Deno.test("a closed stdout is no reason for a stack trace", async () => {
  const { code, stderr } = await runCommand({
    name: "help into a closed pipe",
    command: ["sh", "-c"],
    args: [`"${BIN}" --help | true; "${BIN}" server --help >/dev/full; echo "status $?" >&2`],
    env: {},
  });
  assertEquals(code, 0);
  assertMatch(stderr, /status 1/);
  assert(!/\n\s+at /.test(stderr), stderr);
});

Deno.test("`noports demo` moves its megabytes, proves its point and cleans up", async () => {
  const { code, stdout, stderr } = await noports("demo", "--json");
  assertEquals([code, stderr], [0, ""]);
  const result = JSON.parse(stdout);
  assertEquals([result.ok, result.proof.daemonSockets], [true, 0]);
  assert(result.proof.serverPorts.length >= 2);
  const text = await noports("demo");
  assertEquals(text.code, 0, text.stderr);
  assertEquals(text.stdout.trimEnd().split("\n").at(-1), "demo: ok");
});
