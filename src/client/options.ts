/** The command line of `noports tunnel` (npt), read once into options. Pure. */

import { type AtSign, parseAtSign } from "../atprotocol/wire/mod.ts";
import { NoportsError } from "../base/mod.ts";
import {
  type Flag,
  type FlagValues,
  parseDurationMs,
  parsePort,
  requiredText,
} from "../cli/mod.ts";
import { parseDeviceName } from "../session/mod.ts";

export const TUNNEL_FLAGS: readonly Flag[] = [
  { long: "from", short: "f", value: "ATSIGN", help: "your atSign" },
  { long: "to", short: "t", value: "ATSIGN", help: "the device's atSign" },
  { long: "device", short: "d", value: "NAME", help: "the device's name" },
  { long: "srvd", aliases: ["relay"], short: "r", value: "ATSIGN", help: "the relay's atSign" },
  {
    long: "remote-port",
    aliases: ["rp"],
    short: "p",
    value: "PORT",
    help: "the port to reach on the device's side",
  },
  {
    long: "remote-host",
    aliases: ["rh"],
    short: "h",
    value: "HOST",
    default: "localhost",
    help: "the host to reach, as the device sees it",
  },
  {
    long: "local-port",
    aliases: ["lp"],
    short: "l",
    value: "PORT",
    default: "0",
    help: "the local port to listen on; 0: any free one",
  },
  {
    long: "timeout",
    short: "T",
    value: "DURATION",
    default: "0",
    help: "end after this long without a connection, e.g. 30s or 1h,30m; 0: never",
  },
  {
    long: "daemon-ping-timeout",
    aliases: ["dpt"],
    value: "SECONDS",
    default: "20",
    help: "how long to wait for the device's first answer",
  },
  {
    long: "key-file",
    aliases: ["keyFile"],
    short: "k",
    value: "FILE",
    help: "your atSign's key file",
    default: "~/.atsign/keys/@atsign_key.atKeys",
  },
  { long: "quiet", short: "q", help: "no progress on stderr" },
];

export interface TunnelOptions {
  readonly from: AtSign;
  readonly to: AtSign;
  readonly device: string;
  readonly relay: AtSign;
  readonly remoteHost: string;
  readonly remotePort: number;
  /** 0: any free port. */
  readonly localPort: number;
  /** 0: no limit. */
  readonly timeoutMs: number;
  readonly pingTimeoutMs: number;
  /** Undefined: the default place. */
  readonly keyFile: string | undefined;
  /** Progress lines on stderr: not with `-q`, and not with `-v`, which logs more. */
  readonly progress: boolean;
}

/** @throws {NoportsError} `usage`, `atsign_invalid`. */
export function parseTunnelOptions(values: FlagValues): TunnelOptions {
  const remoteHost = values.text("remote-host") ?? "localhost";
  if (remoteHost === "" || remoteHost.length > 255 || /[\s,/@"\\]/.test(remoteHost)) {
    throw new NoportsError("usage", `Cannot reach "${remoteHost}": not a host name or address`);
  }
  return {
    from: parseAtSign(requiredText(values, "from", "your atSign")),
    to: parseAtSign(requiredText(values, "to", "the device's atSign")),
    device: parseDeviceName(requiredText(values, "device", "the device's name")),
    relay: parseAtSign(requiredText(values, "srvd", "the relay's atSign")),
    remoteHost,
    remotePort: parsePort(
      requiredText(values, "remote-port", "the port to reach on the device's side"),
      "--remote-port",
      1,
    ),
    localPort: parsePort(values.text("local-port") ?? "0", "--local-port"),
    timeoutMs: parseDurationMs(values.text("timeout") ?? "0", "--timeout"),
    pingTimeoutMs: parsePingTimeout(values.text("daemon-ping-timeout") ?? "20"),
    keyFile: values.text("key-file"),
    progress: values.switch("quiet") !== true && values.switch("verbose") !== true,
  };
}

function parsePingTimeout(text: string): number {
  const ms = parseDurationMs(text, "--daemon-ping-timeout");
  if (ms >= 1 && ms <= 3_600_000) return ms;
  throw new NoportsError("usage", `Cannot wait "${text}" for the device`, {
    hint: "--daemon-ping-timeout takes seconds, from 1 to 3600",
  });
}
