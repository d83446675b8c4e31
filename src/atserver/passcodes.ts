/**
 * What lets an unknown client ask for an enrollment: one-time passcodes, and the semi-permanent one of an atSign.
 * Kept as digests, so that the store holds none that could be typed. atProtocol specification, APKAM.
 */

import type { Entropy } from "../base/mod.ts";
import { sha256Hex } from "../crypto/mod.ts";
import type { AfterCommit } from "./basics.ts";
import type { HostedAtSign } from "./hosted_at_sign.ts";
import { isActive } from "./value_metadata.ts";

/** The specification's: neither 0 nor O, which look alike. */
const LETTERS = "ABCDEFGHIJKLMNPQRSTUVWXYZ";
const DIGITS = "123456789";
const SYMBOLS = LETTERS + DIGITS;
const OTP_CHARS = 6;

/** A new one-time passcode: six letters and digits, at least one digit. */
export function makeOtp(entropy: Entropy): string {
  const draws = new Uint16Array(entropy.bytes((OTP_CHARS + 2) * 2).buffer);
  const draw = (at: number, below: number): number => (draws[at] ?? 0) % below;
  const symbols = Array.from({ length: OTP_CHARS }, (_, at) => SYMBOLS[draw(at, SYMBOLS.length)]);
  if (!symbols.some((symbol) => DIGITS.includes(symbol ?? ""))) {
    symbols[draw(OTP_CHARS, OTP_CHARS)] = DIGITS[draw(OTP_CHARS + 1, DIGITS.length)];
  }
  return symbols.join("");
}

/** Keeps a one-time passcode for `ttlMs`. Call it in a transaction. */
export function keepOtp(of: HostedAtSign, otp: string, ttlMs: number, after: AfterCommit): void {
  of.write(otpKey(of, otp), "otp", { ttl: ttlMs }, after);
}

/** Replaces the semi-permanent passcode; it stays until the next one, or for `ttlMs`. Call it in a transaction. */
export function keepSemiPermanent(
  of: HostedAtSign,
  passcode: string,
  ttlMs: number | null,
  after: AfterCommit,
): void {
  of.write(semiPermanentKey(of), digest(of, passcode), { ttl: ttlMs ?? 0 }, after);
}

/** True for a passcode that is valid now; a one-time one is used up, also when its time is over. Call it in a transaction. */
export function takePasscode(
  of: HostedAtSign,
  passcode: string,
  nowMs: number,
  after: AfterCommit,
): boolean {
  const lasting = of.readActive(semiPermanentKey(of));
  if (lasting !== null && lasting.value === digest(of, passcode)) return true;
  const key = otpKey(of, passcode);
  const found = of.read(key);
  if (found === null) return false;
  of.remove(key, after);
  return isActive(found.metadata, nowMs);
}

/** Case does not matter; the atSign makes equal passcodes of two atSigns differ. */
function digest(of: HostedAtSign, passcode: string): string {
  return sha256Hex(`${of.atSign}:${passcode.toLowerCase()}`);
}

function otpKey(of: HostedAtSign, otp: string): string {
  return `private:${digest(of, otp)}.__otp${of.atSign}`;
}

function semiPermanentKey(of: HostedAtSign): string {
  return `private:spp.__otp${of.atSign}`;
}
