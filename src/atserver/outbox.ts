/**
 * Delivery of notifications to foreign atServers: one queue for each pair of sender and receiver, oldest first, kept on
 * disk, repeated while the receiver's server is away. atProtocol specification, Server to server.
 */

import { AtError, type AtSign, encodeMetadata, type Metadata } from "../atprotocol/wire/mod.ts";
import { TaskGroup } from "../base/mod.ts";
import type { Basics } from "./basics.ts";
import type { PeerGateway } from "./peer_gateway.ts";
import type { QueuedPair, StoredNotification } from "./store/store.ts";

/** The specification: the peer has 10 s to answer. */
const ANSWER_MS = 10_000;
const TICK_MS = 1_000;
/** Our choice: pauses differ by up to this, so that queues which failed together do not come back together. */
const MAX_JITTER_MS = 2_000;
/** Failures of the way, not of the one notification: everything in the queue would fail. */
const ABSENCES: readonly string[] = ["AT0004", "AT0006", "AT0007", "AT0008", "AT0013", "AT0021"];

/** Beside times and isEncrypted; priority, strategy, dataSignature, encoding are not forwarded. */
const FORWARDED_TEXTS = [
  "sharedKeyEnc",
  "pubKeyCS",
  "encKeyName",
  "encAlgo",
  "ivNonce",
  "skeEncKeyName",
  "skeEncAlgo",
] as const;

interface Queue extends QueuedPair {
  /** Not before this time, ms since 1970. */
  dueAt: number;
  /** The receiver's server is away: new notifications wait as well. */
  isAway: boolean;
  running: boolean;
  /** Its sender was removed. */
  isGone: boolean;
}

export class Outbox implements AsyncDisposable {
  readonly #basics: Basics;
  readonly #peers: PeerGateway;
  readonly #queues = new Map<string, Queue>();
  readonly #tasks: TaskGroup;
  readonly #stop = new AbortController();

  constructor(basics: Basics, peers: PeerGateway) {
    this.#basics = basics;
    this.#peers = peers;
    this.#tasks = new TaskGroup((error) => basics.log.error("delivery failed", { error }));
  }

