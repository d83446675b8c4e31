/** `noports server …`: wiring. */

import { type AtSign, parseAtSign } from "../src/atprotocol/wire/mod.ts";
import { NoportsError } from "../src/base/mod.ts";
import type { CommandContext, CommandGroup, FlagValues, LeafCommand } from "../src/cli/mod.ts";
import { confirm, readPassphrase } from "../src/config/mod.ts";
import {
  addAtSign,
  backUp,
  DATA_DIR_FLAG,
  DEFAULT_LIMITS,
  formatLimit,
  LIMIT_TABLE,
  listAtSigns,
  type OptionsEnvironment,
  parseDataDir,
  parseServerOptions,
  readCaCertificate,
  readStatus,
  removeAtSign,
  renderLimits,
  renderStatus,
  resetAtSign,
  restore,
  runServer,
  SERVER_RUN_FLAGS,
} from "../src/atserver/mod.ts";

const JSON_FLAG = { long: "json", help: "print a JSON object" } as const;
const YES_FLAG = { long: "yes", short: "y", help: "do not ask" } as const;
const PASSPHRASE_FLAG = {
  long: "passphrase-file",
  value: "FILE",
  help: "the passphrase is the first line of this file, or of standard input with -",
} as const;
/** The status of `noports server status` when no server runs: not found. */
const NOT_RUNNING = 3;

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
    const options = { dataDir: dataDir(values, context), atSign: namedAtSign(values, "add") };
    context.stdout(await addAtSign(options, context));
  },
};

const removeCommand: LeafCommand = {
  name: "remove",
  summary: "Remove an atSign with all its data, also while the server runs",
  usage: "ATSIGN [--yes] [--data-dir DIR]",
  flags: [YES_FLAG, DATA_DIR_FLAG],
  maxPositionals: 1,
  notes: ["Its live connections end. There is no way back but a backup."],
  logLevel: "warn",
  run: async (values, context) => {
    const atSign = namedAtSign(values, "remove");
    await confirmed(`Remove ${atSign} and all its data?`, atSign, values, context);
    await removeAtSign({ dataDir: dataDir(values, context), atSign }, context);
  },
};

const resetCommand: LeafCommand = {
  name: "reset",
  summary: "Delete an atSign's data and print a new activation code, also while the server runs",
  usage: "ATSIGN [--yes] [--data-dir DIR]",
  flags: [YES_FLAG, DATA_DIR_FLAG],
  maxPositionals: 1,
  notes: [
    "For keys that are lost: its key files are worthless then, and its live connections end.",
  ],
  logLevel: "warn",
  run: async (values, context) => {
    const atSign = namedAtSign(values, "reset");
    await confirmed(`Delete all data of ${atSign} and its keys?`, atSign, values, context);
    context.stdout(await resetAtSign({ dataDir: dataDir(values, context), atSign }, context));
  },
};

