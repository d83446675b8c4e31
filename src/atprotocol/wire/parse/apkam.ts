/** Parsers of `enroll`, `otp` and `keys`: the verbs of enrollments. atProtocol specification, APKAM; pure. */

import type { EnrollOperation, KeysVerb, KeyVisibility, Verb } from "../verb.ts";
import { OptionSet, parseCount, parseWord, syntaxError } from "./_syntax.ts";

const ENROLL = 'e.g. enroll:request:{"appName":"myApp"}';
const OTP = "e.g. otp:get:ttl:300000 or otp:put:<passcode>";
const KEYS = "e.g. keys:get:keyName:<name>";

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
const VISIBILITIES: readonly KeyVisibility[] = ["public", "private", "self"];

/** The specification's least length; the most is our choice, above the 16 of the vendor's tool. */
const PASSCODE = /^\w{6,100}$/;
/** Our choice: parts of a stored name, which is bounded as a whole. */
const WORD = /^[\w-]{1,100}$/;
const WORD_OPTIONS = [
  "namespace",
  "appName",
  "deviceName",
  "keyType",
  "encryptionKeyName",
] as const;

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

export function parseOtp(rest: string): Verb {
  const segments = rest.split(":", 8);
  const operation = parseWord(segments[1] ?? "", ["get", "put"]);
  const passcode = operation === "put" ? segments[2] : undefined;
  const options = segments.slice(operation === "put" ? 3 : 2);
  const isWhole = segments[0] === "" && operation !== null &&
    (passcode === undefined ? operation === "get" : PASSCODE.test(passcode)) &&
    (options.length === 0 || (options.length === 2 && options[0]?.toLowerCase() === "ttl"));
  const ttlMs = options.length === 0 ? undefined : parseCount(options[1] ?? "");
  if (!isWhole || ttlMs === null) throw syntaxError(OTP);
  return {
    verb: "otp",
    operation,
    ...(passcode === undefined ? {} : { passcode }),
    ...(ttlMs === undefined ? {} : { ttlMs }),
  };
}

/** A key's name comes last and may hold colons; a value stands behind the first blank. */
export function parseKeys(rest: string): KeysVerb {
  const blank = rest.search(/\s/);
  const head = blank < 0 ? rest : rest.slice(0, blank);
  const value = blank < 0 ? undefined : rest.slice(blank + 1);
  const [front = "", keyName] = splitOnce(head, /:keyName:/i);
  const segments = front.split(":", 32);
  const operation = parseWord(segments[1] ?? "", ["put", "get", "delete"]);
  if (segments[0] !== "" || operation === null || keyName === "" || value === "") {
    throw syntaxError(KEYS);
  }
  const visibility = parseWord(segments[2] ?? "", VISIBILITIES);
  const verb: KeysVerb = {
    verb: "keys",
    operation,
    ...(visibility === null ? {} : { visibility }),
    ...wordOptions(segments.slice(visibility === null ? 2 : 3)),
    ...(keyName === undefined ? {} : { keyName }),
    ...(value === undefined ? {} : { value }),
  };
  const isWhole = operation === "put"
    ? visibility !== null && keyName !== undefined && value !== undefined
    : value === undefined &&
      (keyName !== undefined || (operation === "get" && visibility !== null));
  if (!isWhole) throw syntaxError(KEYS);
  return verb;
}

function wordOptions(segments: readonly string[]): Partial<KeysVerb> {
  const options = new OptionSet(KEYS);
  const found: Partial<Record<typeof WORD_OPTIONS[number], string>> = {};
  for (let i = 0; i < segments.length; i += 2) {
    const name = parseWord(segments[i] ?? "", WORD_OPTIONS);
    const word = segments[i + 1] ?? "";
    if (name === null || !WORD.test(word)) throw syntaxError(KEYS);
    options.take(name);
    found[name] = word;
  }
  return found;
}

function splitOnce(text: string, at: RegExp): [string, string?] {
  const match = at.exec(text);
  if (match === null) return [text];
  return [text.slice(0, match.index), text.slice(match.index + match[0].length)];
}
