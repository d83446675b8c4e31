/**
 * What is gathered about one hosted atSign beside its data: who asks for what (in memory, since the start), when its owner
 * logged in and what was cleared away (kept). atProtocol specification, stats.
 */

import { type AtSign, encodeTimestamp } from "../atprotocol/wire/mod.ts";
import { AccessCounter } from "./access_counter.ts";
import type { Basics } from "./basics.ts";

/** What one run of clearing away did, in the members and texts of the vendor's server. */
export interface Compaction {
  readonly startedAt: number;
  readonly durationMs: number;
  readonly before: number;
  readonly removed: number;
}

export type KeptStatistic =
  | "lastLogin"
  | "lastPkam"
  | "commitLogCompaction"
  | "notificationCompaction";

/** The specification's lists are short. */
const TOP_LENGTH = 10;

export class AtSignStatistics {
  readonly #basics: Basics;
  readonly #owner: AtSign;
  // made when first needed: most of many hosted atSigns are idle
  #atSigns: AccessCounter | undefined;
  #keys: AccessCounter | undefined;
  #droppedAt: number | undefined;

  constructor(basics: Basics, owner: AtSign) {
    this.#basics = basics;
    this.#owner = owner;
  }

  /** `key` was asked for; `other` is the atSign that asked or was asked, null when it is not known. */
  countAccess(other: AtSign | null, key: string | null): void {
    this.#atSigns ??= new AccessCounter();
    this.#keys ??= new AccessCounter();
    const dropped = this.#dropped();
    if (other !== null) this.#atSigns.count(other);
    if (key !== null) this.#keys.count(key);
    if (this.#dropped() > dropped) this.#droppedAt = this.#basics.clock.now();
  }

  topAtSigns(): Record<string, number> {
    return this.#atSigns?.top(TOP_LENGTH) ?? {};
  }

  topKeys(): Record<string, number> {
    return this.#keys?.top(TOP_LENGTH) ?? {};
  }

  /** The owner has logged in. A disk that takes nothing is no reason to turn it away. */
  recordLogin(method: "cram" | "pkam"): void {
    const { store, clock, log } = this.#basics;
    const now = encodeTimestamp(clock.now());
    try {
      store.transaction(() => {
        store.putStatistic(this.#owner, "lastLogin" satisfies KeptStatistic, now);
        if (method === "pkam") {
          store.putStatistic(this.#owner, "lastPkam" satisfies KeptStatistic, now);
        }
      });
    } catch (error) {
      log.warn("time of login not kept", { atSign: this.#owner, error });
    }
  }

  /** Part of the transaction that cleared away. */
  recordCompaction(name: KeptStatistic, compaction: Compaction): void {
    this.#basics.store.putStatistic(this.#owner, name, describeCompaction(compaction));
  }

  /** A kept text, null when there is none yet. */
  read(name: KeptStatistic): string | null {
    return this.#basics.store.getStatistic(this.#owner, name);
  }

  /** The access counters make room as they go: what they have dropped so far, as JSON; null when nothing yet. */
  accessCompaction(): string | null {
    if (this.#droppedAt === undefined) return null;
    const left = (this.#atSigns?.size ?? 0) + (this.#keys?.size ?? 0);
    const removed = this.#dropped();
    const startedAt = this.#droppedAt;
    return describeCompaction({ startedAt, durationMs: 0, before: left + removed, removed });
  }

  #dropped(): number {
    return (this.#atSigns?.dropped ?? 0) + (this.#keys?.dropped ?? 0);
  }
}

function describeCompaction({ startedAt, durationMs, before, removed }: Compaction): string {
  return JSON.stringify({
    lastCompactionRun: encodeTimestamp(startedAt),
    compactionDurationInMills: String(durationMs),
    preCompactionEntriesCount: String(before),
    postCompactionEntriesCount: String(before - removed),
    deletedKeysCount: String(removed),
  });
}
