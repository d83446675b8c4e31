/** Owner of background tasks: no promise floats, and disposal waits for every task. */

export class TaskGroup implements AsyncDisposable {
  readonly #tasks = new Set<Promise<void>>();
  readonly #onError: (error: unknown) => void;

  /** `onError` hears of a task that threw; a task that ends by its owner's abort should not throw. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** How many tasks are running. */
  get size(): number {
    return this.#tasks.size;
  }

  /** Starts `task` and holds it until it ends. */
  run(task: () => Promise<void>): void {
    const running = this.#guard(task);
    this.#tasks.add(running);
    running.finally(() => this.#tasks.delete(running));
  }

  async #guard(task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      this.#onError(error);
    }
  }

  /** Waits until no task is left; tasks started meanwhile are waited for too. Aborting them is the owner's job. */
  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }
}
