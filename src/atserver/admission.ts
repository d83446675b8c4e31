/** Caps on connections before anybody has logged in: in all, and for each remote address. */

import type { Limits } from "./limits.ts";

export class Admission {
  readonly #limits: Pick<Limits, "connections" | "strangersPerAddress">;
  readonly #strangers = new Map<string, number>();
  #connections = 0;

  constructor(limits: Pick<Limits, "connections" | "strangersPerAddress">) {
    this.#limits = limits;
  }

  /** A place for a connection from `address`, which starts as a stranger; null when there is none. */
  enter(address: string): Place | null {
    if (this.#connections >= this.#limits.connections) return null;
    if ((this.#strangers.get(address) ?? 0) >= this.#limits.strangersPerAddress) return null;
    this.#connections++;
    return new Place((change) => this.#count(address, change), () => this.#connections--);
  }

  #count(address: string, change: 1 | -1): void {
    const count = (this.#strangers.get(address) ?? 0) + change;
    if (count > 0) this.#strangers.set(address, count);
    else this.#strangers.delete(address);
  }
}

/** The place of one connection; its owner disposes it when the connection ends. */
export class Place implements Disposable {
  readonly #count: (change: 1 | -1) => void;
  readonly #leave: () => void;
  #isStranger = true;
  #isTaken = true;

  constructor(count: (change: 1 | -1) => void, leave: () => void) {
    this.#count = count;
    this.#leave = leave;
    count(1);
  }

  /** Logged in: no longer counted for its address; or a stranger again. */
  setStranger(isStranger: boolean): void {
    if (!this.#isTaken || isStranger === this.#isStranger) return;
    this.#isStranger = isStranger;
    this.#count(isStranger ? 1 : -1);
  }

  [Symbol.dispose](): void {
    this.setStranger(false);
    if (this.#isTaken) this.#leave();
    this.#isTaken = false;
  }
}
