/**
 * The monitor connection of an atSign: subscribes, proves with acknowledged heartbeats that it is alive, and comes back by itself
 * after any loss, resuming where it was. atProtocol specification, Monitor; PROTOCOL.md, "Monitor". IO.
 */

import {
  abortable,
  BoundedMap,
  type Clock,
  describeError,
  isNoportsError,
  type Log,
} from "../../base/mod.ts";
import { type Notification, parseNotification, STATS_NOTIFICATION_ID } from "../wire/mod.ts";
import type { AtConnection } from "./connection.ts";
import { isEnrollmentOver } from "./login.ts";

/** As the vendor's client. */
const HEARTBEAT_INTERVAL_MS = 10_000;
/** Our choice; the vendor gives it 3.3 s. Any line counts as a sign of life. */
const HEARTBEAT_TIMEOUT_MS = 5_000;
/** The vendor's server takes two commands that arrive in one piece for one broken command. */
const AFTER_MONITOR_PAUSE_MS = 10;
/** Our choice: the first try after a loss comes at once, the last ones every 5 s, each with jitter. */
const BACKOFF_MS = [100, 500, 1000, 2000, 5000] as const;
/** Our choice: how many notification ids are remembered to drop repeated ones. */
const MAX_REMEMBERED_IDS = 4096;

export interface MonitorOptions {
  /** Opens a logged-in connection that gives notification lines to `onNotification`. */
  readonly connect: (
    signal: AbortSignal,
    onNotification: (json: string) => void,
  ) => Promise<AtConnection>;
  /** Gets each notification once, statistics excepted. Must not throw. */
  readonly deliver: (notification: Notification) => void;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
}

export class Monitor {
  readonly #options: MonitorOptions;
  readonly #seen = new BoundedMap<string, true>(MAX_REMEMBERED_IDS);
  /** The newest time that the server named, by its own clock. */
  #serverEpochMs: number | null = null;
  /** When we were first subscribed, by our clock: used only while the server has named no time. */
  #firstUpMs: number | null = null;
  #ready = Promise.withResolvers<void>();
  #isUp = false;

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#ready.promise.catch(() => {});
  }

  /** True while the last heartbeat was acknowledged. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /**
   * Resolves once subscribed and acknowledged.
   * @throws what made the first connection fail for good (`auth_failed`, `atsign_unknown`, …), or the signal's reason.
   */
  async ready(signal?: AbortSignal): Promise<void> {
    await abortable(this.#ready.promise, signal);
  }

  /**
   * Keeps the monitor up until `signal` aborts. The first connection must succeed: its failure is thrown, and so is the end of
   * the enrollment that it logs in with.
   * @throws what the first connection threw; `auth_failed` of an enrollment that was revoked or has expired.
   */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    let everUp = false;
    while (!signal.aborted) {
      try {
        await this.#runOnce(signal, () => {
          failures = 0;
          everUp = true;
        });
      } catch (error) {
        if (signal.aborted) break;
        if (!everUp || isEnrollmentOver(error)) {
          this.#goDown();
          this.#ready.reject(error);
          throw error;
        }
        this.#options.log.warn("monitor connection lost", {
          reason: describeError(error),
          ...(isNoportsError(error) && error.hint !== undefined ? { hint: error.hint } : {}),
        });
      }
      this.#goDown();
      const base = BACKOFF_MS[Math.min(failures, BACKOFF_MS.length - 1)] ?? 5000;
      failures++;
      const pause = base * (0.5 + this.#options.random());
      await this.#options.clock.sleep(pause, signal).catch(() => {});
    }
    this.#goDown();
    this.#ready.reject(signal.reason);
  }

  async #runOnce(signal: AbortSignal, onUp: () => void): Promise<void> {
    const { clock, log } = this.#options;
    using conn = await this.#options.connect(signal, (json) => this.#onNotification(json));
    const since = this.#serverEpochMs ?? this.#firstUpMs;
    await conn.send({
      verb: "monitor",
      strict: false,
      selfNotifications: true,
      multiplexed: false,
      // the server's comparison is strictly greater; repeated ones are dropped by id
      ...(since === null ? {} : { sinceEpochMs: since - 1 }),
    });
    await clock.sleep(AFTER_MONITOR_PAUSE_MS, signal);
    await this.#heartbeat(conn, signal);
    this.#firstUpMs ??= clock.now();
    onUp();
    this.#isUp = true;
    this.#ready.resolve();
    log.info("Monitor connection up: monitor started");
    for (;;) {
      const pause = new AbortController();
      const sleeping = clock.sleep(HEARTBEAT_INTERVAL_MS, AbortSignal.any([signal, pause.signal]));
      sleeping.catch(() => {});
      await Promise.race([sleeping, conn.ended]).finally(() => pause.abort());
      await this.#heartbeat(conn, signal);
    }
  }

  async #heartbeat(conn: AtConnection, signal: AbortSignal): Promise<void> {
    const reply = await conn.request(
      { verb: "noop", durationMs: 0 },
      { timeoutMs: HEARTBEAT_TIMEOUT_MS, signal },
    );
    if (reply.kind === "error") throw new Error(`the atServer said ${reply.code} ${reply.text}`);
  }

  #goDown(): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#ready = Promise.withResolvers<void>();
    this.#ready.promise.catch(() => {});
  }

  #onNotification(json: string): void {
    let notification: Notification;
    try {
      notification = parseNotification(json);
    } catch (error) {
      this.#options.log.warn("notification dropped", { reason: describeError(error) });
      return;
    }
    // statistics too carry the server's time, which is what a resumed monitor is asked to start from
    this.#serverEpochMs = Math.max(this.#serverEpochMs ?? 0, notification.epochMillis);
    if (notification.id === STATS_NOTIFICATION_ID) return;
    if (this.#seen.has(notification.id)) return;
    this.#seen.set(notification.id, true);
    this.#options.deliver(notification);
  }
}
