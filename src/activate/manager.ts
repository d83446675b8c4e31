/** The log-in of somebody who manages an atSign's enrollments: its keys, and a connection that answers. IO. */

import {
  type CommandChannel,
  Directory,
  readKeyFile,
  RequestChannel,
} from "../atprotocol/client/mod.ts";
import type { AtKeys, AtSign } from "../atprotocol/wire/mod.ts";
import { describeError, isNoportsError } from "../base/mod.ts";
import type { CommandContext } from "../cli/mod.ts";
import { type ControlPlaneSettings, defaultKeyFile } from "../config/mod.ts";
import type { LoginOptions } from "./options.ts";

/** The vendor's. */
const RETRY_MS = 3_000;

/** Where a command's lines go. */
export type Output = Pick<CommandContext, "stdout" | "stderr" | "signal">;

export interface Manager {
  readonly atSign: AtSign;
  readonly keys: AtKeys;
  readonly channel: CommandChannel;
}

/**
 * Logs in as `options` say, tries `use` with it and closes the connection.
 * @throws {NoportsError} errors of the key file; `auth_failed` and the like; what `use` throws.
 */
export async function withManager(
  options: LoginOptions,
  settings: ControlPlaneSettings,
  context: CommandContext,
  use: (manager: Manager) => Promise<void>,
): Promise<void> {
  const { atSign, keyFile, maxAttempts } = options;
  const { clock, signal, stderr, log } = context;
  const keys = await readKeyFile(keyFile ?? defaultKeyFile(atSign, context.env), atSign);
  const directory = new Directory(settings.rootDomain, settings.caCerts, clock);
  using channel = new RequestChannel({
    atSign,
    keys,
    directory,
    caCerts: settings.caCerts,
    log,
  });
  for (let attempt = 1;; attempt++) {
    try {
      await channel.request({ verb: "noop", durationMs: 0 }, signal);
      break;
    } catch (error) {
      signal.throwIfAborted();
      const isPassing = isNoportsError(
        error,
        "atserver_unreachable",
        "directory_unreachable",
        "timeout",
      );
      if (!isPassing || attempt >= maxAttempts) throw error;
      stderr(`Connecting ... ${describeError(error)}. Will retry in ${RETRY_MS / 1000} seconds`);
      await clock.sleep(RETRY_MS, signal);
    }
  }
  stderr("Connecting ... Connected");
  await use({ atSign, keys, channel });
}