const listCommand: LeafCommand = {
  name: "list",
  summary: "List the atSigns that are hosted",
  usage: "[--json] [--data-dir DIR]",
  flags: [DATA_DIR_FLAG, JSON_FLAG],
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

const statusCommand: LeafCommand = {
  name: "status",
  summary: "Show whether the server runs, where, and what it holds",
  usage: "[--json] [--data-dir DIR]",
  flags: [DATA_DIR_FLAG, JSON_FLAG],
  notes: ["Ends with status 3 when no server runs."],
  logLevel: "warn",
  run: async (values, context) => {
    const status = await readStatus({ dataDir: dataDir(values, context) }, context);
    if (values.switch("json") === true) context.stdout(JSON.stringify(status));
    else for (const line of renderStatus(status)) context.stdout(line);
    return status.running ? 0 : NOT_RUNNING;
  },
};

const backupCommand: LeafCommand = {
  name: "backup",
  summary: "Write everything to one file, also while the server runs",
  usage: "FILE|- [--passphrase-file FILE|-] [--data-dir DIR]",
  flags: [PASSPHRASE_FLAG, DATA_DIR_FLAG],
  maxPositionals: 1,
  notes: [
    "With a passphrase the file is encrypted and complete. Without one it is readable, and activation codes, signing keys, " +
    "passcodes and the keys of the server's own authority are left out of it.",
  ],
  logLevel: "warn",
  run: async (values, context) => {
    const file = namedFile(values, "back up");
    const passphrase = await passphraseOf(values);
    const options = { dataDir: dataDir(values, context), file, passphrase };
    const result = await backUp(options, context);
    const how = result.encrypted ? "encrypted, complete" : "not encrypted";
    context.stderr(`${result.atSigns} atSigns, ${result.bytes} bytes, ${how}`);
    for (const left of result.leftOut) context.stderr(`left out: ${left}`);
  },
};

const restoreCommand: LeafCommand = {
  name: "restore",
  summary: "Check a backup and put it into an empty data folder",
  usage: "FILE|- [--passphrase-file FILE|-] [--force] [--data-dir DIR]",
  flags: [
    PASSPHRASE_FLAG,
    { long: "force", help: "replace the data that is in the folder, which is lost then" },
    DATA_DIR_FLAG,
  ],
  maxPositionals: 1,
  notes: ["Not while a server runs with the folder. All of it is restored, or nothing is changed."],
  logLevel: "warn",
  run: async (values, context) => {
    const file = namedFile(values, "restore");
    const { head, atSigns } = await restore({
      dataDir: dataDir(values, context),
      file,
      passphrase: await passphraseOf(values),
      force: values.switch("force") === true,
    }, context);
    context.stderr(`restored ${atSigns.length} atSigns from ${head.createdAt}`);
    for (const left of head.leftOut) context.stderr(`not in the backup: ${left}`);
    if (head.complete) return;
    for (const { atSign, activated } of atSigns) {
      if (!activated) {
        context.stderr(`${atSign} needs a new activation code: noports server reset ${atSign}`);
      }
    }
  },
};

const limitsCommand: LeafCommand = {
  name: "limits",
  summary: "Print the limits that `noports server run --limit NAME=VALUE` changes",
  usage: "[--json]",
  flags: [JSON_FLAG],
  logLevel: "warn",
  run: (values, context) => {
    if (values.switch("json") !== true) {
      for (const line of renderLimits()) context.stdout(line);
      return Promise.resolve();
    }
    const limits = LIMIT_TABLE.map((row) => {
      const { name, unit, meaning } = row;
      return { name, unit, default: formatLimit(row, DEFAULT_LIMITS[row.field]), meaning };
    });
    context.stdout(JSON.stringify({ version: 1, limits }));
    return Promise.resolve();
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
  commands: [
    ...[runCommand, addCommand, removeCommand, resetCommand, listCommand, statusCommand],
    ...[backupCommand, restoreCommand, limitsCommand, caCommand],
  ],
};

function namedAtSign(values: FlagValues, action: string): AtSign {
  const [name] = values.positionals;
  if (name !== undefined) return parseAtSign(name);
  throw new NoportsError("usage", `Cannot ${action} an atSign: none is named`, {
    hint: `for example: noports server ${action} @alice`,
  });
}

function namedFile(values: FlagValues, action: string): string {
  const [name] = values.positionals;
  if (name !== undefined) return name;
  throw new NoportsError("usage", `Cannot ${action}: no file is named`, {
    hint: "name a file, or - for the standard streams",
  });
}

async function passphraseOf(values: FlagValues): Promise<string | null> {
  const file = values.text("passphrase-file");
  if (file === "-" && values.positionals[0] === "-") {
    throw new NoportsError("usage", "Cannot read both passphrase and backup from standard input");
  }
  return file === undefined ? null : await readPassphrase(file);
}

async function confirmed(
  question: string,
  atSign: AtSign,
  values: FlagValues,
  { stderr, signal }: CommandContext,
): Promise<void> {
  await confirm(question, atSign, { isSure: values.switch("yes") === true, stderr, signal });
}

function dataDir(values: FlagValues, context: CommandContext): string {
  return parseDataDir(values, optionsEnvironment(context));
}

function optionsEnvironment(context: CommandContext): OptionsEnvironment {
  return { env: context.env, cwd: Deno.cwd(), machineName: Deno.hostname() };
}
