/**
 * Slows down who fails to log in: after a few failures each further answer to that address takes longer, and after many
 * its logins are refused without a look, so that hanging up before the answer gains nothing either.
 */

import { AtError } from "../atprotocol/wire/mod.ts";
import type { Clock } from "../base/mod.ts";
import type { Limits } from "./limits.ts";
import { addressGroup } from "./net/remote_address.ts";

/** Our choice: an address is forgotten this long after its last failure. */
const FORGET_MS = 60_000;
const FIRST_DELAY_MS = 250;
/** Addresses remembered at one time; the oldest is forgotten first. */
const MAX_ADDRESSES = 10_000;

type ThrottleLimits = Pick<Limits, "freeLoginFailures" | "loginFailures" | "loginDelayMs">;

export class LoginThrottle {
  readonly #clock: Clock;
  readonly #limits: ThrottleLimits;
  readonly #failures = new Map<string, { count: number; at: number }>();

  constructor(clock: Clock, limits: ThrottleLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Lets a login of `address` be looked at. @throws {AtError} AT0012, closing, after too many failures of it. */
  admit(address: string): void {
    if (this.#countOf(addressGroup(address)) < this.#limits.loginFailures) return;
    throw new AtError("AT0012", "Inbound request rate exceeded", { closes: true });
  }

  /** Counts one failed login from `address` and waits before it may be answered. @throws the signal's reason. */
  async fail(address: string, signal: AbortSignal): Promise<void> {
    const group = addressGroup(address);
    const count = this.#countOf(group) + 1;
    this.#failures.delete(group); // to the end of the map's order
    this.#failures.set(group, { count, at: this.#clock.now() });
    if (this.#failures.size > MAX_ADDRESSES) this.#forgetOldest();
    const over = count - this.#limits.freeLoginFailures;
    if (over <= 0) return;
    const delayMs = Math.min(
      FIRST_DELAY_MS * 2 ** Math.min(over - 1, 20),
      this.#limits.loginDelayMs,
    );
    await this.#clock.sleep(delayMs, signal);
  }

  #countOf(group: string): number {
    const known = this.#failures.get(group);
    return known !== undefined && this.#clock.now() - known.at < FORGET_MS ? known.count : 0;
  }

  #forgetOldest(): void {
    for (const address of this.#failures.keys()) {
      this.#failures.delete(address);
      return;
    }
  }
}
