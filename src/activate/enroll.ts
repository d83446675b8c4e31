/**
 * `noports activate enroll`: asks for keys of this device's own, waits until they are approved, and writes their file.
 * The file's place is made sure of first, because an approval whose keys cannot be kept is lost. IO.
 */

import {
  ConnectionLost,
  dialAtServer,
  Directory,
  isEnrollmentOver,
  type PendingEnrollment,
  requestEnrollment,
  reserveKeyFile,
  tryEnrollment,
} from "../atprotocol/client/mod.ts";
import type { AtKeys } from "../atprotocol/wire/mod.ts";
import { describeError, isNoportsError, NoportsError } from "../base/mod.ts";
import type { CommandContext } from "../cli/mod.ts";
import type { ControlPlaneSettings } from "../config/mod.ts";
import type { EnrollOptions } from "./options.ts";

/** The vendor's: between two looks whether the request is approved. */
const CHECK_MS = 10_000;
const RETRY = `Will retry in ${CHECK_MS / 1000} seconds`;

/**
 * Enrolls this device. Losing the server while waiting is told and waited out.
 * @throws {NoportsError} `file_exists`; `auth_failed` for a passcode that is not taken, a revoked or expired request;
 * `conflict` when app and device are enrolled already; `permit_denied` for a denied one; network errors of the request itself.
 */
export async function enroll(
  options: EnrollOptions,
  passcode: string,
  settings: ControlPlaneSettings,
  context: CommandContext,
): Promise<void> {
  const { atSign, keyFile } = options;
  const { stdout, stderr, signal, clock, entropy } = context;
  const { caCerts } = settings;
  const directory = new Directory(settings.rootDomain, caCerts, clock);
  const connect = (until?: AbortSignal) => dialAtServer(atSign, { directory, caCerts }, until);
  const file = await reserveKeyFile(keyFile);
  try {
    stderr("Submitting enrollment request");
    const request = { ...options.request, passcode };
    const pending = await requestEnrollment(atSign, request, { connect, entropy }, signal)
      .catch((error) => {
        throw explainRequest(error);
      });
    stdout(`Enrollment ID: ${pending.enrollmentId}`);
    stderr(`Waiting for approval; will check every ${CHECK_MS / 1000} seconds`);
    const look = (until: AbortSignal) => tryEnrollment(pending, { connect }, until);
    const keys = await awaitApproval(pending, look, context);
    stderr("Creating atKeys file");
    await file.write(atSign, keys);
  } finally {
    await file.discard();
  }
  stdout(`[Success] Your .atKeys file saved at ${keyFile}`);
}

/**
 * Looks every 10 s until `look` gives keys, with a line for each look.
 * @throws {NoportsError} `permit_denied` when the request was denied; what `look` throws that no waiting mends.
 */
export async function awaitApproval(
  { enrollmentId }: Pick<PendingEnrollment, "enrollmentId">,
  look: (signal: AbortSignal) => Promise<AtKeys | null>,
  { clock, stderr, signal }: Pick<CommandContext, "clock" | "stderr" | "signal">,
): Promise<AtKeys> {
  for (;;) {
    try {
      const keys = await look(signal);
      if (keys !== null) {
        stderr("Checking ...  approved.");
        return keys;
      }
      stderr(`Checking ...  not approved. ${RETRY}`);
    } catch (error) {
      signal.throwIfAborted();
      if (!isPassing(error)) throw explainEnd(error, enrollmentId);
      stderr(`Checking ...  ${describeError(error)}. ${RETRY}`);
    }
    await clock.sleep(CHECK_MS, signal);
  }
}

/** True for what waiting may mend. The keys are in memory alone, so only the server's word about the enrollment ends the wait. */
function isPassing(error: unknown): boolean {
  if (isNoportsError(error, "auth_failed")) return !isEnrollmentOver(error);
  return error instanceof ConnectionLost ||
    isNoportsError(error, "atserver_unreachable", "directory_unreachable", "timeout");
}

function explainRequest(error: unknown): unknown {
  if (error instanceof ConnectionLost) {
    return new NoportsError("atserver_unreachable", `Cannot enroll: ${error.message}`, {
      cause: error,
      hint: "try again; it may need a new passcode",
    });
  }
  if (!isNoportsError(error, "atserver_refused")) return error;
  if (/Another enrollment with id/i.test(error.message)) {
    return new NoportsError("conflict", error.message, {
      cause: error,
      hint: "choose another --device, or have the other enrollment denied or revoked",
    });
  }
  if (!/invalid otp/i.test(error.message)) return error;
  return new NoportsError(
    "auth_failed",
    "Cannot enroll: the passcode is wrong, used already or expired",
    {
      cause: error,
      hint: "make a new one where the atSign's keys are: noports activate otp -a ATSIGN",
    },
  );
}

function explainEnd(error: unknown, id: string): unknown {
  if (!isNoportsError(error, "auth_failed") || !error.message.includes("AT0025")) return error;
  return new NoportsError("permit_denied", `Cannot enroll: The enrollment: ${id} is denied`, {
    cause: error,
    hint: "ask whoever manages the atSign, then enroll again",
  });
}
