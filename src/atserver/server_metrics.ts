/** What `noports server run --metrics` shows of the atServers. The text form and the port are `src/control`'s. */

import type { Clock } from "../base/mod.ts";
import { Metrics } from "../control/mod.ts";
import type { ConnectionCounts, NotificationEvent, Observer } from "./observer.ts";

/** Seconds; a commit that syncs to a good disk takes about 0.2 ms. */
const STORE_BUCKETS = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3] as const;
const LOGIN_VERBS: ReadonlySet<string> = new Set(["cram", "pkam", "pol"]);

/** What the gauges read when somebody asks. */
export interface ServerNumbers {
  readonly connections: ConnectionCounts;
  readonly atSigns: number;
  readonly notificationsQueued: number;
  readonly storeBytes: number;
  /** Ms since 1970; null when it is not known. */
  readonly certificateExpiresAt: number | null;
}

export class ServerMetrics implements Observer {
  readonly metrics = new Metrics();
  readonly #commands = this.metrics.counter(
    "noports_commands_total",
    "Commands to the atServers by verb and outcome (ok, or the code of the refusal).",
  );
  readonly #loginFailures = this.metrics.counter(
    "noports_login_failures_total",
    "Logins that were refused, by verb.",
  );
  readonly #notifications = this.metrics.counter(
    "noports_notifications_total",
    "Notifications of hosted atSigns: queued for another atServer, delivered, given up, expired.",
  );
  readonly #store = this.metrics.histogram(
    "noports_store_seconds",
    "How long an operation or transaction of the store took.",
    STORE_BUCKETS,
  );

  command(verb: string, outcome: string): void {
    this.#commands.add({ verb, outcome });
    if (outcome !== "ok" && LOGIN_VERBS.has(verb)) this.#loginFailures.add({ verb });
  }

  notification(event: NotificationEvent): void {
    this.#notifications.add({ event });
  }

  storeOperation(seconds: number): void {
    this.#store.observe(seconds);
  }

  /** Adds what is read when it is asked for. */
  showNumbers(read: () => ServerNumbers, version: string, clock: Clock): void {
    const { metrics } = this;
    const startedAt = clock.now();
    const one = (pick: (numbers: ServerNumbers) => number) => () => [{ value: pick(read()) }];
    metrics.gauge("noports_connections", "Open connections to the atServers by kind.", () => {
      const { strangers, owners, peers } = read().connections;
      return [
        { labels: { kind: "stranger" }, value: strangers },
        { labels: { kind: "owner" }, value: owners },
        { labels: { kind: "peer" }, value: peers },
      ];
    });
    metrics.gauge("noports_monitors", "Live monitors.", one((n) => n.connections.monitors));
    metrics.gauge("noports_atsigns", "Hosted atSigns.", one((n) => n.atSigns));
    metrics.gauge(
      "noports_notifications_queued",
      "Notifications that wait for another atServer.",
      one((n) => n.notificationsQueued),
    );
    metrics.gauge("noports_store_bytes", "Bytes of the store on disk.", one((n) => n.storeBytes));
    metrics.gauge(
      "noports_certificate_expiry_timestamp_seconds",
      "When the TLS certificate ends.",
      () => {
        const { certificateExpiresAt } = read();
        return certificateExpiresAt === null ? [] : [{ value: certificateExpiresAt / 1000 }];
      },
    );
    metrics.gauge("noports_info", "The program.", () => [{ labels: { version }, value: 1 }]);
    metrics.gauge(
      "process_start_time_seconds",
      "When the process started.",
      () => [{ value: startedAt / 1000 }],
    );
    metrics.gauge(
      "process_resident_memory_bytes",
      "Memory of the process.",
      () => [{ value: Deno.memoryUsage().rss }],
    );
    metrics.gauge(
      "noports_heap_used_bytes",
      "Memory of the process's objects.",
      () => [{ value: Deno.memoryUsage().heapUsed }],
    );
  }
}
