/** Parsers of `noop`, `info`, `stats` and `@exit`. atProtocol specification; pure. */

import type { Verb } from "../verb.ts";
import { parseCount, syntaxError } from "./_syntax.ts";

const NOOP = "noop:<durationInMillis>";
const INFO = "info or info:brief";
const STATS = "e.g. stats:3:<regex>";
const EXIT = "@exit";

/** Our choice: the specification knows 15 statistics. */
const MAX_IDS = 32;
/** The statistics that a regex can narrow. */
const IDS_WITH_REGEX: readonly string[] = ["3", "15"];

export function parseNoop(rest: string): Verb {
  const durationMs = rest.startsWith(":") ? parseCount(rest.slice(1)) : null;
  if (durationMs === null) throw syntaxError(NOOP);
  return { verb: "noop", durationMs };
}

export function parseInfo(rest: string): Verb {
  const brief = rest.toLowerCase() === ":brief";
  if (!brief && rest !== "") throw syntaxError(INFO);
  return { verb: "info", brief };
}

export function parseStats(rest: string): Verb {
  if (rest === "") return { verb: "stats", ids: [] };
  const [, list = "", regex] = /^:(\d{1,9}(?:,\d{1,9})*)(?::(.+))?$/s.exec(rest) ?? [];
  if (list === "") throw syntaxError(STATS);
  const ids = list.split(",", MAX_IDS + 1);
  if (ids.length > MAX_IDS) throw syntaxError(STATS);
  if (regex === undefined) return { verb: "stats", ids };
  if (!IDS_WITH_REGEX.includes(list)) throw syntaxError(STATS);
  return { verb: "stats", ids: [list], regex };
}

export function parseExit(rest: string): Verb {
  if (rest !== "") throw syntaxError(EXIT);
  return { verb: "exit" };
}
