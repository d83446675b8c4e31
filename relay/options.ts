/** The command line of `noports relay` (srvd), read once into options. Pure. */

import { type AtSign, parseAtSign } from "../src/atprotocol/wire/mod.ts";
import { NoportsError } from "../src/base/mod.ts";
import { type Flag, type FlagValues, requiredText } from "../src/cli/mod.ts";
import type { PortRange } from "./ports.ts";

/** The vendor's word for "anybody". */
const OPEN = "open";
/** All IPv4 addresses, as the vendor's relay. */
const DEFAULT_BIND = "0.0.0.0";

export const RELAY_FLAGS: readonly Flag[] = [
  { long: "atsign", short: "a", value: "ATSIGN", help: "the relay's atSign" },
  {
    long: "ip",
    short: "i",
    value: "HOST",
    help: "host name or address of this relay, as clients and daemons reach it",
  },
  {
    long: "manager",
    aliases: ["managers"],
    short: "m",
    value: "ATSIGNS",
    multiple: true,
    default: OPEN,
    help: "who may open sessions: atSigns, comma-separated, or open",
  },
  {
    long: "port-range",
    value: "A-B",
    help: "take the two ports of each session from this range; otherwise the system chooses",
  },
  {
    long: "bind",
    value: "ADDRESS",
    default: DEFAULT_BIND,
    help: "listen on this address only",
  },
  {
    long: "key-file",
    aliases: ["keyFile"],
    short: "k",
    value: "FILE",
    help: "the atSign's key file",
    default: "~/.atsign/keys/@atsign_key.atKeys",
  },
];

export interface RelayOptions {
  readonly atSign: AtSign;
  /** What sessions are told to connect to. */
  readonly address: string;
  /** Who may open sessions; null: anybody. */
  readonly allowed: ReadonlySet<AtSign> | null;
  /** Null: the system chooses ports. */
  readonly portRange: PortRange | null;
  readonly bind: string;
  /** Undefined: the default place. */
  readonly keyFile: string | undefined;
}

/** @throws {NoportsError} `usage`, `atsign_invalid`. */
export function parseRelayOptions(values: FlagValues): RelayOptions {
  const range = values.text("port-range");
  return {
    atSign: parseAtSign(requiredText(values, "atsign", "the relay's atSign")),
    address: parseAddress(requiredText(values, "ip", "the address that clients reach")),
    allowed: parseAllowed(values.all("manager")),
    portRange: range === undefined ? null : parsePortRange(range),
    bind: values.text("bind") ?? DEFAULT_BIND,
    keyFile: values.text("key-file"),
  };
}

function parseAddress(text: string): string {
  if (text.length <= 255 && /^[A-Za-z0-9._:-]+$/.test(text)) return text;
  throw new NoportsError("usage", `Cannot use --ip "${text}": not a host name or address`);
}

function parseAllowed(lists: readonly string[]): ReadonlySet<AtSign> | null {
  const names = lists.flatMap((list) => list.split(",")).map((name) => name.trim())
    .filter((name) => name !== "");
  if (names.length === 0 || names.includes(OPEN)) return null;
  return new Set(names.map(parseAtSign));
}

function parsePortRange(text: string): PortRange {
  const match = /^(\d{1,5})-(\d{1,5})$/.exec(text);
  const [first, last] = [Number(match?.[1]), Number(match?.[2])];
  if (match !== null && first >= 1 && last <= 65535 && last > first) return { first, last };
  throw new NoportsError("usage", `Cannot use --port-range "${text}": not a range of ports`, {
    hint: "give the first and the last port, at least two, e.g. --port-range 40000-40999",
  });
}
