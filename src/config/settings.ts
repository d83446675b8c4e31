/**
 * Where the control plane is and whom to trust, from flags and environment (flag before `NOPORTS_*` before default),
 * and where files live.
 */

import { NoportsError } from "../base/mod.ts";
import type { RootDomain } from "../atprotocol/client/mod.ts";
import type { AtSign } from "../atprotocol/wire/mod.ts";
import { type Flag, type FlagValues, parseHostPort } from "../cli/mod.ts";
import { readCaFile } from "./ca_file.ts";

/** The vendor's public atDirectory. */
const DEFAULT_ROOT_HOST = "root.atsign.org";
/** The specification's port of an atDirectory. */
const DEFAULT_ROOT_PORT = 64;

/** The flags that every role takes to find the control plane. */
export const CONTROL_PLANE_FLAGS: readonly Flag[] = [
  {
    long: "root-domain",
    aliases: ["root-server"],
    value: "HOST[:PORT]",
    help: "the atDirectory, or proxy:HOST[:PORT]; also NOPORTS_ROOT_DOMAIN",
    default: `${DEFAULT_ROOT_HOST}:${DEFAULT_ROOT_PORT}`,
  },
  {
    long: "root-ca",
    value: "FILE",
    help: "trust the CA certificates of this PEM file too; also NOPORTS_ROOT_CA",
  },
];

/** How to reach the control plane. */
export interface ControlPlaneSettings {
  readonly rootDomain: RootDomain;
  /** PEM certificates trusted besides the system's. */
  readonly caCerts: readonly string[];
}

type Env = (name: string) => string | undefined;

/**
 * The control plane that flags and environment name.
 * @throws {NoportsError} `usage` for a bad `--root-domain`, `config_invalid` for a CA file that cannot be used.
 */
export function resolveControlPlane(values: FlagValues, env: Env): ControlPlaneSettings {
  const root = values.text("root-domain") ?? env("NOPORTS_ROOT_DOMAIN");
  const caFile = values.text("root-ca") ?? env("NOPORTS_ROOT_CA");
  return {
    rootDomain: parseRootDomain(root === undefined || root === "" ? DEFAULT_ROOT_HOST : root),
    caCerts: caFile === undefined || caFile === "" ? [] : readCaFile(caFile),
  };
}

/** Parses `host`, `host:port` or `proxy:host[:port]`. @throws {NoportsError} `usage`. */
export function parseRootDomain(text: string): RootDomain {
  const proxy = text.startsWith("proxy:");
  const address = parseHostPort(
    proxy ? text.slice(6) : text,
    "--root-domain",
    proxy ? 443 : DEFAULT_ROOT_PORT,
  );
  return { kind: proxy ? "proxy" : "directory", ...address };
}

/** The user's home folder. @throws {NoportsError} `config_invalid` when the environment names none. */
export function homeFolder(env: Env): string {
  const home = env("HOME") ?? env("USERPROFILE");
  if (home === undefined || home === "") {
    throw new NoportsError("config_invalid", "Cannot find the home folder: HOME is not set", {
      hint: "set HOME, or name the key file with -k",
    });
  }
  return home;
}

/** Where an atSign's keys are looked for when no file is named: `~/.atsign/keys/@alice_key.atKeys`. */
export function defaultKeyFile(atSign: AtSign, env: Env): string {
  return `${homeFolder(env)}/.atsign/keys/${atSign}_key.atKeys`;
}
