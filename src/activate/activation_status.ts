/** `noports activate status`: is an atSign known, reachable, activated? Needs no keys. */

import { Directory, isActivated } from "../atprotocol/client/mod.ts";
import type { AtSign } from "../atprotocol/wire/mod.ts";
import { describeError, EXIT_STATUS, isNoportsError, NoportsError } from "../base/mod.ts";
import type { CommandContext } from "../cli/mod.ts";
import type { ControlPlaneSettings } from "../config/mod.ts";

/** The vendor's number, which scripts read out of the line, and how our own program ends. */
export interface ActivationStatus {
  readonly line: string;
  readonly exitStatus: number;
}

/** Asks directory and atServer. @throws the signal's reason. */
export async function findActivationStatus(
  atSign: AtSign,
  settings: ControlPlaneSettings,
  { clock, signal }: Pick<CommandContext, "clock" | "signal">,
): Promise<ActivationStatus> {
  const directory = new Directory(settings.rootDomain, settings.caCerts, clock);
  return await describeActivation(
    atSign,
    () => isActivated({ atSign, directory, caCerts: settings.caCerts }, signal),
    signal,
  );
}

/** The line for what `ask` says or throws. @throws the signal's reason. */
export async function describeActivation(
  atSign: AtSign,
  ask: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<ActivationStatus> {
  try {
    if (await ask()) return answer(0, `found public:publickey${atSign} OK`, 0);
    const { atsign_not_activated: exitStatus } = EXIT_STATUS;
    return answer(1, `public:publickey${atSign} does not exist: not activated`, exitStatus);
  } catch (error) {
    signal.throwIfAborted();
    const { exitStatus } = error instanceof NoportsError
      ? error
      : { exitStatus: EXIT_STATUS.atserver_unreachable };
    const text = describeError(error);
    if (isNoportsError(error, "directory_unreachable")) {
      return answer(4, `Caught ${error.name} : ${text}`, exitStatus);
    }
    if (isNoportsError(error, "atsign_unknown")) {
      return answer(3, `atDirectory has no record for ${atSign}`, exitStatus);
    }
    return answer(2, `atServer cannot be reached ${atSign} (${text})`, exitStatus);
  }
}

function answer(vendorNumber: number, text: string, exitStatus: number): ActivationStatus {
  return { line: `returning ${vendorNumber}: ${text}`, exitStatus };
}
