/**
 * The `noports` program: finds the command, gives it what it runs with, prints errors and ends with their exit status.
 * The only place that touches the process itself.
 */

import { type CommandEntry, COMMANDS } from "./commands/mod.ts";
import {
  createLog,
  describeError,
  EXIT_STATUS,
  type Log,
  type LogFormat,
  type LogLevel,
  NoportsError,
  prepareRsaKeyPair,
  systemClock,
  systemEntropy,
  VERSION,
  warmUpTls,
} from "./src/base/mod.ts";
import {
  type Command,
  COMMON_FLAGS,
  type FlagValues,
  isCommandGroup,
  type LeafCommand,
  nearest,
  parseFlags,
  renderCommandHelp,
  renderGroupHelp,
  renderProgramHelp,
} from "./src/cli/mod.ts";
import { openStopSignal } from "./src/control/mod.ts";

/** Our choice: what is still open this long after a signal is cut off. */
const SHUTDOWN_GRACE_MS = 2500;

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args.filter((arg) => arg !== "");
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    const text = renderProgramHelp(COMMANDS, outputWidth());
    if (name !== undefined) {
      writeLine(Deno.stdout, text);
      return 0;
    }
    writeLine(Deno.stderr, text);
    return 2;
  }
  const entry = findEntry(name === "--version" ? "version" : name);
  if (!rest.includes("--help")) {
    if (entry.needs?.includes("rsa key pair")) prepareRsaKeyPair();
    if (entry.needs?.includes("tls")) warmUpTls();
  }
  const command = await entry.load();
  const { path, leaf, leafArgs } = descend(entry.name, command, rest);
  if (leaf === null) return 0;
  if (leafArgs.includes("--help")) {
    writeLine(Deno.stdout, renderCommandHelp(path, leaf, outputWidth()));
    return 0;
  }
  const values = readFlags(path, leaf, leafArgs);
  return await runLeaf(leaf, values);
}

/** The command itself, or one of its family; help asked of a family is printed here and gives no leaf. */
function descend(
  name: string,
  command: Command,
  args: readonly string[],
): { path: string; leaf: LeafCommand | null; leafArgs: readonly string[] } {
  if (!isCommandGroup(command)) return { path: name, leaf: command, leafArgs: args };
  const [sub, ...leafArgs] = args;
  if (sub === "--help" || sub === "help") {
    writeLine(Deno.stdout, renderGroupHelp(command, outputWidth()));
    return { path: name, leaf: null, leafArgs };
  }
  const leaf = command.commands.find((c) => c.name === sub);
  if (leaf !== undefined) return { path: `${name} ${leaf.name}`, leaf, leafArgs };
  const known = command.commands.map((c) => c.name);
  const near = sub === undefined ? undefined : nearest(sub, known);
  throw new NoportsError(
    "usage",
    sub === undefined
      ? `Cannot run ${name}: it needs a command`
      : `Cannot run ${name}: unknown command "${sub}"`,
    {
      hint: near === undefined
        ? `one of: ${known.join(", ")}`
        : `did you mean \`noports ${name} ${near}\`?`,
    },
  );
}

function findEntry(name: string): CommandEntry {
  const entry = COMMANDS.find((c) => c.name === name);
  if (entry !== undefined) return entry;
  const near = nearest(name, COMMANDS.map((c) => c.name));
  throw new NoportsError("usage", `Cannot run "${name}": unknown command`, {
    hint: near === undefined
      ? "`noports --help` lists the commands"
      : `did you mean \`noports ${near}\`?`,
  });
}

function readFlags(path: string, leaf: LeafCommand, args: readonly string[]): FlagValues {
  const values = parseFlags(args, [...leaf.flags, ...COMMON_FLAGS]);
  const extra = values.positionals[leaf.maxPositionals ?? 0];
  if (extra !== undefined) {
    throw new NoportsError("usage", `Cannot run ${path}: unexpected word "${extra}"`, {
      hint: `usage: noports ${path} ${leaf.usage}`,
    });
  }
  return values;
}

async function runLeaf(leaf: LeafCommand, values: FlagValues): Promise<number> {
  const log = openLog(leaf, values);
  using stop = openStopSignal({ onSecond: () => Deno.exit(EXIT_STATUS.interrupted) });
  stop.signal.addEventListener("abort", () => {
    setTimeout(() => {
      log.warn("shutdown took too long, cut off");
      Deno.exit(EXIT_STATUS.interrupted);
    }, SHUTDOWN_GRACE_MS);
  });
  const status = await leaf.run(values, {
    log,
    signal: stop.signal,
    stdout: (line) => writeLine(Deno.stdout, line),
    stderr: (line) => writeLine(Deno.stderr, line),
    env: (name) => Deno.env.get(name),
    clock: systemClock,
    entropy: systemEntropy,
    version: VERSION,
  });
  return status ?? 0;
}

function openLog(leaf: LeafCommand, values: FlagValues): Log {
  const format = values.text("log-format") ?? "text";
  if (format !== "text" && format !== "json") {
    throw new NoportsError("usage", `Cannot log as "${format}"`, {
      hint: "--log-format is text or json",
    });
  }
  return createLog({
    level: logLevel(leaf, values),
    format: format satisfies LogFormat,
    write: (line) => writeLine(Deno.stderr, line),
    now: () => new Date(),
  });
}

function logLevel(leaf: LeafCommand, values: FlagValues): LogLevel {
  if (values.switch("debug") === true) return "debug";
  if (values.switch("verbose") !== true) return leaf.logLevel;
  return leaf.logLevel === "warn" ? "info" : "debug";
}

/** The terminal's width; what is not a terminal gets 100 columns. */
function outputWidth(): number {
  try {
    return Deno.stdout.isTerminal() ? Math.max(20, Deno.consoleSize().columns) : 100;
  } catch {
    return 100;
  }
}

function writeLine(to: typeof Deno.stdout | typeof Deno.stderr, text: string): void {
  const bytes = new TextEncoder().encode(`${text}\n`);
  try {
    for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
  } catch (error) {
    // the reader is gone (`| head`): there is nobody to tell
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Prints an error the way a person can act on and gives the exit status. */
function reportError(error: unknown): number {
  if (error instanceof NoportsError) {
    if (error.code === "interrupted") return error.exitStatus;
    writeLine(Deno.stderr, `noports: ${error.message}`);
    if (error.hint !== undefined) writeLine(Deno.stderr, `  hint: ${error.hint}`);
    return error.exitStatus;
  }
  writeLine(Deno.stderr, `noports: Cannot go on: ${describeError(error)}`);
  writeLine(
    Deno.stderr,
    "  hint: this is a fault of noports; run again with --debug and report it",
  );
  if (Deno.args.includes("--debug") && error instanceof Error) {
    writeLine(Deno.stderr, error.stack ?? "");
  }
  return 1;
}

if (import.meta.main) {
  let status: number;
  try {
    status = await main(Deno.args);
  } catch (error) {
    status = reportError(error);
  }
  Deno.exit(status);
}
