/** Parsers of `sync:from`, `batch` and `config`. atProtocol specification, Housekeeping verbs; pure. */

import { AtError } from "../at_error.ts";
import { isAtSignText } from "../at_key.ts";
import type { BatchCommand, Verb } from "../verb.ts";
import { parseCount, parseInteger, parseWord, syntaxError } from "./_syntax.ts";

const SYNC = "sync:from:<commit id>:limit:<number>:<regex>";
const BATCH = 'batch:[{"id":1,"command":"update:… "}]';
const CONFIG = "e.g. config:block:add:@alice @bob or config:block:show";

/** Our choice: the vendor's client sends few at a time. */
const MAX_COMMANDS = 500;
/** Our choice: ids are small numbers in practice. */
const MAX_ID_CHARS = 64;
/** Our choice: atSigns in one `config` command. */
const MAX_AT_SIGNS = 256;

/** Parses what follows `sync:from`. */
export function parseSync(rest: string): Verb {
  const [, from = "", limit = "", regex] = /^:([^:\s]+):limit:(\d+)(?::(.+))?$/is.exec(rest) ?? [];
  const fromCommitId = parseInteger(from);
  const count = parseCount(limit);
  if (fromCommitId === null || fromCommitId < -1 || count === null) throw syntaxError(SYNC);
  return {
    verb: "sync",
    fromCommitId,
    limit: count,
    ...(regex === undefined ? {} : { regex }),
  };
}

/** @throws {AtError} AT0003; AT0011, closing, for text that is no JSON. */
export function parseBatch(rest: string): Verb {
  if (!rest.startsWith(":")) throw syntaxError(BATCH);
  let list: unknown;
  try {
    list = JSON.parse(rest.slice(1));
  } catch (cause) {
    throw new AtError("AT0011", "batch is not JSON", { closes: true, cause });
  }
  if (!Array.isArray(list) || list.length > MAX_COMMANDS || !list.every(isBatchCommand)) {
    throw syntaxError(BATCH);
  }
  return { verb: "batch", commands: list.map(({ id, command }) => ({ id, command })) };
}

export function parseConfig(rest: string): Verb {
  const [, first = "", tail = ""] = /^:([a-z]+)(?::(.*))?$/is.exec(rest) ?? [];
  const word = parseWord(first, ["block", "set", "reset", "print"]);
  if (word === "block") return parseBlock(tail);
  if (word === null || tail.trim() === "") throw syntaxError(CONFIG);
  return { verb: "config", operation: word, setting: tail };
}

function parseBlock(text: string): Verb {
  if (text.toLowerCase() === "show") return { verb: "config", operation: "block:show" };
  const [, first = "", list = ""] = /^([a-z]+):(.+)$/is.exec(text) ?? [];
  const word = parseWord(first, ["add", "remove"]);
  const atSigns = list.trim().split(/\s+/, MAX_AT_SIGNS + 1);
  if (word === null || atSigns.length > MAX_AT_SIGNS || !atSigns.every(isAtSignText)) {
    throw syntaxError(CONFIG);
  }
  return { verb: "config", operation: `block:${word}`, atSigns };
}

function isBatchCommand(value: unknown): value is BatchCommand {
  if (typeof value !== "object" || value === null) return false;
  const { id, command } = value as Record<string, unknown>;
  const isId = Number.isSafeInteger(id) || (typeof id === "string" && id.length <= MAX_ID_CHARS);
  return isId && typeof command === "string";
}
