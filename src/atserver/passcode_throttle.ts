/**
 * Slows down who guesses passcodes: an atSign's wrong answers take longer and longer, and an address gets no further
 * guess before the answer to its last wrong one was due, whether it waited for that answer or not.
 * atProtocol specification, APKAM.
 */

import { AtError, type AtSign } from "../atprotocol/wire/mod.ts";
import { BoundedMap, type Clock } from "../base/mod.ts";
import type { Limits } from "./limits.ts";
import { addressGroup } from "./net/remote_address.ts";

/** The specification's series begins so; each further delay is the sum of the last two. */
const FIRST_DELAY_MS = 1_000;
const SECOND_DELAY_MS = 2_000;
/** Our choice: addresses and atSigns remembered at one time. */
const MAX_ADDRESSES = 10_000;
const MAX_SERIES = 10_000;
/** Our choice: requests of one address that wait for their turn. */
const MAX_WAITING = 4;

interface Series {
  readonly delayMs: number;
  readonly nextMs: number;
  /** When the last wrong answer was due. */
  readonly answeredAt: number;
}

export class PasscodeThrottle {
  readonly #clock: Clock;
  readonly #limits: Pick<Limits, "wrongPasscodeDelayMs">;
  readonly #series = new BoundedMap<AtSign, Series>(MAX_SERIES);
  /** When an address may guess again. */
  readonly #freeAt = new BoundedMap<string, number>(MAX_ADDRESSES);
  readonly #waiting = new Map<string, number>();

  constructor(clock: Clock, limits: Pick<Limits, "wrongPasscodeDelayMs">) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * Runs `check` when it is the turn of `address`; false when it was wrong, after the delay.
   * @throws {AtError} AT0011 when too many of that address wait; the signal's reason.
   */
  async guard(
    atSign: AtSign,
    address: string,
    signal: AbortSignal,
    check: () => boolean,
  ): Promise<boolean> {
    const group = addressGroup(address);
    let isWaiting = false;
    try {
      for (let ms = this.#pauseOf(group); ms > 0; ms = this.#pauseOf(group)) {
        if (!isWaiting) this.#joinQueue(group);
        isWaiting = true;
        await this.#clock.sleep(ms, signal);
      }
    } finally {
      if (isWaiting) this.#leaveQueue(group);
    }
    // in the same turn as the last look: of those that wake together, the first wrong one makes the others wait again
    if (check()) return true;
    const delayMs = this.#nextDelay(atSign);
    this.#freeAt.set(group, this.#clock.now() + delayMs);
    await this.#clock.sleep(delayMs, signal);
    return false;
  }

  #joinQueue(group: string): void {
    const waiting = this.#waiting.get(group) ?? 0;
    if (waiting >= MAX_WAITING) throw tooManyRequests();
    this.#waiting.set(group, waiting + 1);
  }

  #leaveQueue(group: string): void {
    const left = (this.#waiting.get(group) ?? 1) - 1;
    if (left === 0) this.#waiting.delete(group);
    else this.#waiting.set(group, left);
  }

  #pauseOf(group: string): number {
    return (this.#freeAt.get(group) ?? 0) - this.#clock.now();
  }

  #nextDelay(atSign: AtSign): number {
    const max = this.#limits.wrongPasscodeDelayMs;
    const now = this.#clock.now();
    const last = this.#series.get(atSign);
    const goesOn = last !== undefined && now - last.answeredAt < max;
    const delayMs = Math.min(goesOn ? last.nextMs : FIRST_DELAY_MS, max);
    const nextMs = goesOn ? Math.min(last.delayMs + last.nextMs, max) : SECOND_DELAY_MS;
    this.#series.set(atSign, { delayMs, nextMs, answeredAt: now + delayMs });
    return delayMs;
  }
}

/** The refusal of the request rate, in the specification's words. */
export function tooManyRequests(): AtError {
  return new AtError(
    "AT0011",
    "Enrollment requests have exceeded the limit within the specified time frame",
  );
}
