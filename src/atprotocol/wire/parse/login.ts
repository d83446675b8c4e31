/** Parsers of `from`, `cram`, `pkam`, `pol`: who is there. atProtocol specification, Authentication verbs; pure. */

import { AtError } from "../at_error.ts";
import { isToken } from "../metadata.ts";
import type { ClientConfig, Verb } from "../verb.ts";
import { OptionSet, parseWord, syntaxError } from "./_syntax.ts";

const FROM = "e.g. from:@alice";
const CRAM = "e.g. cram:<digest>";
const PKAM = "e.g. pkam:signingAlgo:rsa2048:hashingAlgo:sha256:enrollmentId:<id>:<signature>";
const POL = "pol";

const CONFIG_MEMBERS = ["version", "clientId", "appName", "appVersion", "platform"] as const;

export function parseFrom(rest: string): Verb {
  const [, name = "", config] = /^:@?([^:@\s]+)(?::clientConfig:(.*))?$/is.exec(rest) ?? [];
  if (name === "") throw syntaxError(FROM);
  const atSign = `@${name}`;
  return config === undefined
    ? { verb: "from", atSign }
    : { verb: "from", atSign, clientConfig: parseClientConfig(config) };
}

export function parseCram(rest: string): Verb {
  const digest = rest.slice(1);
  if (!rest.startsWith(":") || !isToken(digest)) throw syntaxError(CRAM);
  return { verb: "cram", digest };
}

export function parsePkam(rest: string): Verb {
  const segments = rest.split(":");
  const signature = segments.pop() ?? "";
  if (segments.shift() !== "" || !isToken(signature)) throw syntaxError(PKAM);
  const options = new OptionSet(PKAM);
  let signingAlgo: "rsa2048" | "ecc_secp256r1" = "rsa2048";
  let hashingAlgo: "sha256" | "sha512" = "sha256";
  let enrollmentId: string | undefined;
  for (let i = 0; i < segments.length; i += 2) {
    const name = parseWord(segments[i] ?? "", ["signingAlgo", "hashingAlgo", "enrollmentId"]);
    const value = segments[i + 1] ?? "";
    if (name === null || !isToken(value)) throw syntaxError(PKAM);
    options.take(name);
    if (name === "enrollmentId") enrollmentId = value;
    else if (name === "hashingAlgo") hashingAlgo = requireWord(value, ["sha256", "sha512"]);
    else signingAlgo = requireWord(value, ["rsa2048", "ecc_secp256r1"]);
  }
  return {
    verb: "pkam",
    signingAlgo,
    hashingAlgo,
    ...(enrollmentId === undefined ? {} : { enrollmentId }),
    signature,
  };
}

export function parsePol(rest: string): Verb {
  if (rest !== "") throw syntaxError(POL);
  return { verb: "pol" };
}

function requireWord<W extends string>(text: string, words: readonly W[]): W {
  const word = parseWord(text, words);
  if (word === null) throw syntaxError(PKAM);
  return word;
}

function parseClientConfig(text: string): ClientConfig {
  if (!text.startsWith("{")) throw syntaxError(FROM);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AtError("AT0011", "clientConfig is not JSON", { closes: true, cause });
  }
  const out: Record<string, string> = {};
  for (const name of CONFIG_MEMBERS) {
    const member = (value as Record<string, unknown>)[name];
    if (typeof member === "string") out[name] = member;
  }
  return out;
}
