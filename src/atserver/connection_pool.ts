/** The logged-in connections of one atSign (or of one foreign server): a cap, and who makes room when it is reached. */

import type { Clock } from "../base/mod.ts";
import { idleAllowanceMs } from "./limits.ts";

export interface PoolMember {
  /** Milliseconds since 1970 of the last command or write; null while a command runs. */
  idleSince(): number | null;
  close(): void;
}

export class ConnectionPool {
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #maxIdleMs: number;
  readonly #members = new Set<PoolMember>();

  constructor(clock: Clock, capacity: number, maxIdleMs: number) {
    this.#clock = clock;
    this.#capacity = capacity;
    this.#maxIdleMs = maxIdleMs;
  }

  get size(): number {
    return this.#members.size;
  }

  /** Takes `member` in, closing others that are idle for longer than the load allows; false when the pool stays full. */
  join(member: PoolMember): boolean {
    if (this.#members.has(member)) return true;
    if (this.#members.size >= this.#capacity) this.#evict();
    if (this.#members.size >= this.#capacity) return false;
    this.#members.add(member);
    return true;
  }

  leave(member: PoolMember): void {
    this.#members.delete(member);
  }

  #evict(): void {
    const allowedMs = idleAllowanceMs(this.#members.size, this.#capacity, this.#maxIdleMs);
    const now = this.#clock.now();
    for (const member of [...this.#members]) {
      const since = member.idleSince();
      if (since === null || now - since <= allowedMs) continue;
      this.#members.delete(member);
      member.close();
    }
  }
}
