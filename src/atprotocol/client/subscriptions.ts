/** Hands decrypted notifications to whoever subscribed to them; every queue is bounded. */

import { abortable, type Log, NoportsError } from "../../base/mod.ts";
import type { AtSign } from "../wire/mod.ts";
import type { IncomingNotification, Subscription } from "./at_client.ts";

/** Our choice: a subscriber that is this far behind loses the oldest. */
const MAX_QUEUED = 1000;

type Matches = (key: string, from: AtSign) => boolean;

export class Subscriptions {
  readonly #queues = new Set<Queue>();

  constructor(readonly log: Log) {}

  add(matches: Matches): Subscription {
    const queue = new Queue(matches, this.log, () => this.#queues.delete(queue));
    this.#queues.add(queue);
    return queue;
  }

  /** True when somebody waits for a notification with this key and sender: only then is decrypting it worth the work. */
  isWanted(key: string, from: AtSign): boolean {
    for (const queue of this.#queues) if (queue.matches(key, from)) return true;
    return false;
  }

  publish(notification: IncomingNotification): void {
    for (const queue of this.#queues) {
      if (queue.matches(notification.key, notification.from)) queue.push(notification);
    }
  }

  /** Ends all; whoever waits hears of `reason`, if there is one. */
  closeAll(reason?: unknown): void {
    for (const queue of [...this.#queues]) queue.end(reason);
  }
}

class Queue implements Subscription {
  readonly matches: Matches;
  readonly #log: Log;
  readonly #onDispose: () => void;
  readonly #items: IncomingNotification[] = [];
  #wake = Promise.withResolvers<void>();
  #disposed = false;
  #reason: unknown;

  constructor(matches: Matches, log: Log, onDispose: () => void) {
    this.matches = matches;
    this.#log = log;
    this.#onDispose = onDispose;
  }

  push(notification: IncomingNotification): void {
    this.#items.push(notification);
    if (this.#items.length > MAX_QUEUED) {
      const dropped = this.#items.shift();
      this.#log.warn("notification dropped: subscriber is behind", { from: dropped?.from });
    }
    this.#wake.resolve();
  }

  async next(signal?: AbortSignal): Promise<IncomingNotification> {
    for (;;) {
      if (this.#disposed) {
        if (this.#reason !== undefined) throw this.#reason;
        throw new NoportsError("interrupted", "Cannot wait for a notification: unsubscribed");
      }
      const item = this.#items.shift();
      if (item !== undefined) return item;
      this.#wake = Promise.withResolvers<void>();
      await abortable(this.#wake.promise, signal);
    }
  }

  [Symbol.dispose](): void {
    this.end(undefined);
  }

  end(reason: unknown): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#reason = reason;
    this.#wake.resolve();
    this.#onDispose();
  }
}
