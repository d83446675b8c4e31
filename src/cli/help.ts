/** Renders help texts from the command tables. */

import { type CommandGroup, COMMON_FLAGS, type LeafCommand } from "./command.ts";
import type { Flag } from "./flags.ts";

/** A line of the program's own help: a command and what it does. */
export interface Summary {
  readonly name: string;
  readonly summary: string;
}

/** The help of the whole program. */
export function renderProgramHelp(commands: readonly Summary[], width: number): string {
  return [
    "noports: reach a TCP service on a device with no open port",
    "",
    "Usage: noports <command> [flags]",
    "",
    "Commands:",
    ...columns(commands.map((c) => [c.name, c.summary]), width),
    "",
    "`noports <command> --help` shows the flags of a command.",
    "",
    ...wrap(
      "Exit statuses: 0 ok, 1 error, 2 usage, 3 not found or offline, 4 not authenticated, 5 denied, " +
        "6 network or relay unreachable, 7 timed out, 8 conflict, 130 interrupted.",
      width,
    ),
  ].join("\n");
}

/** The help of a family of commands. */
export function renderGroupHelp(group: CommandGroup, width: number): string {
  return [
    `Usage: noports ${group.name} <command> [flags]`,
    "",
    ...wrap(`${group.summary}.`, width),
    "",
    "Commands:",
    ...columns(group.commands.map((c) => [c.name, c.summary]), width),
    "",
    `\`noports ${group.name} <command> --help\` shows the flags of a command.`,
  ].join("\n");
}

/** The help of one command; `path` is how it is called, e.g. `server run`. */
export function renderCommandHelp(path: string, command: LeafCommand, width: number): string {
  const flags = [...command.flags, ...COMMON_FLAGS].filter((flag) => flag.hidden !== true);
  const lines = [
    ...wrap(`Usage: noports ${path} ${command.usage}`, width),
    "",
    ...wrap(`${command.summary}.`, width),
    "",
    "Flags:",
    ...columns(flags.map((flag) => [flagName(flag), flagHelp(flag)]), width),
  ];
  for (const note of command.notes ?? []) lines.push("", ...wrap(note, width));
  return lines.join("\n");
}

function flagName(flag: Flag): string {
  const short = flag.short === undefined ? "    " : `-${flag.short}, `;
  const value = flag.value === undefined ? "" : ` ${flag.value}`;
  return `${short}--${flag.negatable === true ? "[no-]" : ""}${flag.long}${value}`;
}

function flagHelp(flag: Flag): string {
  return flag.default === undefined ? flag.help : `${flag.help} (default: ${flag.default})`;
}

/** Two columns; where the terminal is too narrow for both, the second goes below the first. */
function columns(rows: readonly (readonly [string, string])[], width: number): string[] {
  const left = Math.min(Math.max(...rows.map(([name]) => name.length)), 34) + 4;
  const narrow = width < left + 24;
  const indent = narrow ? 6 : left;
  const lines: string[] = [];
  for (const [name, text] of rows) {
    const body = wrap(text, Math.max(width - indent, 12));
    const head = `  ${name}`;
    if (narrow || head.length > left - 2) {
      lines.push(head, ...body.map((line) => " ".repeat(indent) + line));
    } else {
      lines.push(head.padEnd(left) + (body[0] ?? ""));
      for (const line of body.slice(1)) lines.push(" ".repeat(indent) + line);
    }
  }
  return lines;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  if (line !== "") lines.push(line);
  return lines;
}
