/** The command lines of `noports activate`, read once into options: the vendor's names, defaults and filters. Pure. */

import type { EnrollmentRequest, EnrollmentStatus } from "../atprotocol/client/mod.ts";
import { type AtSign, parseAtSign } from "../atprotocol/wire/mod.ts";
import { NoportsError } from "../base/mod.ts";
import { type Flag, type FlagValues, parseDurationMs, requiredText } from "../cli/mod.ts";
import { CONTROL_PLANE_FLAGS } from "../config/mod.ts";

/** The vendor's. */
const DEFAULT_ATTEMPTS = 10;
/** Our choice. */
const MAX_ATTEMPTS = 1000;
const STATUSES: readonly EnrollmentStatus[] = [
  "pending",
  "approved",
  "denied",
  "revoked",
  "expired",
];

export const ATSIGN_FLAG: Flag = {
  long: "atsign",
  short: "a",
  value: "ATSIGN",
  help: "the atSign",
};

/** Where the control plane is, with the vendor's spellings too. */
export const ROOT_FLAGS: readonly Flag[] = CONTROL_PLANE_FLAGS.map((flag) =>
  flag.long === "root-domain"
    ? { ...flag, short: "r", aliases: [...(flag.aliases ?? []), "rootServer"] }
    : flag
);

/** What every command that logs in takes. */
export const LOGIN_FLAGS: readonly Flag[] = [
  ATSIGN_FLAG,
  {
    long: "keys",
    short: "k",
    value: "FILE",
    help: "the key file to log in with",
    default: "~/.atsign/keys/@atsign_key.atKeys",
  },
  {
    long: "mca",
    value: "N",
    help: "connection attempts, 3 s apart, before giving up",
    default: String(DEFAULT_ATTEMPTS),
  },
  ...ROOT_FLAGS,
];

export const FILTER_FLAGS: readonly Flag[] = [
  { long: "arx", short: "A", value: "REGEX", help: "only those whose app name matches" },
  { long: "drx", short: "D", value: "REGEX", help: "only those whose device name matches" },
];

export const ID_FLAG: Flag = {
  long: "enrollmentId",
  aliases: ["enrollment-id"],
  short: "i",
  value: "ID",
  help: "the enrollment with this id",
};

export const EXPIRY_FLAG: Flag = {
  long: "expiry",
  short: "e",
  value: "DURATION",
  help: "how long it is good for, e.g. 10m or 2d,1h",
};

export const JSON_FLAG: Flag = { long: "json", help: "print one JSON object" };

export const LIST_FLAGS: readonly Flag[] = [
  {
    long: "enrollmentStatus",
    aliases: ["enrollment-status"],
    short: "s",
    value: "STATUS",
    help: `only those that are ${STATUSES.join(", ")}`,
  },
  ...FILTER_FLAGS,
  JSON_FLAG,
];

export const ENROLL_FLAGS: readonly Flag[] = [
  ATSIGN_FLAG,
  {
    long: "passcode",
    short: "s",
    value: "CODE",
    help: "the passcode that a manager made; others on this machine can see it here",
  },
  {
    long: "passcode-file",
    value: "FILE",
    help: "read the passcode from this file, or from standard input with -",
  },
  { long: "app", short: "p", value: "NAME", help: "what the program is called, e.g. noports" },
  { long: "device", short: "d", value: "NAME", help: "what the device is called" },
  {
    long: "namespaces",
    short: "n",
    value: "LIST",
    help: "what the keys may be used for, e.g. sshnp:rw,sshrvd:rw",
  },
  { long: "keys", short: "k", value: "FILE", help: "the key file to write; never over another" },
  { ...EXPIRY_FLAG, help: "how long the keys are good once approved; without it, for ever" },
  ...ROOT_FLAGS,
];

export interface LoginOptions {
  readonly atSign: AtSign;
  /** The default one when undefined. */
  readonly keyFile: string | undefined;
  /** At least 1. */
  readonly maxAttempts: number;
}

/** Whose log-in. @throws {NoportsError} `usage`, `atsign_invalid`. */
export function parseLoginOptions(values: FlagValues): LoginOptions {
  return {
    atSign: parseAtSignFlag(values),
    keyFile: values.text("keys"),
    maxAttempts: parseCount(values.text("mca") ?? String(DEFAULT_ATTEMPTS), "--mca"),
  };
}

/** @throws {NoportsError} `usage`, `atsign_invalid`. */
export function parseAtSignFlag(values: FlagValues): AtSign {
  return parseAtSign(requiredText(values, "atsign", "the atSign"));
}

/** Which enrollments; a filter that is not given lets all pass. */
export interface EnrollmentFilter {
  readonly appName?: RegExp;
  readonly deviceName?: RegExp;
  readonly status?: EnrollmentStatus;
}