  /** Takes up what an earlier run left, and retries from now on. */
  start(): void {
    for (const pair of this.#basics.store.listQueuedPairs()) this.#queue(pair);
    this.#tasks.run(() => this.#tick());
    this.#launch();
  }

  /** Something new is in this queue. */
  kick(pair: QueuedPair): void {
    const queue = this.#queue(pair);
    if (!queue.isAway) queue.dueAt = 0;
    this.#launch();
  }

  /** `from` is hosted here no longer: its queues end, whatever became of a delivery under way. */
  forget(from: AtSign): void {
    for (const [name, queue] of this.#queues) {
      if (queue.from !== from) continue;
      queue.isGone = true;
      this.#queues.delete(name);
    }
  }

  /** Stops. A delivery under way is abandoned; its notification stays queued on disk. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    return Promise.resolve();
  }

  #queue({ from, to }: QueuedPair): Queue {
    const name = `${from} ${to}`;
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      queue = { from, to, dueAt: 0, isAway: false, running: false, isGone: false };
      this.#queues.set(name, queue);
    }
    return queue;
  }

  async #tick(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#basics.clock.sleep(TICK_MS, signal);
      } catch {
        return;
      }
      this.#launch();
    }
  }

  /** Starts the queues that are due, as many as may run at one time. */
  #launch(): void {
    if (this.#stop.signal.aborted) return;
    const now = this.#basics.clock.now();
    let running = 0;
    for (const queue of this.#queues.values()) if (queue.running) running++;
    for (const [name, queue] of this.#queues) {
      if (running >= this.#basics.limits.parallelDeliveries) return;
      if (queue.running || queue.dueAt > now) continue;
      queue.running = true;
      running++;
      this.#tasks.run(() => this.#drain(name, queue));
    }
  }

  async #drain(name: string, queue: Queue): Promise<void> {
    try {
      await this.#deliverAll(name, queue);
    } catch (error) {
      queue.dueAt = this.#basics.clock.now() + this.#pauseMs();
      throw error;
    } finally {
      queue.running = false;
      this.#launch(); // another queue may have waited for this place
    }
  }

  /** Delivers what may be tried now, until the way fails. Sets when this queue is due again. */
  async #deliverAll(name: string, queue: Queue): Promise<void> {
    const { store, clock } = this.#basics;
    const { from, to } = queue;
    queue.isAway = false;
    while (!this.#stop.signal.aborted && !queue.isGone) {
      const next = store.nextQueued(from, to, clock.now());
      if (next === null) {
        const dueAt = store.nextTryAt(from, to);
        if (dueAt === null) this.#queues.delete(name); // at once: what comes later makes a new queue
        else queue.dueAt = dueAt;
        return;
      }
      if (next.expiresAt <= clock.now()) {
        store.setNotificationStatus(from, next.id, "expired");
        this.#basics.observer?.notification("expired");
        continue;
      }
      const failure = await this.#deliver(next);
      if (this.#stop.signal.aborted || queue.isGone) return;
      if (failure === null) {
        store.setNotificationStatus(from, next.id, "delivered");
        this.#basics.observer?.notification("delivered");
      } else {
        this.#countFailure(queue, next, failure);
      }
      if (queue.isAway) return;
    }
  }

  #countFailure(queue: Queue, record: StoredNotification, failure: AtError): void {
    const { store, clock, limits, log } = this.#basics;
    const { from, to } = queue;
    const fields = { from, to, id: record.id, tries: record.tries + 1, code: failure.code };
    log.warn("notification not delivered", fields);
    const retryAt = clock.now() + this.#pauseMs();
    if (ABSENCES.includes(failure.code)) store.countAbsence(from, to, limits.deliveryTries);
    else store.countRefusal(from, to, record.id, retryAt, limits.deliveryTries);
    const isLastTry = record.tries + 1 >= limits.deliveryTries;
    if (isLastTry) this.#basics.observer?.notification("errored");
    // a silent server costs 10 s a try: the others in the queue wait too
    queue.isAway = ABSENCES.includes(failure.code) || failure.code === "AT0023";
    if (queue.isAway) queue.dueAt = retryAt;
  }

  /** Null when the peer has taken it. */
  async #deliver(record: StoredNotification): Promise<AtError | null> {
    try {
      const line = encodeForPeer(record);
      const answer = await this.#peers.request(record.to, record.from, line, ANSWER_MS);
      return answer === "success" ? null : new AtError("AT0011", "unexpected answer");
    } catch (error) {
      if (error instanceof AtError) return error;
      this.#basics.log.error("delivery failed", { to: record.to, error });
      return new AtError("AT0021", "delivery failed", { cause: error });
    }
  }

  #pauseMs(): number {
    const [random = 0] = this.#basics.entropy.bytes(1);
    return this.#basics.limits.quarantineMs + Math.floor(random / 256 * MAX_JITTER_MS);
  }
}

/** The command for the peer, with its LF: what upstream servers accept, in their order, nothing else. */
export function encodeForPeer(record: StoredNotification): string {
  const options = `id:${record.id}:${record.operation}:messageType:${record.messageType}` +
    `:notifier:${record.notifier}:ttln:${record.expiresAt - record.epochMillis}${
      forwardedMetadata(record)
    }`;
  // a public key names no recipient of its own
  const key = record.key.startsWith(`${record.to}:`) ? record.key : `${record.to}:${record.key}`;
  const value = record.value === null ? "" : `:${record.value}`;
  return `notify:${options}:${key}${value}\n`;
}

function forwardedMetadata(record: StoredNotification): string {
  if (record.metadata === null) return "";
  const m = record.metadata;
  const forwarded: Record<string, unknown> = {};
  const take = (name: keyof Metadata): void => {
    if (m[name] !== undefined) forwarded[name] = m[name];
  };
  if (record.messageType === "key") {
    take("ttl");
    take("ttb");
    if (m.ttr !== undefined) Object.assign(forwarded, { ttr: m.ttr, ccd: m.ccd ?? false });
  }
  forwarded["isEncrypted"] = record.isEncrypted;
  for (const name of FORWARDED_TEXTS) take(name);
  return encodeMetadata(forwarded as Metadata);
}
