/**
 * The pool of connections to foreign atServers. Those that proved one of our atSigns and those that did not are kept
 * apart, because the same command means different things on them (atProtocol specification, Server to server).
 */

import { type Clock, type Log, TaskGroup } from "../../base/mod.ts";
import { AtError, type AtSign } from "../../atprotocol/wire/mod.ts";
import { LinkLostError, type PeerLink } from "./peer_link.ts";

/** The specification. */
const MAX_LINKS = 200;
const IDLE_MS = 10 * 60_000;
/** Our choice: so that one slow request does not hold up the others to the same server. */
const MAX_LINKS_PER_PAIR = 4;
/** Our choice: requests that wait for a connection of one pair. */
const MAX_WAITING_PER_PAIR = 64;
const SWEEP_MS = 60_000;

/** Whose server, and as whom; null: unauthenticated. */
export interface LinkPair {
  readonly peer: AtSign;
  readonly as: AtSign | null;
}

export interface PeerLinksOptions {
  /** Opens a connection that is ready for requests, or gives up when `signal` aborts. @throws {AtError} */
  readonly open: (pair: LinkPair, signal: AbortSignal) => Promise<PeerLink>;
  readonly clock: Clock;
  readonly log: Log;
  readonly maxLinks?: number;
}

/** A place in the pool: reserved first, so that slow handshakes count. */
interface Slot {
  readonly key: string;
  link: PeerLink | null;
  busy: boolean;
  usedAt: number;
}

export class PeerLinks implements AsyncDisposable {
  readonly #options: PeerLinksOptions;
  readonly #slots = new Set<Slot>();
  readonly #waiting = new Map<string, (() => void)[]>();
  readonly #stop = new AbortController();
  readonly #tasks: TaskGroup;

  constructor(options: PeerLinksOptions) {
    this.#options = options;
    this.#tasks = new TaskGroup((error) => options.log.error("peer pool failed", { error }));
    this.#tasks.run(() => this.#sweep());
  }

  /** How many connections there are or are being made. */
  get size(): number {
    return this.#slots.size;
  }

  /** How many of them speak for `as`. */
  countAs(as: AtSign): number {
    let count = 0;
    for (const { key } of this.#slots) if (key.startsWith(`${as} `)) count++;
    return count;
  }

  /**
   * Runs `use` with a connection of its own. A connection that was kept and turns out to be dead is replaced, once.
   * @throws {AtError} AT0006 when all are busy, AT0021 when the connection breaks, and what `open` and `use` throw.
   */
  async withLink<T>(pair: LinkPair, use: (link: PeerLink) => Promise<T>): Promise<T> {
    for (let attempt = 0;; attempt++) {
      const slot = await this.#acquire(pair);
      const wasUsed = slot.link !== null;
      try {
        slot.link ??= await this.#options.open(pair, this.#stop.signal);
        return await use(slot.link);
      } catch (error) {
        if (!(error instanceof LinkLostError)) throw error;
        if (wasUsed && attempt === 0) continue;
        throw new AtError("AT0021", `Unable to connect to secondary of ${pair.peer}`, {
          cause: error,
        });
      } finally {
        this.#release(slot);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new AtError("AT0024", "Server is stopping"));
    for (const slot of this.#slots) slot.link?.close();
    await this.#tasks[Symbol.asyncDispose]();
  }

  async #acquire(pair: LinkPair): Promise<Slot> {
    const key = `${pair.as ?? ""} ${pair.peer}`;
    while (true) {
      this.#stop.signal.throwIfAborted();
      const ofPair = [...this.#slots].filter((slot) => slot.key === key);
      const idle = ofPair.find((slot) => !slot.busy);
      if (idle !== undefined) {
        idle.busy = true;
        return idle;
      }
      if (ofPair.length < MAX_LINKS_PER_PAIR) {
        this.#makeRoom();
        const slot = { key, link: null, busy: true, usedAt: this.#options.clock.now() };
        this.#slots.add(slot);
        return slot;
      }
      await this.#wait(key);
    }
  }

  async #wait(key: string): Promise<void> {
    const queue = this.#waiting.get(key) ?? [];
    if (queue.length >= MAX_WAITING_PER_PAIR) throw limitReached();
    const turn = Promise.withResolvers<void>();
    queue.push(turn.resolve);
    this.#waiting.set(key, queue);
    await turn.promise;
  }

  #release(slot: Slot): void {
    slot.busy = false;
    slot.usedAt = this.#options.clock.now();
    if (slot.link === null || slot.link.closed) this.#slots.delete(slot);
    else if (this.#stop.signal.aborted) slot.link.close();
    const queue = this.#waiting.get(slot.key);
    queue?.shift()?.();
    if (queue?.length === 0) this.#waiting.delete(slot.key);
  }

  #makeRoom(): void {
    if (this.#slots.size < (this.#options.maxLinks ?? MAX_LINKS)) return;
    let oldest: Slot | undefined;
    for (const slot of this.#slots) {
      if (!slot.busy && (oldest === undefined || slot.usedAt < oldest.usedAt)) oldest = slot;
    }
    if (oldest === undefined) throw limitReached();
    oldest.link?.close();
    this.#slots.delete(oldest);
  }

  async #sweep(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await clock.sleep(SWEEP_MS, signal).catch(() => {});
      for (const slot of this.#slots) {
        if (slot.busy || clock.now() - slot.usedAt < IDLE_MS) continue;
        slot.link?.close();
        this.#slots.delete(slot);
      }
    }
  }
}

function limitReached(): AtError {
  return new AtError("AT0006", "Outbound connection limit exceeded");
}
