/** Deadlines of all connections with one timer: looks at them every second and ends those whose time is over. */

import { type Clock, type Log, TaskGroup } from "../base/mod.ts";

const INTERVAL_MS = 1_000;

export interface Watched {
  /** When this one's time is over, ms since 1970; Infinity when nothing is awaited. */
  deadlineMs(): number;
  /** Its time is over. Must not throw. */
  expire(): void;
}

export class Watchdog implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #watched = new Set<Watched>();
  readonly #tasks: TaskGroup;
  #pause: AbortController | null = null;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#tasks = new TaskGroup((error) => log.error("watchdog failed", { error }));
  }

  watch(watched: Watched): void {
    this.#watched.add(watched);
    if (this.#pause !== null) return;
    const pause = new AbortController();
    this.#pause = pause;
    this.#tasks.run(() => this.#run(pause.signal));
  }

  /** The timer stops with the last one. */
  unwatch(watched: Watched): void {
    this.#watched.delete(watched);
    if (this.#watched.size > 0) return;
    this.#pause?.abort();
    this.#pause = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watched.clear();
    this.#pause?.abort();
    this.#pause = null;
    await this.#tasks[Symbol.asyncDispose]();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#clock.sleep(INTERVAL_MS, signal);
      } catch {
        return; // nothing left to watch
      }
      const now = this.#clock.now();
      for (const watched of this.#watched) if (watched.deadlineMs() <= now) watched.expire();
    }
  }
}
