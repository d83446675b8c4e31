/**
 * Commands as text, in the form of the vendor's Dart client. atProtocol specification, Verbs; our reading of its gaps: PROTOCOL.md.
 * Pure: whether the server's answer is waited for is the connection's.
 */

import { NoportsError } from "../../base/mod.ts";
import { encodeKeyRef, isAtSignText } from "./at_key.ts";
import { encodeMetadata, isToken } from "./metadata.ts";
import type {
  Detail,
  KeysVerb,
  MonitorVerb,
  NotifyAllVerb,
  NotifyListVerb,
  NotifyVerb,
  Verb,
} from "./verb.ts";

/** What the vendor's client says when nobody named a notifier. */
const DEFAULT_NOTIFIER = "SYSTEM";

/**
 * One command as one line with its LF.
 * @throws {NoportsError} `usage` for a field that the line could not carry: a line break would smuggle in a second command.
 */
export function encodeVerb(verb: Verb): string {
  const line = encodeFields(verb);
  if (/[\r\n]/.test(line)) throw refuse(verb.verb, "line break in a field");
  return `${line}\n`;
}

function encodeFields(v: Verb): string {
  switch (v.verb) {
    case "from":
      return v.clientConfig === undefined
        ? `from:${atSign(v.atSign, "from")}`
        : `from:${atSign(v.atSign, "from")}:clientConfig:${JSON.stringify(v.clientConfig)}`;
    case "cram":
      return `cram:${token(v.digest, "cram")}`;
    case "pkam": {
      const enrollment = v.enrollmentId === undefined
        ? ""
        : `:enrollmentId:${token(v.enrollmentId, "pkam")}`;
      const algorithms = `signingAlgo:${v.signingAlgo}:hashingAlgo:${v.hashingAlgo}`;
      return `pkam:${algorithms}${enrollment}:${token(v.signature, "pkam")}`;
    }
    case "pol":
      return "pol";
    case "noop":
      return `noop:${count(v.durationMs, "noop")}`;
    case "info":
      return v.brief ? "info:brief" : "info";
    case "stats": {
      const ids = v.ids.map((id) => token(id, "stats")).join(",");
      if (v.regex !== undefined && (v.regex.trim() === "" || !/^(?:3|15)$/.test(ids))) {
        throw refuse("stats", "a regex goes with 3 or 15 only");
      }
      if (ids === "") return "stats";
      return v.regex === undefined ? `stats:${ids}` : `stats:${ids}:${v.regex}`;
    }
    case "update":
      return `update${encodeMetadata(v.metadata)}:${encodeKeyRef(v.key)} ${
        content(v.value, "update")
      }`;
    case "update:meta":
      return `update:meta:${encodeKeyRef(v.key)}${encodeMetadata(v.metadata)}`;
    case "delete":
      return `delete${v.priority === undefined ? "" : `:priority:${v.priority}`}:${
        encodeKeyRef(v.key)
      }`;
    case "llookup":
      return `llookup:${detail(v.detail)}${encodeKeyRef(v.key)}`;
    case "lookup":
    case "plookup": {
      const bypass = v.bypassCache ? "bypassCache:true:" : "";
      const key = `${token(v.entity, v.verb)}${atSign(v.owner, v.verb)}`;
      return `${v.verb}:${bypass}${detail(v.detail)}${key}`;
    }
    case "scan": {
      const hidden = v.showHidden ? ":showhidden:true" : "";
      const of = v.atSign === undefined ? "" : `:${atSign(v.atSign, "scan")}`;
      if (v.regex !== undefined && !/^\S+$/.test(v.regex)) {
        throw refuse("scan", "white space in the regex");
      }
      return `scan${hidden}${of}${v.regex === undefined ? "" : ` ${v.regex}`}`;
    }
    case "notify":
      return encodeNotify(v);
    case "notify:all":
      return encodeNotifyAll(v);
    case "notify:list":
      return encodeNotifyList(v);
    case "notify:status":
    case "notify:fetch":
    case "notify:remove":
      return `${v.verb}:${word(v.id, v.verb)}`;
    case "monitor":
      return encodeMonitor(v);
    case "sync": {
      const from = v.fromCommitId === -1 ? "-1" : count(v.fromCommitId, "sync");
      if (v.regex !== undefined && v.regex.trim() === "") throw refuse("sync", "empty regex");
      const regex = v.regex === undefined ? "" : `:${v.regex}`;
      return `sync:from:${from}:limit:${count(v.limit, "sync")}${regex}`;
    }
    case "batch":
      return `batch:${JSON.stringify(v.commands.map(({ id, command }) => ({ id, command })))}`;
    case "config":
      return encodeConfig(v);
    case "enroll": {
      const force = v.force ? ":force" : "";
      if (v.params !== undefined && !v.params.startsWith("{")) {
        throw refuse("enroll", "parameters are not a JSON object");
      }
      return `enroll:${v.operation}${force}${v.params === undefined ? "" : `:${v.params}`}`;
    }
    case "otp": {
      const passcode = v.passcode === undefined ? "" : `:${token(v.passcode, "otp")}`;
      if ((passcode === "") !== (v.operation === "get")) {
        throw refuse("otp", "put needs a passcode");
      }
      const ttl = v.ttlMs === undefined ? "" : `:ttl:${count(v.ttlMs, "otp")}`;
      return `otp:${v.operation}${passcode}${ttl}`;
    }
    case "keys":
      return encodeKeys(v);
    case "exit":
      return "@exit";
    default:
      return v satisfies never;
  }
}

