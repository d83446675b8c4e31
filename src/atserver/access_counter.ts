/** Counts how often names come up, in bounded memory: the frequent ones stay, counted at most too high, never too low. */

/** Our choice: names that are told apart. */
const MAX_NAMES = 200;

export class AccessCounter {
  readonly #counts = new Map<string, number>();
  readonly #maxNames: number;
  #dropped = 0;

  constructor(maxNames: number = MAX_NAMES) {
    this.#maxNames = maxNames;
  }

  count(name: string): void {
    const known = this.#counts.get(name);
    if (known !== undefined) {
      this.#counts.set(name, known + 1);
      return;
    }
    // a newcomer takes over the count of the rarest: it may have been there before
    const inherited = this.#counts.size < this.#maxNames ? 0 : this.#dropRarest();
    this.#counts.set(name, inherited + 1);
  }

  /** The most frequent names with their counts, the most frequent first. */
  top(length: number): Record<string, number> {
    const sorted = [...this.#counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
    return Object.fromEntries(sorted.slice(0, length));
  }

  get size(): number {
    return this.#counts.size;
  }

  /** How many names had to make room. */
  get dropped(): number {
    return this.#dropped;
  }

  #dropRarest(): number {
    let rarest: string | undefined;
    let least = Infinity;
    for (const [name, n] of this.#counts) {
      if (n >= least) continue;
      rarest = name;
      least = n;
    }
    if (rarest === undefined) return 0;
    this.#counts.delete(rarest);
    this.#dropped++;
    return least;
  }
}
