/**
 * The codes by which the registrar hands out activation codes: who gets one, for how long, and how often somebody may
 * guess. What it looks like on the wire is `registrar.ts`'s.
 */

import type { AtSign } from "../atprotocol/wire/mod.ts";
import type { Clock, Entropy } from "../base/mod.ts";

/** All our choice, but the length, which clients check. */
const CODE_CHARS = 4;
/** 32 symbols, so that a random byte chooses evenly; nothing that looks like another one. */
const SYMBOLS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const CODE_MS = 600_000;
const MAX_ATTEMPTS = 5;
const HOUR_MS = 3_600_000;
/** Codes for one atSign, so guesses at it, are few even in a year. */
const CODES_PER_HOUR = 5;
const PAUSE_MS = 20_000;
const REQUESTS_PER_ADDRESS_AND_HOUR = 60;
const MAX_ADDRESSES = 10_000;

interface Code {
  readonly text: string;
  readonly expiresAt: number;
  attempts: number;
}

export class RegistrarCodes {
  readonly #clock: Clock;
  readonly #entropy: Entropy;
  readonly #codes = new Map<AtSign, Code>();
  /** Times of the codes made within the last hour. */
  readonly #made = new Map<AtSign, number[]>();
  readonly #requests = new Map<string, { count: number; since: number }>();

  constructor(clock: Clock, entropy: Entropy) {
    this.#clock = clock;
    this.#entropy = entropy;
  }

  /** Counts a request of an address group; false when it has made too many. */
  admit(group: string): boolean {
    const now = this.#clock.now();
    const known = this.#requests.get(group);
    if (known === undefined || now - known.since >= HOUR_MS) {
      this.#requests.delete(group);
      this.#requests.set(group, { count: 1, since: now });
      if (this.#requests.size > MAX_ADDRESSES) {
        for (const oldest of this.#requests.keys()) {
          this.#requests.delete(oldest);
          break;
        }
      }
      return true;
    }
    known.count++;
    return known.count <= REQUESTS_PER_ADDRESS_AND_HOUR;
  }

  /** A new code for `atSign`, in place of an earlier one; null when there were too many. */
  make(atSign: AtSign): string | null {
    const now = this.#clock.now();
    const made = (this.#made.get(atSign) ?? []).filter((at) => now - at < HOUR_MS);
    const last = made.at(-1);
    if (made.length >= CODES_PER_HOUR || (last !== undefined && now - last < PAUSE_MS)) return null;
    this.#made.set(atSign, [...made, now]);
    const text = [...this.#entropy.bytes(CODE_CHARS)]
      .map((byte) => SYMBOLS[byte % SYMBOLS.length]).join("");
    this.#codes.set(atSign, { text, expiresAt: now + CODE_MS, attempts: 0 });
    return text;
  }

  /** The code could not be shown to anybody. */
  discard(atSign: AtSign): void {
    this.#codes.delete(atSign);
  }

  /** True for the right code, once; case does not matter. After five wrong ones the code is void. */
  take(atSign: AtSign, given: string): boolean {
    const code = this.#codes.get(atSign);
    if (code === undefined) return false;
    if (this.#clock.now() >= code.expiresAt) {
      this.#codes.delete(atSign);
      return false;
    }
    code.attempts++;
    const isRight = isSame(code.text, given.toUpperCase());
    if (isRight || code.attempts >= MAX_ATTEMPTS) this.#codes.delete(atSign);
    return isRight;
  }
}

/** Compares in a time that tells nothing of where they differ. */
function isSame(expected: string, given: string): boolean {
  if (expected.length !== given.length) return false;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) {
    difference |= expected.charCodeAt(i) ^ given.charCodeAt(i);
  }
  return difference === 0;
}