function encodeNotify(v: NotifyVerb): string {
  if (v.strategy === "latest" && v.notifier === undefined) {
    throw refuse("notify", "strategy latest without a notifier");
  }
  const notifier = v.notifier ?? DEFAULT_NOTIFIER;
  if (!/^[^:\s]+$/.test(notifier)) throw refuse("notify", "bad notifier");
  const fields = [
    ...(v.id === undefined ? [] : ["id", token(v.id, "notify")]),
    v.operation,
    ...["messageType", v.messageType, "priority", v.priority, "strategy", v.strategy],
    ...["latestN", count(v.latestN, "notify"), "notifier", notifier],
    ...(v.ttlnMs === undefined ? [] : ["ttln", count(v.ttlnMs, "notify")]),
  ];
  const recipient = v.recipient === "public" ? "public" : atSign(v.recipient, "notify");
  const metadata = encodeMetadata(v.metadata);
  return `notify:${fields.join(":")}${metadata}:${recipient}:${encodeNotifyTarget(v)}`;
}

/** `key[@owner][:value]`. */
function encodeNotifyTarget(v: NotifyVerb | NotifyAllVerb): string {
  // up to here the key is free text: the first @ ends it
  const isKey = v.key !== "" && !v.key.startsWith(":") && !/@|::|^\s|\s$/.test(v.key);
  if (!isKey) throw refuse(v.verb, "bad key");
  if (v.owner === undefined && v.value !== undefined) {
    throw refuse(v.verb, "a value needs a key with an owner");
  }
  const owner = v.owner === undefined ? "" : atSign(v.owner, v.verb);
  const value = v.value === undefined ? "" : `:${content(v.value, v.verb)}`;
  return `${v.key}${owner}${value}`;
}

function encodeNotifyAll(v: NotifyAllVerb): string {
  if (v.recipients.length === 0) throw refuse(v.verb, "no recipient");
  // a comma ends a recipient
  if (v.recipients.some((to) => to.includes(","))) throw refuse(v.verb, "bad atSign");
  const recipients = v.recipients.map((to) => atSign(to, v.verb)).join(",");
  const options = `${v.operation}:messageType:${v.messageType}${encodeMetadata(v.metadata)}`;
  return `notify:all:${options}:${recipients}:${encodeNotifyTarget(v)}`;
}

/** The regex stands behind a blank, where it may hold colons. */
function encodeNotifyList({ verb, fromDate, toDate, regex }: NotifyListVerb): string {
  if (fromDate === undefined && toDate !== undefined) throw refuse(verb, "only the second date");
  const dates = [fromDate, toDate].filter((date) => date !== undefined);
  if (!dates.every((date) => /^\d{4}-\d\d-\d\d$/.test(date))) throw refuse(verb, "bad date");
  return [["notify:list", ...dates].join(":"), ...(regex === undefined ? [] : [word(regex, verb)])]
    .join(" ");
}

function encodeConfig(v: Extract<Verb, { verb: "config" }>): string {
  switch (v.operation) {
    case "block:show":
      return "config:block:show";
    case "block:add":
    case "block:remove":
      if (v.atSigns.length === 0) throw refuse("config", "no atSign");
      return `config:${v.operation}:${v.atSigns.map((of) => atSign(of, "config")).join(" ")}`;
    case "set":
    case "reset":
    case "print":
      if (v.setting !== v.setting.trim() || v.setting === "") throw refuse("config", "bad setting");
      return `config:${v.operation}:${v.setting}`;
    default:
      return v satisfies never;
  }
}

function encodeMonitor(v: MonitorVerb): string {
  const options = [
    ...(v.strict ? ["strict"] : []),
    ...(v.selfNotifications ? ["selfNotifications"] : []),
    ...(v.multiplexed ? ["multiplexed"] : []),
    ...(v.sinceEpochMs === undefined ? [] : [count(v.sinceEpochMs, "monitor")]),
  ];
  if (v.regex !== undefined && v.regex.trim() === "") throw refuse("monitor", "empty regex");
  const regex = v.regex === undefined ? "" : ` ${v.regex}`;
  return `${["monitor", ...options].join(":")}${regex}`;
}

/** The key's name stands last, because it may hold colons. */
function encodeKeys(v: KeysVerb): string {
  const options = (
    ["namespace", "appName", "deviceName", "keyType", "encryptionKeyName"] as const
  ).flatMap((name) => {
    const word = v[name];
    return word === undefined ? [] : [name, token(word, "keys")];
  });
  if (v.keyName !== undefined && !/^\S+$/.test(v.keyName)) throw refuse("keys", "bad key name");
  const fields = [
    v.operation,
    ...(v.visibility === undefined ? [] : [v.visibility]),
    ...options,
    ...(v.keyName === undefined ? [] : ["keyName", v.keyName]),
  ];
  const value = v.value === undefined ? "" : ` ${content(v.value, "keys")}`;
  return `keys:${fields.join(":")}${value}`;
}

function detail(which: Detail): string {
  return which === "value" ? "" : `${which}:`;
}

function atSign(text: string, verb: string): string {
  if (!isAtSignText(text)) throw refuse(verb, "bad atSign");
  return text;
}

function token(text: string, verb: string): string {
  if (!isToken(text)) throw refuse(verb, "empty field or forbidden character");
  return text;
}

/** Text that may hold colons and `@`, not blanks. */
function word(text: string, verb: string): string {
  if (!/^\S+$/.test(text)) throw refuse(verb, "empty field or white space");
  return text;
}

function count(value: number, verb: string): string {
  if (!Number.isSafeInteger(value) || value < 0) throw refuse(verb, "not a whole number");
  return String(value);
}

/** A value stands last on the line, where servers drop white space. */
function content(value: string, verb: string): string {
  if (value.trim() === "") throw refuse(verb, "empty value");
  return value;
}

function refuse(verb: string, state: string): NoportsError {
  return new NoportsError("usage", `Cannot encode ${verb}: ${state}`);
}
