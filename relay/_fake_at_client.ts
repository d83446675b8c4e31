/** For tests: a control plane in memory with the two calls that the relay needs, and a hand to send requests with. */

import type {
  AtClient,
  IncomingNotification,
  OutgoingNotification,
  Subscription,
} from "../src/atprotocol/client/mod.ts";
import { type AtSign, parseAtSign } from "../src/atprotocol/wire/mod.ts";
import { NoportsError } from "../src/base/mod.ts";
import { IdleAtClient } from "../tests/idle_at_client.ts";

type Wake = (notification: IncomingNotification) => void;

/** A relay's client. What the relay sends lands in `sent`. */
export class FakeAtClient extends IdleAtClient implements AtClient {
  readonly atSign = parseAtSign("@rv");
  readonly keys: AtClient["keys"] = {
    pkam: { publicKey: "", privateKey: "" },
    encryption: { publicKey: "", privateKey: "" },
    selfEncryptionKey: "",
  };
  /** Public keys by atSign; a missing one is an unknown atSign. */
  readonly publicKeys = new Map<string, string>();
  /** What `refresh` finds instead. */
  readonly refreshedKeys = new Map<string, string>();
  readonly #queue: IncomingNotification[] = [];
  readonly #sent: OutgoingNotification[] = [];
  readonly #sentWaiters: (() => void)[] = [];
  #wake: Wake | null = null;

  /** Delivers a notification to the relay. */
  deliver(from: string, key: string, value: string | null): void {
    const notification: IncomingNotification = {
      id: crypto.randomUUID(),
      from: parseAtSign(from),
      key,
      operation: "update",
      value,
      epochMillis: 0,
    };
    if (this.#wake === null) this.#queue.push(notification);
    else this.#wake(notification);
  }

  /** The next message that the relay sends. */
  async nextSent(): Promise<OutgoingNotification> {
    for (;;) {
      const sent = this.#sent.shift();
      if (sent !== undefined) return sent;
      await new Promise<void>((resolve) => this.#sentWaiters.push(resolve));
    }
  }

  /** How many messages nobody has taken. */
  get unread(): number {
    return this.#sent.length;
  }

  subscribe(matches: (key: string, from: AtSign) => boolean): Subscription {
    const next = (signal?: AbortSignal): Promise<IncomingNotification> => {
      signal?.throwIfAborted();
      const at = this.#queue.findIndex((one) => matches(one.key, one.from));
      if (at >= 0) return Promise.resolve(this.#queue.splice(at, 1)[0] as IncomingNotification);
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          this.#wake = null;
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", onAbort, { once: true });
        this.#wake = (notification) => {
          if (!matches(notification.key, notification.from)) return;
          this.#wake = null;
          signal?.removeEventListener("abort", onAbort);
          resolve(notification);
        };
      });
    };
    return { next, [Symbol.dispose]: () => {} };
  }

  notify(notification: OutgoingNotification): Promise<string> {
    this.#sent.push(notification);
    for (const wake of this.#sentWaiters.splice(0)) wake();
    return Promise.resolve(crypto.randomUUID());
  }

  publicKey(of: AtSign, options?: { refresh?: boolean }): Promise<string> {
    const key = (options?.refresh === true ? this.refreshedKeys.get(of) : undefined) ??
      this.publicKeys.get(of);
    if (key !== undefined) return Promise.resolve(key);
    return Promise.reject(new NoportsError("atsign_unknown", `Cannot find ${of}`));
  }
}
