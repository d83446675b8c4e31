import { assert, assertMatch } from "../../tests/assert.ts";
import type { LeafCommand } from "./command.ts";
import { renderCommandHelp, renderProgramHelp } from "./help.ts";

const COMMAND: LeafCommand = {
  name: "tunnel",
  summary: "Forward a local port to a TCP service on a device",
  usage: "-f ATSIGN -t ATSIGN [flags]",
  flags: [
    { long: "from", short: "f", value: "ATSIGN", help: "your atSign" },
    { long: "secret-switch", help: "not shown", hidden: true },
  ],
  logLevel: "warn",
  run: () => Promise.resolve(),
};

Deno.test("renderCommandHelp() shows usage and flags, leaves hidden ones out, and fits any width", () => {
  const wide = renderCommandHelp("tunnel", COMMAND, 100);
  assertMatch(wide, /^Usage: noports tunnel -f ATSIGN/);
  assertMatch(wide, /-f, --from ATSIGN +your atSign/);
  assert(!wide.includes("secret-switch"));
  const narrow = renderCommandHelp("tunnel", COMMAND, 40);
  assert(narrow.split("\n").every((line) => line.length <= 40), narrow);
});

Deno.test("renderProgramHelp() lists the commands and the exit statuses", () => {
  const text = renderProgramHelp([{ name: "relay", summary: "Join sessions" }], 80);
  assertMatch(text, /relay +Join sessions/);
  assertMatch(text, /7 timed out/);
});
