/** `noports activate otp` and `spp`: the passcodes that let a request for an enrollment in. Approval is still needed. */

import { makePasscode, setPasscode } from "../atprotocol/client/mod.ts";
import type { Manager, Output } from "./manager.ts";

/** Makes a one-time passcode and prints it alone. `expiryMs` undefined: the server's 5 minutes. */
export async function printOtp(
  { channel }: Manager,
  expiryMs: number | undefined,
  { stdout, signal }: Output,
): Promise<void> {
  stdout(await makePasscode(channel, expiryMs, signal));
}

/** Sets the passcode that many requests may use. @throws {NoportsError} `usage` for a bad one. */
export async function setSpp(
  { channel }: Manager,
  passcode: string,
  expiryMs: number | undefined,
  { stdout, signal }: Output,
): Promise<void> {
  await setPasscode(channel, passcode, expiryMs, signal);
  stdout("Server response: data:ok");
}
