/**
 * The rate of commands before login: a token bucket for each address group. A stranger over it waits a moment; one who
 * is far over it is refused.
 */

import { AtError } from "../atprotocol/wire/mod.ts";
import type { Clock } from "../base/mod.ts";
import type { Limits } from "./limits.ts";

/** Our choice: the longest wait for a token. */
const MAX_WAIT_MS = 2_000;
/** Our choice: address groups remembered; the one that came longest ago is forgotten first. */
const MAX_GROUPS = 10_000;

interface Bucket {
  /** Below zero: that many commands wait. */
  tokens: number;
  filledAt: number;
}

export class RequestRate {
  readonly #clock: Clock;
  readonly #limits: Pick<Limits, "strangerRequestsPerSecond" | "strangerRequestBurst">;
  readonly #buckets = new Map<string, Bucket>();

  constructor(
    clock: Clock,
    limits: Pick<Limits, "strangerRequestsPerSecond" | "strangerRequestBurst">,
  ) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * Takes a token of `group`, waiting for it when there is none; null when there is one at once.
   * @throws {AtError} AT0012, closing, when too many wait already.
   */
  take(group: string, signal: AbortSignal): Promise<void> | null {
    const { strangerRequestsPerSecond: perSecond } = this.#limits;
    const bucket = this.#fill(group);
    const waitMs = Math.ceil((1 - bucket.tokens) / perSecond * 1000);
    if (bucket.tokens < 1 && waitMs > MAX_WAIT_MS) {
      throw new AtError("AT0012", "Inbound request rate exceeded", { closes: true });
    }
    bucket.tokens -= 1;
    return waitMs <= 0 ? null : this.#clock.sleep(waitMs, signal);
  }

  #fill(group: string): Bucket {
    const { strangerRequestsPerSecond, strangerRequestBurst } = this.#limits;
    const now = this.#clock.now();
    const bucket = this.#buckets.get(group) ?? { tokens: strangerRequestBurst, filledAt: now };
    const gained = Math.max(0, now - bucket.filledAt) / 1000 * strangerRequestsPerSecond;
    bucket.tokens = Math.min(strangerRequestBurst, bucket.tokens + gained);
    bucket.filledAt = now;
    this.#buckets.delete(group); // to the end of the map's order
    this.#buckets.set(group, bucket);
    if (this.#buckets.size > MAX_GROUPS) {
      const oldest = this.#buckets.keys().next();
      if (oldest.done !== true) this.#buckets.delete(oldest.value);
    }
    return bucket;
  }
}
