/**
 * When a multi-mode session ends by itself (PROTOCOL.md, End of session): a limit runs from the start; when it is over, the session
 * ends as soon as it has no data connection. The control connection does not count.
 */

import type { Clock } from "../base/mod.ts";

/** Timers of the platform fire at once beyond 2^31 ms; clients ask for a year. */
const MAX_SLEEP_MS = 2 ** 30;

export class IdleRule {
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #onIdle: () => void;
  #open = 0;
  #expired = false;

  /** `timeoutMs` 0: never. `onIdle` may be called more than once. */
  constructor(timeoutMs: number, clock: Clock, onIdle: () => void) {
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    this.#onIdle = onIdle;
  }

  /** Data connections open now. */
  get open(): number {
    return this.#open;
  }

  opened(): void {
    this.#open++;
  }

  closed(): void {
    this.#open--;
    this.#check();
  }

  /** Runs the limit; resolves when it is over or `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#timeoutMs === 0) return;
    const end = this.#clock.now() + this.#timeoutMs;
    try {
      for (let left = this.#timeoutMs; left > 0; left = end - this.#clock.now()) {
        await this.#clock.sleep(Math.min(left, MAX_SLEEP_MS), signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    this.#expired = true;
    this.#check();
  }

  #check(): void {
    if (this.#expired && this.#open === 0) this.#onIdle();
  }
}
