/** Parsers of `update`, `update:meta`, `delete`, `llookup`, `lookup`, `plookup`, `scan`. atProtocol specification, Data verbs; pure. */

import { isAtSignText } from "../at_key.ts";
import { isToken } from "../metadata.ts";
import type { Detail, Verb } from "../verb.ts";
import {
  MetadataOptions,
  OptionSet,
  parseBoolean,
  parseCount,
  parseKeyRef,
  parseWord,
  splitAtBlank,
  syntaxError,
} from "./_syntax.ts";

const UPDATE = "e.g. update:@alice:location@bob San Francisco";
const UPDATE_META = "e.g. update:meta:@alice:location@bob:ttl:60000";
const DELETE = "e.g. delete:@alice:location@bob";
const LLOOKUP = "e.g. llookup:@alice:location@bob";
const SCAN = "e.g. scan:showHidden:true:@alice <regex>";

const PRIORITIES = ["low", "medium", "high"] as const;

export function parseUpdate(rest: string): Verb {
  const blank = rest.indexOf(" ");
  const value = blank < 0 ? "" : rest.slice(blank + 1);
  if (value === "") throw syntaxError(UPDATE);
  const segments = rest.slice(0, blank).split(":");
  if (segments.shift() !== "") throw syntaxError(UPDATE);
  const metadata = new MetadataOptions(new OptionSet(UPDATE));
  // the last segment is the key, whatever it is called
  while (segments.length > 2 && metadata.take(segments[0] ?? "", segments[1])) {
    segments.splice(0, 2);
  }
  const key = parseKeyRef(segments, {
    usage: UPDATE,
    cached: false,
    ownerRequired: false,
    privateKeyName: "at_pkam_publickey",
  });
  return { verb: "update", key, value, metadata: metadata.result() };
}

/** Metadata behind the key. */
export function parseUpdateMeta(rest: string): Verb {
  const segments = rest.split(":");
  if (segments.shift() !== "") throw syntaxError(UPDATE_META);
  // the key ends with the owner; what stands before an option's name belongs to it
  const end = segments.findIndex((segment, i) =>
    segment.indexOf("@") > 0 || (i > 0 && segment.startsWith("@"))
  );
  const key = parseKeyRef(segments.splice(0, end + 1), {
    usage: UPDATE_META,
    cached: false,
    ownerRequired: true,
  });
  const metadata = new MetadataOptions(new OptionSet(UPDATE_META));
  while (segments.length > 0) {
    if (!metadata.take(segments[0] ?? "", segments[1])) throw syntaxError(UPDATE_META);
    segments.splice(0, 2);
  }
  return { verb: "update:meta", key, metadata: metadata.result() };
}

export function parseDelete(rest: string): Verb {
  const segments = rest.split(":");
  if (segments.shift() !== "") throw syntaxError(DELETE);
  const priority = segments.length > 2 && segments[0]?.toLowerCase() === "priority"
    ? parseWord(segments[1] ?? "", PRIORITIES)
    : undefined;
  if (priority === null) throw syntaxError(DELETE);
  const key = parseKeyRef(priority === undefined ? segments : segments.slice(2), {
    usage: DELETE,
    cached: true,
    ownerRequired: false,
    privateKeyName: "at_secret",
  });
  return priority === undefined ? { verb: "delete", key } : { verb: "delete", priority, key };
}

export function parseLlookup(rest: string): Verb {
  const segments = rest.split(":");
  if (segments.shift() !== "") throw syntaxError(LLOOKUP);
  const detail = segments.length > 1 ? parseWord(segments[0] ?? "", ["meta", "all"]) : null;
  const key = parseKeyRef(detail === null ? segments : segments.slice(1), {
    usage: LLOOKUP,
    cached: true,
    ownerRequired: true,
  });
  return { verb: "llookup", key, detail: detail ?? "value" };
}

export function parseLookup(rest: string): Verb {
  return { verb: "lookup", ...parseRemoteKey(rest, "e.g. lookup:all:phone@alice") };
}

export function parsePlookup(rest: string): Verb {
  return { verb: "plookup", ...parseRemoteKey(rest, "e.g. plookup:all:phone@alice") };
}

export function parseScan(rest: string): Verb {
  const { head, tail } = splitAtBlank(rest);
  const regex = tail?.trim();
  if (regex !== undefined && !/^\S+$/.test(regex)) throw syntaxError(SCAN);
  const segments = head.split(":");
  if (segments.shift() !== "") throw syntaxError(SCAN);
  const options = new OptionSet(SCAN);
  let showHidden = false;
  let atSign: string | undefined;
  for (let segment = segments.shift(); segment !== undefined; segment = segments.shift()) {
    const word = parseWord(segment, ["showhidden", "page"]);
    options.take(word ?? "atSign");
    if (word === null) {
      if (!isAtSignText(segment)) throw syntaxError(SCAN);
      atSign = segment;
      continue;
    }
    const value = segments.shift() ?? "";
    const parsed = word === "page" ? parseCount(value) : parseBoolean(value);
    if (parsed === null) throw syntaxError(SCAN);
    // a page number is accepted and ignored
    if (word === "showhidden") showHidden = parsed === true;
  }
  return {
    verb: "scan",
    showHidden,
    ...(atSign === undefined ? {} : { atSign }),
    ...(regex === undefined ? {} : { regex }),
  };
}

function parseRemoteKey(
  rest: string,
  usage: string,
): { entity: string; owner: string; detail: Detail; bypassCache: boolean } {
  const segments = rest.split(":");
  const key = segments.pop() ?? "";
  if (segments.shift() !== "") throw syntaxError(usage);
  const options = new OptionSet(usage);
  let detail: Detail = "value";
  let bypassCache = false;
  for (let segment = segments.shift(); segment !== undefined; segment = segments.shift()) {
    const word = parseWord(segment, ["bypassCache", "meta", "all"]);
    if (word === null) throw syntaxError(usage);
    options.take(word === "bypassCache" ? word : "detail");
    if (word !== "bypassCache") {
      detail = word;
      continue;
    }
    const value = parseBoolean(segments.shift() ?? "");
    if (value === null) throw syntaxError(usage);
    bypassCache = value;
  }
  const at = key.indexOf("@");
  const entity = key.slice(0, Math.max(at, 0));
  const owner = key.slice(Math.max(at, 0));
  if (!isToken(entity) || !isAtSignText(owner)) throw syntaxError(usage);
  return { entity, owner, detail, bypassCache };
}
