/** The command line of `noports daemon` (sshnpd), read once into options. Pure. */

import { type AtSign, parseAtSign } from "../src/atprotocol/wire/mod.ts";
import { NoportsError } from "../src/base/mod.ts";
import { type Flag, type FlagValues, requiredText } from "../src/cli/mod.ts";
import {
  DEFAULT_PERMIT_OPEN,
  parseDeviceName,
  parsePermitOpen,
  type PermitOpenRules,
} from "../src/session/mod.ts";

export const DAEMON_FLAGS: readonly Flag[] = [
  { long: "atsign", short: "a", value: "ATSIGN", help: "the device's atSign" },
  {
    long: "managers",
    aliases: ["manager"],
    short: "m",
    value: "ATSIGNS",
    multiple: true,
    help: "who may open sessions: atSigns, comma-separated",
  },
  {
    long: "device",
    short: "d",
    value: "NAME",
    default: "default",
    help: "the name that clients call this device by",
  },
  {
    long: "permit-open",
    aliases: ["po"],
    value: "LIST",
    multiple: true,
    default: DEFAULT_PERMIT_OPEN,
    help: "what clients may reach: HOST:PORT, comma-separated, * for any host or any port",
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

export interface DaemonOptions {
  readonly atSign: AtSign;
  readonly managers: ReadonlySet<AtSign>;
  readonly device: string;
  readonly permitOpen: PermitOpenRules;
  /** Undefined: the default place. */
  readonly keyFile: string | undefined;
}

/** @throws {NoportsError} `usage`, `atsign_invalid`. */
export function parseDaemonOptions(values: FlagValues): DaemonOptions {
  const managers = values.all("managers").flatMap((list) => list.split(",")).map((s) => s.trim())
    .filter((name) => name !== "");
  if (managers.length === 0) {
    throw new NoportsError("usage", "Cannot start: nobody may use this device", {
      hint: "name who may with --managers, e.g. -m @alice",
    });
  }
  const permitOpen = values.all("permit-open");
  return {
    atSign: parseAtSign(requiredText(values, "atsign", "the device's atSign")),
    managers: new Set(managers.map(parseAtSign)),
    device: parseDeviceName(values.text("device") ?? "default"),
    permitOpen: parsePermitOpen(
      permitOpen.length === 0 ? DEFAULT_PERMIT_OPEN : permitOpen.join(","),
    ),
    keyFile: values.text("key-file"),
  };
}
