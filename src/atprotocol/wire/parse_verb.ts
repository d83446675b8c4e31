/**
 * Commands from any of the shipped clients (C, Dart, Python, other atServers) as values: their options come in different
 * orders and spellings, so any order is accepted, each option once. atProtocol specification, Verbs; our reading of its
 * gaps: PROTOCOL.md. Pure: who may run a command is the server's question.
 */

import { AtError } from "./at_error.ts";
import { parseEnroll, parseKeys, parseOtp } from "./parse/apkam.ts";
import {
  parseDelete,
  parseLlookup,
  parseLookup,
  parsePlookup,
  parseScan,
  parseUpdate,
  parseUpdateMeta,
} from "./parse/data.ts";
import { parseExit, parseInfo, parseNoop, parseStats } from "./parse/housekeeping.ts";
import { parseCram, parseFrom, parsePkam, parsePol } from "./parse/login.ts";
import { parseMonitor, parseNotify } from "./parse/notify.ts";
import {
  parseNotifyAll,
  parseNotifyFetch,
  parseNotifyList,
  parseNotifyRemove,
  parseNotifyStatus,
} from "./parse/notify_box.ts";
import { parseUpdateJson } from "./parse/update_json.ts";
import { parseBatch, parseConfig, parseSync } from "./parse/upkeep.ts";
import type { Verb } from "./verb.ts";

export { isNotificationEncrypted } from "./parse/notify.ts";

/** Parses what follows the verb's word: empty, or from its colon or blank on. */
type VerbParser = (rest: string) => Verb;

/** One entry for each verb; one with a colon wins over the same word without. */
const PARSERS: ReadonlyMap<string, VerbParser> = new Map([
  ["from", parseFrom],
  ["cram", parseCram],
  ["pkam", parsePkam],
  ["pol", parsePol],
  ["update", parseUpdate],
  ["update:meta", parseUpdateMeta],
  ["update:json", parseUpdateJson],
  ["delete", parseDelete],
  ["llookup", parseLlookup],
  ["lookup", parseLookup],
  ["plookup", parsePlookup],
  ["scan", parseScan],
  ["notify", parseNotify],
  ["notify:list", parseNotifyList],
  ["notify:status", parseNotifyStatus],
  ["notify:fetch", parseNotifyFetch],
  ["notify:remove", parseNotifyRemove],
  ["notify:all", parseNotifyAll],
  ["monitor", parseMonitor],
  ["enroll", parseEnroll],
  ["otp", parseOtp],
  ["keys", parseKeys],
  ["noop", parseNoop],
  ["info", parseInfo],
  ["stats", parseStats],
  ["sync:from", parseSync],
  ["batch", parseBatch],
  ["config", parseConfig],
  ["@exit", parseExit],
]);

/**
 * Parses one command line without its LF; white space around it is dropped.
 * @throws {AtError} AT0003 for an unknown verb or bad syntax, AT0011 (closing) for a client configuration that is no JSON.
 */
export function parseVerb(line: string): Verb {
  const text = line.trim();
  if (/[\r\n]/.test(text)) throw unknownVerb();
  // only the verb's word is free in its case: a regex or a value keeps its own
  const word = (/^@?[a-z]+/i.exec(text)?.[0] ?? "").toLowerCase();
  const rest = text.slice(word.length);
  if (rest !== "" && !/^[:\s]/.test(rest)) throw unknownVerb();
  const second = /^:([a-z]+)(?=:|\s|$)/i.exec(rest)?.[1]?.toLowerCase();
  const longer = second === undefined ? undefined : PARSERS.get(`${word}:${second}`);
  if (longer !== undefined) return longer(rest.slice(1 + (second ?? "").length));
  const parser = PARSERS.get(word);
  if (parser === undefined) throw unknownVerb();
  return parser(rest);
}

function unknownVerb(): AtError {
  return new AtError("AT0003", "invalid command");
}
