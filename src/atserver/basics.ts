/** What every part of the atServers needs: memory, time, chance, caps, a log. And how a command changes the memory. */

import type { Clock, Entropy, Log } from "../base/mod.ts";
import type { Limits } from "./limits.ts";
import type { Observer } from "./observer.ts";
import type { Store } from "./store/store.ts";

export interface Basics {
  readonly store: Store;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly limits: Limits;
  readonly observer?: Observer;
}

/** Registers what happens once the transaction is on disk (lines to monitors, deliveries), never before. */
export type AfterCommit = (effect: () => void) => void;

/** Runs `work` as one transaction, then its effects in the order they were registered; none when it throws. */
export function inTransaction<T>(store: Store, work: (after: AfterCommit) => T): T {
  const effects: (() => void)[] = [];
  const result = store.transaction(() => work((effect) => effects.push(effect)));
  for (const effect of effects) effect();
  return result;
}
