/** What the verb parsers share: refusals, options in any order, words and numbers. Private to `parse/`. */

import { AtError } from "../at_error.ts";
import { isAtSignText } from "../at_key.ts";
import { isToken, type Metadata, METADATA_FIELDS } from "../metadata.ts";
import type { KeyRef } from "../verb.ts";

/** Our choice: with more digits a number is no time and no count, and may not be exact. */
const INTEGER = /^-?\d{1,15}$/;

/** The refusal of a known verb with the form it should have; the wording after the first sentence is free. */
export function syntaxError(usage: string): AtError {
  return new AtError("AT0003", `Invalid syntax. ${usage}`);
}

/** The part of `rest` before the first blank and what follows that blank. */
export function splitAtBlank(rest: string): { head: string; tail: string | null } {
  const blank = rest.search(/\s/);
  if (blank < 0) return { head: rest, tail: null };
  return { head: rest.slice(0, blank), tail: rest.slice(blank + 1) };
}

/** A whole number that may be negative, or null. */
export function parseInteger(text: string): number | null {
  return INTEGER.test(text) ? Number(text) + 0 : null;
}

/** A whole number without a sign, or null. */
export function parseCount(text: string): number | null {
  return text.startsWith("-") ? null : parseInteger(text);
}

/** `true` or `false` in any case (Python writes `True`), or null. */
export function parseBoolean(text: string): boolean | null {
  const word = text.toLowerCase();
  return word === "true" ? true : word === "false" ? false : null;
}

/** The one of `words` that `text` spells in any case, or null. */
export function parseWord<W extends string>(text: string, words: readonly W[]): W | null {
  const lower = text.toLowerCase();
  return words.find((word) => word.toLowerCase() === lower) ?? null;
}

/** Refuses a second occurrence of an option. */
export class OptionSet {
  readonly #seen = new Set<string>();
  constructor(readonly usage: string) {}

  take(name: string): void {
    if (this.#seen.has(name)) throw syntaxError(this.usage);
    this.#seen.add(name);
  }
}

const FIELD_OF_WORD: ReadonlyMap<string, keyof Metadata> = new Map(
  (Object.keys(METADATA_FIELDS) as (keyof Metadata)[]).map((name) => [name.toLowerCase(), name]),
);

/** Collects the metadata options of `update` and `notify`: any order, each once. */
export class MetadataOptions {
  readonly #values: Record<string, unknown> = {};
  constructor(readonly options: OptionSet) {}

  /** True when `word` is one of them; then `value` has been taken. @throws {AtError} AT0003 for a bad or missing value. */
  take(word: string, value: string | undefined): boolean {
    const lower = word.toLowerCase();
    // a newer client's hash of the recipient's key, which changes nothing
    const isIgnored = lower === "hash" || lower === "algo";
    const name = FIELD_OF_WORD.get(lower);
    if (name === undefined && !isIgnored) return false;
    if (value === undefined || !isToken(value)) throw syntaxError(this.options.usage);
    this.options.take(lower);
    if (name !== undefined) this.#set(name, value);
    return true;
  }

  /** What was given; a ttr of 0 counts as not given. */
  result(): Metadata {
    const { ttl, ttb, ttr } = this.#values;
    if (typeof ttl === "number" && ttl < 0) throw outOfRange("TTL");
    if (typeof ttb === "number" && ttb < 0) throw outOfRange("TTB");
    if (typeof ttr === "number" && ttr <= -2) {
      throw new AtError(
        "AT0003",
        "Valid values for TTR are -1 and greater than or equal to 1",
      );
    }
    if (ttr === 0) delete this.#values["ttr"];
    return this.#values as Metadata;
  }

  #set(name: keyof Metadata, value: string): void {
    const kind = METADATA_FIELDS[name];
    const parsed = kind === "integer"
      ? parseInteger(value)
      : kind === "boolean"
      ? parseBoolean(value)
      : value;
    if (parsed === null) throw syntaxError(this.options.usage);
    this.#values[name] = parsed;
  }
}

/** What a verb allows in a key. */
export interface KeyRules {
  readonly usage: string;
  readonly cached: boolean;
  readonly ownerRequired: boolean;
  /** The one `privatekey:` name that the verb may touch. */
  readonly privateKeyName?: string;
}

/** The key in the last segments of a command. @throws {AtError} AT0003. */
export function parseKeyRef(segments: readonly string[], rules: KeyRules): KeyRef {
  const left = [...segments];
  const takeWord = (word: string): boolean => {
    const isHere = left.length > 1 && left[0]?.toLowerCase() === word;
    if (isHere) left.shift();
    return isHere;
  };
  if (rules.privateKeyName !== undefined && takeWord("privatekey")) {
    const isName = left.length === 1 && left[0]?.toLowerCase() === rules.privateKeyName;
    if (!isName) throw syntaxError(rules.usage);
    const entity = `privatekey:${rules.privateKeyName}`;
    return { cached: false, visibility: "self", entity };
  }
  const cached = rules.cached && takeWord("cached");
  const isPublic = takeWord("public");
  const sharedWith = !isPublic && left.length > 1 && left[0]?.startsWith("@")
    ? left.shift()
    : undefined;
  const [key = ""] = left;
  const at = key.indexOf("@");
  const entity = at < 0 ? key : key.slice(0, at);
  const owner = at < 0 ? undefined : key.slice(at);
  const isWhole = left.length === 1 && isToken(entity) &&
    (owner === undefined ? !rules.ownerRequired : isAtSignText(owner)) &&
    (sharedWith === undefined || isAtSignText(sharedWith));
  if (!isWhole) throw syntaxError(rules.usage);
  return {
    cached,
    visibility: isPublic ? "public" : sharedWith === undefined ? "self" : "shared",
    ...(sharedWith === undefined ? {} : { sharedWith }),
    entity,
    ...(owner === undefined ? {} : { owner }),
  };
}

/** Walks `:a:b:c` without cutting up what follows the recipient, which may hold any number of colons. */
export class Segments {
  #at = 0;
  constructor(readonly text: string, readonly usage: string) {}

  next(): string {
    if (this.text[this.#at] !== ":") throw syntaxError(this.usage);
    const end = this.text.indexOf(":", this.#at + 1);
    const segment = this.text.slice(this.#at + 1, end < 0 ? undefined : end);
    this.#at = end < 0 ? this.text.length : end;
    return segment;
  }

  remaining(): string {
    if (this.text[this.#at] !== ":") throw syntaxError(this.usage);
    return this.text.slice(this.#at + 1);
  }
}

/** `key[@owner][:value]`: the key is all up to the next `@`, the value all after the owner's colon. */
export function parseNotifyTarget(
  text: string,
  usage: string,
): { key: string; owner?: string; value?: string } {
  const at = text.indexOf("@");
  const key = at < 0 ? text : text.slice(0, at);
  if (key === "" || key.startsWith(":") || key.includes("::")) throw syntaxError(usage);
  if (at < 0) return { key };
  const colon = text.indexOf(":", at);
  const owner = colon < 0 ? text.slice(at) : text.slice(at, colon);
  const value = colon < 0 ? undefined : text.slice(colon + 1);
  if (!isAtSignText(owner) || value === "") throw syntaxError(usage);
  return value === undefined ? { key, owner } : { key, owner, value };
}

function outOfRange(name: string): AtError {
  return new AtError(
    "AT0003",
    `Valid value for ${name} should be greater than or equal to 0`,
  );
}
