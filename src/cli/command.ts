/** A command of the program as data, and what it is given to run with. */

import type { Clock, Entropy, Log, LogLevel } from "../base/mod.ts";
import type { Flag, FlagValues } from "./flags.ts";

/** What every command runs with; nothing below `main.ts` reaches for a global instead. */
export interface CommandContext {
  readonly log: Log;
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** Writes one line of the command's result. */
  readonly stdout: (line: string) => void;
  /** Writes one line for the person at the terminal: progress, warnings. */
  readonly stderr: (line: string) => void;
  readonly env: (name: string) => string | undefined;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly version: string;
}

/** A command that does something. */
export interface LeafCommand {
  readonly name: string;
  readonly summary: string;
  /** The words after the command in its usage line, e.g. `-a ATSIGN [flags]`. */
  readonly usage: string;
  readonly flags: readonly Flag[];
  /** How many words without a flag it takes, at most. */
  readonly maxPositionals?: number;
  /** Paragraphs shown below the flags. */
  readonly notes?: readonly string[];
  /** What is logged without `-v`: services tell what they do, clients only what is wrong. */
  readonly logLevel: LogLevel;
  /** Resolves when done; a number is the exit status (0 when none). */
  readonly run: (values: FlagValues, context: CommandContext) => Promise<number | void>;
}

/** A command that is a family of commands, e.g. `server`. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly LeafCommand[];
}

export type Command = LeafCommand | CommandGroup;

export function isCommandGroup(command: Command): command is CommandGroup {
  return "commands" in command;
}

/** Flags that every command takes. */
export const COMMON_FLAGS: readonly Flag[] = [
  { long: "verbose", short: "v", help: "log more, to stderr" },
  { long: "debug", help: "log everything, to stderr", hidden: true },
  {
    long: "log-format",
    value: "FORMAT",
    default: "text",
    help: "text, or json for one JSON object a line",
  },
  { long: "help", help: "show this help" },
];
