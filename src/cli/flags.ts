/**
 * Command-line flags as data: parsed by `node:util`'s parseArgs, in the vendor's dialect (`-avalue`, `-su`, `--name=value`,
 * `--no-name`, empty arguments ignored because service files pass unset variables so).
 */

import { parseArgs } from "node:util";
import { NoportsError } from "../base/mod.ts";

export interface Flag {
  readonly long: string;
  readonly short?: string;
  /** Further long names, for old command lines. */
  readonly aliases?: readonly string[];
  /** Placeholder of the value in the help, e.g. `ATSIGN`; absent: the flag is a switch. */
  readonly value?: string;
  /** A switch that `--no-<long>` turns off. */
  readonly negatable?: boolean;
  /** May be given more than once; all values are kept. */
  readonly multiple?: boolean;
  readonly help: string;
  readonly default?: string;
  /** Left out of the help. */
  readonly hidden?: boolean;
}

/** The values given on a command line; nothing is defaulted here. */
export interface FlagValues {
  /** The last value given, trimmed, or undefined. */
  text(long: string): string | undefined;
  /** Every value given, trimmed, in order. */
  all(long: string): string[];
  /** True or false when the switch was given, else undefined. */
  switch(long: string): boolean | undefined;
  readonly positionals: readonly string[];
}

/**
 * Parses `args` by `flags`. Empty arguments are dropped.
 * @throws {NoportsError} `usage` for an unknown flag, a missing or an unexpected value; names the nearest flag.
 */
export function parseFlags(args: readonly string[], flags: readonly Flag[]): FlagValues {
  const byName = new Map<string, Flag>();
  const options: Record<string, { type: "string" | "boolean"; short?: string; multiple: true }> =
    {};
  for (const flag of flags) {
    const type = flag.value === undefined ? "boolean" : "string";
    options[flag.long] = {
      type,
      multiple: true,
      ...(flag.short === undefined ? {} : { short: flag.short }),
    };
    byName.set(flag.long, flag);
    for (const alias of flag.aliases ?? []) {
      options[alias] = { type, multiple: true };
      byName.set(alias, flag);
    }
  }
  const given = new Map<string, (string | boolean)[]>();
  const { tokens, positionals } = tokenize(args, options, flags);
  for (const token of tokens) {
    const { name, value } = token;
    const negated = name.startsWith("no-") && !byName.has(name);
    const flag = byName.get(negated ? name.slice(3) : name);
    if (flag === undefined || (negated && flag.negatable !== true)) {
      throw unknownFlag(token.rawName, flags);
    }
    if (flag.value !== undefined && value === undefined) {
      throw new NoportsError("usage", `Cannot read ${token.rawName}: it needs a value`, {
        hint: `give it as ${token.rawName} ${flag.value}`,
      });
    }
    if (flag.value === undefined && value !== undefined) {
      throw new NoportsError("usage", `Cannot read ${token.rawName}: it takes no value`);
    }
    const list = given.get(flag.long) ?? [];
    list.push(flag.value === undefined ? !negated : (value ?? "").trim());
    given.set(flag.long, list);
  }
  return {
    text: (long) => {
      const last = given.get(long)?.at(-1);
      return typeof last === "string" ? last : undefined;
    },
    all: (long) => (given.get(long) ?? []).filter((v) => typeof v === "string"),
    switch: (long) => {
      const last = given.get(long)?.at(-1);
      return typeof last === "boolean" ? last : undefined;
    },
    positionals,
  };
}

/** The word of `known` that is nearest to `word`, when it is near enough to be a slip of the finger. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = candidate.startsWith(word) && word.length >= 3
      ? 1
      : editDistance(word, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
}

function tokenize(
  args: readonly string[],
  options: Record<string, { type: "string" | "boolean"; short?: string; multiple: true }>,
  flags: readonly Flag[],
): { tokens: OptionToken[]; positionals: string[] } {
  try {
    const parsed = parseArgs({
      args: args.filter((arg) => arg !== ""),
      options,
      strict: false,
      allowPositionals: true,
      tokens: true,
    });
    const tokens: OptionToken[] = [];
    for (const token of parsed.tokens) {
      if (token.kind === "option") {
        tokens.push({ name: token.name, rawName: token.rawName, value: token.value });
      }
    }
    return { tokens, positionals: parsed.positionals };
  } catch (cause) {
    throw new NoportsError("usage", `Cannot read the command line: ${(cause as Error).message}`, {
      cause,
      hint: `known flags: ${flags.map((f) => `--${f.long}`).join(" ")}`,
    });
  }
}

function unknownFlag(rawName: string, flags: readonly Flag[]): NoportsError {
  const near = rawName.startsWith("--")
    ? nearest(rawName.slice(2), flags.flatMap((f) => [f.long, ...(f.aliases ?? [])]))
    : undefined;
  return new NoportsError("usage", `Cannot read the command line: unknown flag ${rawName}`, {
    hint: near === undefined ? "see --help for the flags" : `did you mean --${near}?`,
  });
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
