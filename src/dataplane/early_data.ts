/**
 * How much may be sent behind the auth line at once. Later versions of the vendor's relay refuse a connection on which more than
 * 4,096 bytes, line included, arrive before it has checked the line (PROTOCOL.md, Relay authentication), so a sender holds the
 * rest back until the peer's first byte proves that the relay has joined the two, or 100 ms have passed.
 */

import type { Clock } from "../base/mod.ts";

/** The specification's advice: what may follow the line at once. */
const EARLY_BYTES = 3400;
/** The specification's advice: after this long the relay has read the line. */
const EARLY_MS = 100;

/** Counts what was sent and says when more may go. */
export class EarlyDataGate {
  readonly #until: number;
  readonly #clock: Clock;
  readonly #opened = new AbortController();
  #room = EARLY_BYTES;

  /** To be made when the auth line has been written. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#until = clock.now() + EARLY_MS;
  }

  /** True once nothing is held back any more. */
  get isOpen(): boolean {
    return this.#opened.signal.aborted;
  }

  /** The peer's first byte has come. */
  open(): void {
    this.#opened.abort();
  }

  /** How many of `bytes` may be written now; 0: wait first. */
  take(bytes: number): number {
    const allowed = this.isOpen ? bytes : Math.min(bytes, this.#room);
    this.#room -= allowed;
    return allowed;
  }

  /** Resolves when the gate is open; `signal` ends the wait early. */
  async wait(signal: AbortSignal): Promise<void> {
    const limit = AbortSignal.any([signal, this.#opened.signal]);
    try {
      await this.#clock.sleep(Math.max(this.#until - this.#clock.now(), 0), limit);
    } catch (error) {
      if (!limit.aborted) throw error;
    }
    this.open();
  }
}