/** Reads `--arx`, `--drx` and `--enrollmentStatus`. @throws {NoportsError} `usage` for a bad expression or status. */
export function parseEnrollmentFilter(values: FlagValues): EnrollmentFilter {
  const appName = parseRegex(values, "arx");
  const deviceName = parseRegex(values, "drx");
  const word = values.text("enrollmentStatus");
  const status = STATUSES.find((known) => known === word);
  if (word !== undefined && status === undefined) {
    throw new NoportsError("usage", `Cannot read --enrollmentStatus: "${word}" is no status`, {
      hint: `one of: ${STATUSES.join(", ")}`,
    });
  }
  return {
    ...(appName === undefined ? {} : { appName }),
    ...(deviceName === undefined ? {} : { deviceName }),
    ...(status === undefined ? {} : { status }),
  };
}

/** What a decision is about: an id, a filter, or both, and then both must fit. */
export interface EnrollmentSelection {
  readonly id: string | undefined;
  readonly filter: EnrollmentFilter;
}

/** Reads `--enrollmentId`, `--arx`, `--drx`, of which one must be given. @throws {NoportsError} `usage`. */
export function parseSelection(values: FlagValues): EnrollmentSelection {
  const id = values.text("enrollmentId") === undefined ? undefined : parseEnrollmentId(values);
  const filter = parseEnrollmentFilter(values);
  if (id === undefined && filter.appName === undefined && filter.deviceName === undefined) {
    throw new NoportsError(
      "usage",
      "Cannot choose: At least one of --enrollmentId, --arx or --drx must be provided",
      { hint: "`noports activate list` shows the enrollments" },
    );
  }
  return { id, filter };
}

/** The id of `--enrollmentId`, which must be given. @throws {NoportsError} `usage`. */
export function parseEnrollmentId(values: FlagValues): string {
  const id = requiredText(values, "enrollmentId", "the id of the enrollment");
  // it becomes part of a command; ids are UUIDs
  if (/^[\w-]{1,255}$/.test(id)) return id;
  throw new NoportsError("usage", `Cannot read --enrollmentId: "${id}" is no enrollment id`, {
    hint: "`noports activate list` shows the ids",
  });
}

/** The lifetime in milliseconds, if given. @throws {NoportsError} `usage`. */
export function parseExpiryMs(values: FlagValues): number | undefined {
  const text = values.text("expiry");
  return text === undefined ? undefined : parseDurationMs(text, "--expiry");
}

export interface EnrollOptions {
  readonly atSign: AtSign;
  readonly keyFile: string;
  readonly request: Omit<EnrollmentRequest, "passcode">;
}

/** What `enroll` asks for, its passcode excepted. @throws {NoportsError} `usage`, `atsign_invalid`. */
export function parseEnrollOptions(values: FlagValues): EnrollOptions {
  const keyFile = values.text("keys");
  if (keyFile === undefined || keyFile === "") {
    throw new NoportsError(
      "usage",
      'Cannot enroll: The --keys option is mandatory for the "enroll" command',
      { hint: "name the key file to write with -k" },
    );
  }
  const keysExpiryMs = parseExpiryMs(values);
  return {
    atSign: parseAtSignFlag(values),
    keyFile,
    request: {
      appName: requiredText(values, "app", "the program's name"),
      deviceName: requiredText(values, "device", "the device's name"),
      namespaces: parseNamespaces(requiredText(values, "namespaces", "sshnp:rw,sshrvd:rw")),
      ...(keysExpiryMs === undefined ? {} : { keysExpiryMs }),
    },
  };
}

/** Parses `sshnp:rw,sshrvd:rw`; double quotes and blanks are dropped. @throws {NoportsError} `usage`. */
export function parseNamespaces(text: string): Record<string, "r" | "rw"> {
  const grants = text.split(",").map((part): [string, "r" | "rw"] => {
    const [, name, access] = /^([^:\s]+):(rw?)$/.exec(part.replace(/["\s]/g, "")) ?? [];
    if (name !== undefined && (access === "r" || access === "rw")) return [name, access];
    throw new NoportsError(
      "usage",
      `Cannot read --namespaces: "${part}" is not NAME:r or NAME:rw`,
      {
        hint: "write it like sshnp:rw,sshrvd:rw",
      },
    );
  });
  return Object.fromEntries(grants);
}

function parseRegex(values: FlagValues, long: string): RegExp | undefined {
  const text = values.text(long);
  if (text === undefined) return undefined;
  try {
    return new RegExp(text);
  } catch (cause) {
    throw new NoportsError("usage", `Cannot read --${long}: "${text}" is no regular expression`, {
      cause,
      hint: `put a backslash before characters that stand for themselves`,
    });
  }
}

function parseCount(text: string, name: string): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : NaN;
  if (count >= 1 && count <= MAX_ATTEMPTS) return count;
  throw new NoportsError("usage", `Cannot read ${name}: "${text}" is not 1 to ${MAX_ATTEMPTS}`);
}
