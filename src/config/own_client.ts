/** The control-plane client of a role: its key file and the control plane that the command line names. IO. */

import { type AtClient, Directory, openAtClient, readKeyFile } from "../atprotocol/client/mod.ts";
import type { AtSign } from "../atprotocol/wire/mod.ts";
import type { CommandContext } from "../cli/mod.ts";
import { type ControlPlaneSettings, defaultKeyFile } from "./settings.ts";

/**
 * Reads the keys of `own.atSign` and makes its client; nothing is connected yet. The caller disposes it.
 * @throws {NoportsError} `key_file_missing`, `key_file_mode`, `key_file_invalid`, `config_invalid`.
 */
export async function openOwnClient(
  own: { readonly atSign: AtSign; readonly keyFile: string | undefined },
  settings: ControlPlaneSettings,
  context: Pick<CommandContext, "clock" | "entropy" | "log" | "env">,
): Promise<AtClient> {
  const { clock, entropy, log } = context;
  const { atSign } = own;
  const keys = await readKeyFile(own.keyFile ?? defaultKeyFile(atSign, context.env), atSign);
  return openAtClient({
    atSign,
    keys,
    directory: new Directory(settings.rootDomain, settings.caCerts, clock),
    caCerts: settings.caCerts,
    clock,
    entropy,
    log,
  });
}
