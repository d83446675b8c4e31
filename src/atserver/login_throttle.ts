/** Slows down who fails to log in: after a few failures each further answer to that address takes longer. */

import type { Clock } from "../base/mod.ts";
import type { Limits } from "./limits.ts";

/** Our choice: an address is forgotten this long after its last failure. */
const FORGET_MS = 60_000;
const FIRST_DELAY_MS = 250;
/** Addresses remembered at one time; the oldest is forgotten first. */
const MAX_ADDRESSES = 10_000;

export class LoginThrottle {
  readonly #clock: Clock;
  readonly #limits: Pick<Limits, "freeLoginFailures" | "loginDelayMs">;
  readonly #failures = new Map<string, { count: number; at: number }>();

  constructor(clock: Clock, limits: Pick<Limits, "freeLoginFailures" | "loginDelayMs">) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Counts one failed login from `address` and waits before it may be answered. @throws the signal's reason. */
  async fail(address: string, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    const known = this.#failures.get(address);
    const count = known !== undefined && now - known.at < FORGET_MS ? known.count + 1 : 1;
    this.#failures.delete(address); // to the end of the map's order
    this.#failures.set(address, { count, at: now });
    if (this.#failures.size > MAX_ADDRESSES) this.#forgetOldest();
    const over = count - this.#limits.freeLoginFailures;
    if (over <= 0) return;
    const delayMs = Math.min(
      FIRST_DELAY_MS * 2 ** Math.min(over - 1, 20),
      this.#limits.loginDelayMs,
    );
    await this.#clock.sleep(delayMs, signal);
  }

  #forgetOldest(): void {
    for (const address of this.#failures.keys()) {
      this.#failures.delete(address);
      return;
    }
  }
}
