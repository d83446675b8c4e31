/** Parsers of `notify` and `monitor`. atProtocol specification, Notifications; our reading of its gaps: PROTOCOL.md. Pure. */

import { AtError } from "../at_error.ts";
import { isAtSignText } from "../at_key.ts";
import type { NotifyVerb, Verb } from "../verb.ts";
import {
  MetadataOptions,
  OptionSet,
  parseCount,
  parseNotifyTarget,
  parseWord,
  Segments,
  splitAtBlank,
  syntaxError,
} from "./_syntax.ts";

const NOTIFY = "e.g. notify:update:@alice:location@bob:San Francisco";
const MONITOR = "e.g. monitor:selfNotifications:<epoch millis> <regex>";

/** Our choice: ids are UUIDs in practice. */
const MAX_ID_CHARS = 255;

type NotifyOptions = Omit<
  NotifyVerb,
  "verb" | "metadata" | "recipient" | "key" | "owner" | "value"
>;
type Draft = { -readonly [K in keyof NotifyOptions]: NotifyOptions[K] };

/** How the text of a parameter goes into the draft; false refuses it. */
const PARAMETERS: Readonly<Record<string, (draft: Draft, text: string) => boolean>> = {
  id: (draft, text) => {
    draft.id = text;
    return text.length <= MAX_ID_CHARS && /^[\w-]+$/.test(text);
  },
  messagetype: (draft, text) => {
    const word = parseWord(text, ["key", "text"]);
    draft.messageType = word ?? "key";
    return word !== null;
  },
  priority: (draft, text) => {
    const word = parseWord(text, ["low", "medium", "high"]);
    draft.priority = word ?? "low";
    return word !== null;
  },
  strategy: (draft, text) => {
    const word = parseWord(text, ["all", "latest"]);
    draft.strategy = word ?? "all";
    return word !== null;
  },
  latestn: (draft, text) => {
    const number = parseCount(text);
    draft.latestN = number ?? 1;
    return number !== null;
  },
  notifier: (draft, text) => {
    draft.notifier = text;
    return /^\S+$/.test(text);
  },
  ttln: (draft, text) => {
    const number = parseCount(text);
    // 0 means the server's default
    if (number !== null && number > 0) draft.ttlnMs = number;
    return number !== null;
  },
};

export function parseNotify(rest: string): Verb {
  const options = new OptionSet(NOTIFY);
  const metadata = new MetadataOptions(options);
  const draft: Draft = {
    operation: "update",
    messageType: "key",
    priority: "low",
    strategy: "all",
    latestN: 1,
  };
  const segments = new Segments(rest, NOTIFY);
  let recipient = segments.next();
  while (!recipient.startsWith("@") && recipient.toLowerCase() !== "public") {
    takeOption(recipient, segments, draft, options, metadata);
    recipient = segments.next();
  }
  if (recipient.startsWith("@") && !isAtSignText(recipient)) throw syntaxError(NOTIFY);
  if (draft.strategy === "latest" && draft.notifier === undefined) {
    throw new AtError("AT0003", "For Strategy latest, notifier cannot be null");
  }
  return {
    verb: "notify",
    ...draft,
    metadata: metadata.result(),
    recipient: recipient.startsWith("@") ? recipient : "public",
    ...parseNotifyTarget(segments.remaining(), NOTIFY),
  };
}

export function parseMonitor(rest: string): Verb {
  const { head, tail } = splitAtBlank(rest);
  const regex = tail?.trim();
  const segments = head.split(":");
  if (segments.shift() !== "") throw syntaxError(MONITOR);
  const options = new OptionSet(MONITOR);
  let sinceEpochMs: number | undefined;
  const given = new Set<string>();
  for (const segment of segments) {
    const word = parseWord(segment, ["strict", "selfNotifications", "multiplexed"]);
    options.take(word ?? "epoch");
    if (word !== null) {
      given.add(word);
      continue;
    }
    const epoch = parseCount(segment);
    if (epoch === null) throw syntaxError(MONITOR);
    sinceEpochMs = epoch;
  }
  return {
    verb: "monitor",
    strict: given.has("strict"),
    selfNotifications: given.has("selfNotifications"),
    multiplexed: given.has("multiplexed"),
    ...(sinceEpochMs === undefined ? {} : { sinceEpochMs }),
    ...(regex === undefined || regex === "" ? {} : { regex }),
  };
}

/**
 * Whether a notification counts as encrypted: keys are unless the sender says no or the key is public, texts only when
 * the sender says yes.
 */
export function isNotificationEncrypted(verb: NotifyVerb): boolean {
  if (verb.messageType === "text") return verb.metadata.isEncrypted === true;
  return verb.metadata.isEncrypted !== false && !verb.key.startsWith("public");
}

function takeOption(
  segment: string,
  segments: Segments,
  draft: Draft,
  options: OptionSet,
  metadata: MetadataOptions,
): void {
  const operation = parseWord(segment, ["update", "delete"]);
  if (operation !== null) {
    options.take("operation");
    draft.operation = operation;
    return;
  }
  const value = segments.next();
  if (metadata.take(segment, value)) return;
  // the C client's spelling
  const name = segment.toLowerCase() === "message_type" ? "messagetype" : segment.toLowerCase();
  options.take(name);
  const parameter = Object.hasOwn(PARAMETERS, name) ? PARAMETERS[name] : undefined;
  if (parameter === undefined || !parameter(draft, value)) throw syntaxError(NOTIFY);
}
