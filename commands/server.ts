/** `noports server …`: wiring. */

import { parseAtSign } from "../src/atprotocol/wire/mod.ts";
import { NoportsError } from "../src/base/mod.ts";
import type { CommandContext, CommandGroup, FlagValues, LeafCommand } from "../src/cli/mod.ts";
import {
  addAtSign,
  DATA_DIR_FLAG,
  listAtSigns,
  type OptionsEnvironment,
  parseDataDir,
  parseServerOptions,
  readCaCertificate,
  runServer,
  SERVER_RUN_FLAGS,
} from "../src/atserver/mod.ts";

const runCommand: LeafCommand = {
  name: "run",
  summary: "Run the atDirectory and the atServers",
  usage: "[--hostname NAME] [flags]",
  flags: SERVER_RUN_FLAGS,
  notes: [
    "Prints one JSON line on stdout when it is ready: the bound addresses and the CA certificate that clients are to trust.",
    "SIGHUP reads the certificate again; SIGINT and SIGTERM stop within 2 s.",
  ],
  logLevel: "info",
  run: (values, context) =>
    runServer(parseServerOptions(values, optionsEnvironment(context)), context),
};

const addCommand: LeafCommand = {
  name: "add",
  summary: "Add an atSign and print its activation code, also while the server runs",
  usage: "ATSIGN [--data-dir DIR]",
  flags: [DATA_DIR_FLAG],
  maxPositionals: 1,
  notes: [
    "The code is shown once. Give it to `noports activate onboard --cram-file -`, which uses it up.",
  ],
  logLevel: "warn",
  run: async (values, context) => {
    const [name] = values.positionals;
    if (name === undefined) {
      throw new NoportsError("usage", "Cannot add an atSign: none is named", {
        hint: "for example: noports server add @alice",
      });
    }
    const options = { dataDir: dataDir(values, context), atSign: parseAtSign(name) };
    context.stdout(await addAtSign(options, context));
  },
};

const listCommand: LeafCommand = {
  name: "list",
  summary: "List the atSigns that are hosted",
  usage: "[--json] [--data-dir DIR]",
  flags: [DATA_DIR_FLAG, { long: "json", help: "print a JSON object" }],
  logLevel: "warn",
  run: async (values, context) => {
    const rows = await listAtSigns({ dataDir: dataDir(values, context) }, context);
    const shown = rows.map((row) => ({
      atSign: row.atSign,
      activated: row.activated,
      createdAt: new Date(row.createdAt).toISOString(),
    }));
    if (values.switch("json") === true) {
      context.stdout(JSON.stringify({ version: 1, atSigns: shown }));
      return;
    }
    const width = Math.max(6, ...shown.map((row) => row.atSign.length));
    for (const row of shown) {
      const state = row.activated ? "activated" : "waits for activation";
      context.stdout(`${row.atSign.padEnd(width)}  ${row.createdAt}  ${state}`);
    }
  },
};

const caCommand: LeafCommand = {
  name: "ca",
  summary: "Print the CA certificate that clients are to trust",
  usage: "[--data-dir DIR]",
  flags: [DATA_DIR_FLAG],
  logLevel: "warn",
  run: async (values, context) => {
    const pem = await readCaCertificate({ dataDir: dataDir(values, context) });
    context.stdout(pem.trimEnd());
  },
};

export const serverCommand: CommandGroup = {
  name: "server",
  summary: "Host the control plane: an atDirectory and its atServers",
  commands: [runCommand, addCommand, listCommand, caCommand],
};

function dataDir(values: FlagValues, context: CommandContext): string {
  return parseDataDir(values, optionsEnvironment(context));
}

function optionsEnvironment(context: CommandContext): OptionsEnvironment {
  return { env: context.env, cwd: Deno.cwd(), machineName: Deno.hostname() };
}
