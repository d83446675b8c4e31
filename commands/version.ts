/** `noports version`: wiring. */

import { VERSION } from "../src/base/mod.ts";
import type { LeafCommand } from "../src/cli/mod.ts";

export const versionCommand: LeafCommand = {
  name: "version",
  summary: "Print the version",
  usage: "[--json]",
  flags: [{ long: "json", help: "print a JSON object" }],
  logLevel: "warn",
  run: (values, { stdout }) => {
    const runtime = `deno ${Deno.version.deno}`;
    const target = Deno.build.target;
    stdout(
      values.switch("json") === true
        ? JSON.stringify({ version: VERSION, runtime, target })
        : `noports ${VERSION} (${runtime}, ${target})`,
    );
    return Promise.resolve();
  },
};
