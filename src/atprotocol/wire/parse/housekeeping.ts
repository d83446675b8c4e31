/** Parsers of `noop`, `info`, `stats`, `enroll` and `@exit`. atProtocol specification; pure. */

import type { EnrollOperation, Verb } from "../verb.ts";
import { parseCount, parseWord, syntaxError } from "./_syntax.ts";

const NOOP = "noop:<durationInMillis>";
const INFO = "info or info:brief";
const STATS = "e.g. stats:3:<regex>";
const ENROLL = 'e.g. enroll:request:{"appName":"myApp"}';
const EXIT = "@exit";

const OPERATIONS: readonly EnrollOperation[] = [
  "request",
  "approve",
  "deny",
  "revoke",
  "unrevoke",
  "list",
  "fetch",
  "delete",
];
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

export function parseEnroll(rest: string): Verb {
  const [, word = "", force, params] = /^:([a-z]+)(:force)?(?::(\{.*))?$/is.exec(rest) ?? [];
  const operation = parseWord(word, OPERATIONS);
  if (operation === null) throw syntaxError(ENROLL);
  return {
    verb: "enroll",
    operation,
    force: force !== undefined,
    ...(params === undefined ? {} : { params }),
  };
}

export function parseExit(rest: string): Verb {
  if (rest !== "") throw syntaxError(EXIT);
  return { verb: "exit" };
}
