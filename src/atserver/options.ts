/** The command line of `noports server run`, checked before anything is touched. Pure. */

import { NoportsError } from "../base/mod.ts";
import { type Flag, type FlagValues, parseHostPort } from "../cli/mod.ts";
import { homeFolder } from "../config/mod.ts";
import type { HostPort } from "../atprotocol/wire/mod.ts";
import { parseLimits } from "./limit_table.ts";
import type { Limits } from "./limits.ts";
import type { ListenAddress } from "./net/mod.ts";
import { parseSniPattern, type SniPattern } from "./sni_pattern.ts";

/** Our choice of ports: both can be opened by every user. The vendor's are 64 and one for each atSign. */
const DEFAULT_LISTEN = "0.0.0.0:6464";
const DEFAULT_DIRECTORY_LISTEN = "0.0.0.0:6400";
/** The specification's port of an atDirectory. */
const DEFAULT_PEER_DIRECTORY_PORT = 64;

/** The flag that every `noports server` command takes. */
export const DATA_DIR_FLAG: Flag = {
  long: "data-dir",
  value: "DIR",
  help: "where the server keeps its data (default: $XDG_DATA_HOME/noports/server)",
};

/** The flags of `noports server run`. */
export const SERVER_RUN_FLAGS: readonly Flag[] = [
  DATA_DIR_FLAG,
  {
    long: "listen",
    value: "HOST:PORT",
    help: "where the atServers listen; port 0 for any",
    default: DEFAULT_LISTEN,
  },
  {
    long: "directory-listen",
    value: "HOST:PORT",
    help: "where the atDirectory listens; port 0 for any",
    default: DEFAULT_DIRECTORY_LISTEN,
  },
  {
    long: "hostname",
    value: "NAME",
    help: "the host name or IPv4 address that clients are told (default: this machine's name)",
  },
  {
    long: "tls-cert",
    value: "FILE",
    help: "a certificate (PEM, with its chain) in place of the server's own",
  },
  { long: "tls-key", value: "FILE", help: "the key of --tls-cert" },
  {
    long: "peer-directory",
    value: "HOST:PORT",
    help: "the atDirectory where atSigns of other servers are found; without it there are none",
  },
  {
    long: "root-ca",
    value: "FILE",
    help: "trust the CA certificates of this PEM file too, for other servers",
  },
  {
    long: "sni-pattern",
    value: "PATTERN",
    help: "host names that mean an atSign, e.g. {atsign}.at.example.org",
  },
  {
    long: "limit",
    value: "NAME=VALUE",
    multiple: true,
    help: "change a limit, as often as needed; `noports server limits` prints them",
  },
  {
    long: "metrics",
    value: "HOST:PORT",
    help:
      "serve /metrics for Prometheus, /healthz and /readyz here, over plain HTTP (default: off)",
  },
  {
    long: "registrar-listen",
    value: "HOST:PORT",
    help: "where the registrar listens, for activation without a code (default: off)",
  },
  {
    long: "otp-command",
    value: "CMD",
    help: "a program that sends a registrar's code to its owner: gets the atSign as argument, " +
      "the code on stdin; without it the code is shown on stderr",
  },
];

/** What `runServer` needs to know. */
export interface ServerOptions {
  /** Absolute. */
  readonly dataDir: string;
  readonly listen: ListenAddress;
  readonly directoryListen: ListenAddress;
  /** Handed out by the directory, and the first name in the certificate. */
  readonly hostname: string;
  /** Absolute paths; null: the server's own authority. */
  readonly certificate: { readonly certFile: string; readonly keyFile: string } | null;
  readonly peerDirectory: HostPort | null;
  readonly rootCaFile: string | null;
  readonly sniPattern: SniPattern | null;
  /** Those that differ from the defaults. */
  readonly limits: Partial<Limits>;
  /** Null: off. */
  readonly metrics: ListenAddress | null;
  readonly registrar: { readonly listen: ListenAddress; readonly otpCommand: string | null } | null;
}

/** What the defaults depend on. */
export interface OptionsEnvironment {
  readonly env: (name: string) => string | undefined;
  /** The current folder, absolute. */
  readonly cwd: string;
  /** This machine's name. */
  readonly machineName: string;
}

