/** `noports demo`: wiring. */

import type { LeafCommand } from "../src/cli/mod.ts";
import { runDemo, runHttpService } from "../src/demo/mod.ts";

export const demoCommand: LeafCommand = {
  name: "demo",
  summary: "Run the whole system on this machine and move 64 MB through it",
  usage: "[--keep] [--json]",
  flags: [
    {
      long: "keep",
      help: "leave everything running until Ctrl-C and print command lines to play with",
    },
    { long: "json", help: "print one JSON object instead of the table" },
    { long: "http-service", help: "be the demo's HTTP service", hidden: true },
  ],
  notes: [
    "Uses loopback ports and a temporary folder only, and removes it. On Linux it also proves, during the transfer, that the " +
    "daemon has no TCP or UDP listener.",
  ],
  logLevel: "warn",
  run: async (values, context) => {
    if (values.switch("http-service") === true) {
      return await runHttpService((port) => context.stdout(String(port)), context.signal);
    }
    await runDemo({
      keep: values.switch("keep") === true,
      json: values.switch("json") === true,
    }, context);
  },
};
