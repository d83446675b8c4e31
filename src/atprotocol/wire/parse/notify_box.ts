/** Parsers of the verbs around an owner's mailbox: `notify:all`, `notify:list`, `notify:status` and its like. Pure. */

import { AtError } from "../at_error.ts";
import { isAtSignText } from "../at_key.ts";
import type { NotifyAllVerb, Verb } from "../verb.ts";
import {
  MetadataOptions,
  OptionSet,
  parseNotifyTarget,
  parseWord,
  Segments,
  syntaxError,
} from "./_syntax.ts";

const ALL = "e.g. notify:all:update:@bob,@carol:location@alice:San Francisco";
const LIST = "notify:list:<YYYY-MM-DD>:<YYYY-MM-DD>:<regex>";
const BY_ID = "notify:status:<id>, notify:fetch:<id>, notify:remove:<id>";

/** Our choice: each costs a delivery. */
const MAX_RECIPIENTS = 256;
/** Our choice, as for `notify:id`. */
const MAX_ID_CHARS = 255;

export function parseNotifyAll(rest: string): Verb {
  const metadata = new MetadataOptions(new OptionSet(ALL));
  let operation: NotifyAllVerb["operation"] | null = null;
  let messageType: NotifyAllVerb["messageType"] | null = null;
  const segments = new Segments(rest, ALL);
  let segment = segments.next();
  while (!segment.startsWith("@")) {
    const word = parseWord(segment, ["update", "delete"]);
    if (word !== null) {
      metadata.options.take("operation");
      operation = word;
    } else {
      const value = segments.next();
      if (!metadata.take(segment, value)) {
        metadata.options.take(segment.toLowerCase());
        messageType = /^message_?type$/i.test(segment) ? parseWord(value, ["key", "text"]) : null;
        if (messageType === null) throw syntaxError(ALL);
      }
    }
    segment = segments.next();
  }
  const recipients = segment.split(",", MAX_RECIPIENTS + 1);
  if (recipients.length > MAX_RECIPIENTS || !recipients.every(isAtSignText)) {
    throw syntaxError(ALL);
  }
  return {
    verb: "notify:all",
    operation: operation ?? "update",
    messageType: messageType ?? "key",
    metadata: metadata.result(),
    recipients,
    ...parseNotifyTarget(segments.remaining(), ALL),
  };
}

/** The filter may stand behind a colon or a blank; behind a blank it may hold colons. @throws {AtError} AT0003, AT0022. */
export function parseNotifyList(rest: string): Verb {
  const blank = rest.search(/\s/);
  const spaced = blank < 0 ? undefined : rest.slice(blank).trim();
  const segments = (blank < 0 ? rest : rest.slice(0, blank)).split(":");
  if (segments.shift() !== "") throw syntaxError(LIST);
  const fromDate = takeDate(segments);
  const toDate = fromDate === undefined ? undefined : takeDate(segments);
  if (fromDate !== undefined && toDate !== undefined && toDate < fromDate) {
    throw new AtError("AT0022", "ToDate cannot be less than FromDate");
  }
  const [behindColon, ...more] = segments;
  const isWhole = more.length === 0 && behindColon !== "" &&
    (behindColon === undefined || spaced === undefined) &&
    (spaced === undefined || /^\S+$/.test(spaced));
  if (!isWhole) throw syntaxError(LIST);
  const regex = behindColon ?? spaced;
  return {
    verb: "notify:list",
    ...(fromDate === undefined ? {} : { fromDate }),
    ...(toDate === undefined ? {} : { toDate }),
    ...(regex === undefined ? {} : { regex }),
  };
}

export function parseNotifyStatus(rest: string): Verb {
  return { verb: "notify:status", id: parseId(rest) };
}

export function parseNotifyFetch(rest: string): Verb {
  return { verb: "notify:fetch", id: parseId(rest) };
}

export function parseNotifyRemove(rest: string): Verb {
  return { verb: "notify:remove", id: parseId(rest) };
}

function parseId(rest: string): string {
  const id = rest.slice(1);
  if (!rest.startsWith(":") || !/^\S+$/.test(id) || id.length > MAX_ID_CHARS) {
    throw syntaxError(BY_ID);
  }
  return id;
}

/** The first segment if it has the form of a date, with leading zeros. @throws {AtError} AT0022 for no day of the calendar. */
function takeDate(segments: string[]): string | undefined {
  const [, year = "", month = "", day = ""] = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(
    segments[0] ?? "",
  ) ?? [];
  if (year === "") return undefined;
  segments.shift();
  const text = `${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}`;
  const time = Date.parse(`${text}T00:00:00Z`);
  // the 30th of February would be read as a day of March
  if (Number.isNaN(time) || !new Date(time).toISOString().startsWith(text)) {
    throw new AtError("AT0022", "Invalid date format");
  }
  return text;
}