/**
 * The options that the command line gives.
 * @throws {NoportsError} `usage` for a value that cannot be read, `config_invalid` where values do not go together.
 */
export function parseServerOptions(
  values: FlagValues,
  environment: OptionsEnvironment,
): ServerOptions {
  const text = (long: string) => {
    const value = values.text(long);
    return value === "" ? undefined : value;
  };
  const path = (long: string) => {
    const value = text(long);
    return value === undefined ? undefined : absolutePath(value, environment.cwd);
  };
  const peerDirectory = text("peer-directory");
  const sniPattern = text("sni-pattern");
  const metrics = text("metrics");
  return {
    dataDir: parseDataDir(values, environment),
    listen: parseListen(text("listen") ?? DEFAULT_LISTEN, "--listen"),
    directoryListen: parseListen(
      text("directory-listen") ?? DEFAULT_DIRECTORY_LISTEN,
      "--directory-listen",
    ),
    hostname: parseHostname(text("hostname") ?? environment.machineName),
    certificate: parseCertificateFiles(path("tls-cert"), path("tls-key")),
    peerDirectory: peerDirectory === undefined
      ? null
      : parseHostPort(peerDirectory, "--peer-directory", DEFAULT_PEER_DIRECTORY_PORT),
    rootCaFile: path("root-ca") ?? null,
    sniPattern: sniPattern === undefined ? null : parseSniPattern(sniPattern),
    limits: parseLimits(values.all("limit")),
    metrics: metrics === undefined ? null : parseListen(metrics, "--metrics"),
    registrar: parseRegistrar(text("registrar-listen"), text("otp-command")),
  };
}

/** The data folder, absolute: `--data-dir`, or the XDG folder. @throws {NoportsError} `config_invalid`. */
export function parseDataDir(
  values: FlagValues,
  { env, cwd }: Pick<OptionsEnvironment, "env" | "cwd">,
): string {
  const given = values.text("data-dir");
  if (given !== undefined && given !== "") return absolutePath(given, cwd);
  const xdg = env("XDG_DATA_HOME") ?? "";
  // XDG: a relative path there is to be ignored
  const base = xdg.startsWith("/") ? xdg : `${homeFolder(env)}/.local/share`;
  return `${base.replace(/\/+$/, "")}/noports/server`;
}

function parseListen(text: string, flag: string): ListenAddress {
  const { host, port } = parseHostPort(text, flag);
  return { hostname: host, port };
}

function parseRegistrar(
  listen: string | undefined,
  otpCommand: string | undefined,
): ServerOptions["registrar"] {
  if (listen !== undefined) {
    return {
      listen: parseListen(listen, "--registrar-listen"),
      otpCommand: otpCommand ?? null,
    };
  }
  if (otpCommand === undefined) return null;
  throw new NoportsError(
    "config_invalid",
    "Cannot start the server: --otp-command is for a registrar",
    { hint: "give --registrar-listen HOST:PORT too" },
  );
}

function parseHostname(text: string): string {
  const name = text.toLowerCase().replace(/\.$/, "");
  if (name.includes(":")) {
    throw new NoportsError(
      "usage",
      `Cannot use "${text}" as host name: an IPv6 address or a port`,
      {
        hint:
          "give a host name or an IPv4 address: clients read the directory's answer as host:port",
      },
    );
  }
  if (name.length > 253 || !/^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/.test(name)) {
    throw new NoportsError("usage", `Cannot use "${text}" as host name`, {
      hint: "give the name or IPv4 address that clients reach this server by, with --hostname",
    });
  }
  return name;
}

function parseCertificateFiles(
  certFile: string | undefined,
  keyFile: string | undefined,
): ServerOptions["certificate"] {
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  if (certFile === undefined && keyFile === undefined) return null;
  throw new NoportsError(
    "config_invalid",
    "Cannot start the server: --tls-cert and --tls-key go together",
    { hint: "give both, or none for the server's own certificate" },
  );
}

function absolutePath(path: string, cwd: string): string {
  const absolute = path.startsWith("/") || /^[A-Za-z]:[\\/]/.test(path) ? path : `${cwd}/${path}`;
  return absolute.length > 1 ? absolute.replace(/\/+$/, "") : absolute;
}
