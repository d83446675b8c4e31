/**
 * The atServers of all hosted atSigns in one process: serves connections, adds atSigns, runs what happens in time
 * (statistics, expiry, retries). Sockets, TLS and the connections to foreign atServers are the caller's.
 */

import type { AtSign } from "../atprotocol/wire/mod.ts";
import { type ByteConn, closeQuietly, NoportsError, TaskGroup } from "../base/mod.ts";
import type { Clock, Entropy, Log } from "../base/mod.ts";
import { encodeUtf8 } from "../encoding/mod.ts";
import { Admission } from "./admission.ts";
import { type Basics, inTransaction } from "./basics.ts";
import { runCacheRefresh } from "./cache_refresh.ts";
import { sweepEnrollments } from "./enrollments.ts";
import { InboundConnection } from "./inbound.ts";
import { CRAM_SECRET_KEY } from "./hosted_at_signs.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { addressGroup } from "./net/mod.ts";
import type { ConnectionCounts, Observer } from "./observer.ts";
import type { PeerGateway } from "./peer_gateway.ts";
import { purgeNotifications } from "./purge_notifications.ts";
import { createServices, type Services } from "./services.ts";
import type { InboundInfo } from "./session.ts";
import type { AtSignRecord, Store } from "./store/store.ts";
import { Watchdog } from "./watchdog.ts";

/** The specification's words for a full server; no greeting, no prompt. */
const FULL = encodeUtf8("error:AT0012-Inbound connection limit exceeded\n");
/** Our choice: how long a refused connection may take to read that. */
const REFUSAL_MS = 1_000;
/** Our choice: expired keys removed in one transaction, and in one go; the rest waits for the next. */
const EXPIRY_BATCH = 500;
const EXPIRY_BATCHES = 20;

export interface AtServerCoreOptions {
  /** Stays the caller's: close it after the core. */
  readonly store: Store;
  readonly peers: PeerGateway;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly limits?: Partial<Limits>;
  readonly observer?: Observer;
  /** What `info` shows. */
  readonly version: string;
}

export class AtServerCore implements AsyncDisposable {
  readonly #basics: Basics;
  readonly #services: Services;
  readonly #admission: Admission;
  readonly #watchdog: Watchdog;
  readonly #connections = new Set<InboundConnection>();
  readonly #served: TaskGroup;
  readonly #jobs: TaskGroup;
  readonly #stop = new AbortController();

  constructor(options: AtServerCoreOptions) {
    const { store, clock, entropy, log } = options;
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#basics = {
      ...{ store, clock, entropy, log, limits },
      ...(options.observer === undefined ? {} : { observer: options.observer }),
    };
    this.#services = createServices(this.#basics, options.peers, options.version);
    this.#admission = new Admission(limits);
    this.#watchdog = new Watchdog(clock, log);
    this.#served = new TaskGroup((error) => log.error("connection failed", { error }));
    this.#jobs = new TaskGroup((error) => log.error("background job failed", { error }));
  }

  /** Serves one accepted connection until it ends; owns `conn` and closes it. Never throws. */
  serve(conn: ByteConn, info: InboundInfo): Promise<void> {
    return new Promise((resolve) =>
      this.#served.run(async () => {
        try {
          await this.#serve(conn, info);
        } finally {
          resolve();
        }
      })
    );
  }

  isHosted(atSign: AtSign): boolean {
    return this.#services.hosted.find(atSign) !== undefined;
  }

  /**
   * Adds an atSign; returns its activation code (the CRAM secret, 128 hex digits). Quick: its signing key is made when
   * it is first needed. @throws {NoportsError} `conflict` when it is hosted already, `storage_failed`.
   */
  addAtSign(atSign: AtSign): string {
    const secret = this.#services.hosted.add(atSign);
    this.#basics.log.info("atSign added", { atSign });
    return secret;
  }

  /**
   * Removes an atSign with all its data, for good, and ends the connections that have to do with it.
   * @throws {NoportsError} `not_found`, `storage_failed`.
   */
  removeAtSign(atSign: AtSign): void {
    const connections = this.#connectionsOf(atSign);
    this.#services.hosted.remove(atSign);
    this.#services.outbox.forget(atSign);
    for (const connection of connections) connection.close();
    this.#basics.log.info("atSign removed", { atSign });
  }

  /** As `removeAtSign`, but the atSign stays hosted, not activated; returns its new activation code. */
  resetAtSign(atSign: AtSign): string {
    const connections = this.#connectionsOf(atSign);
    const secret = this.#services.hosted.reset(atSign);
    this.#services.outbox.forget(atSign);
    for (const connection of connections) connection.close();
    this.#basics.log.info("atSign reset", { atSign });
    return secret;
  }

  /** The activation code of an atSign that waits for its activation, else null. */
  activationCode(atSign: AtSign): string | null {
    const hosted = this.#services.hosted.find(atSign);
    if (hosted === undefined || hosted.read(`public:publickey${atSign}`) !== null) return null;
    return hosted.read(CRAM_SECRET_KEY)?.value ?? null;
  }

  countConnections(): ConnectionCounts {
    const counts = { strangers: 0, owners: 0, peers: 0, monitors: 0 };
    for (const { session } of this.#connections) {
      if (session.monitor !== null) counts.monitors++;
      if (session.login.kind === "none") counts.strangers++;
      else if (session.login.kind === "peer") counts.peers++;
      else counts.owners++;
    }
    return counts;
  }

  listAtSigns(): AtSignRecord[] {
    return this.#services.hosted.list();
  }

  /**
   * For the handshake with a foreign atServer: signs `challenge` with the hosted atSign's signing key (made on first
   * need) and publishes it as `public:<proofKey>` (`_S@alice`) for 60 s.
   * @throws {NoportsError} `not_found` when `atSign` is not hosted here, `storage_failed`.
   */
  async publishProof(atSign: AtSign, proofKey: string, challenge: string): Promise<void> {
    const hosted = this.#services.hosted.find(atSign);
    if (hosted === undefined) {
      throw new NoportsError("not_found", `Cannot sign for "${atSign}": not hosted here`);
    }
    await hosted.publishProof(proofKey, challenge);
  }

  /** Starts what happens in time: statistics to monitors, removal of what has expired, deliveries left from before. */
  start(): void {
    const { statsIntervalMs, expiryIntervalMs } = this.#basics.limits;
    this.#jobs.run(() =>
      this.#every(statsIntervalMs, () => {
        for (const hosted of this.#services.hosted) hosted.announceStats("update");
      })
    );
    this.#jobs.run(() => this.#every(expiryIntervalMs, () => this.#removeExpired()));
    const { hosted, foreignValues } = this.#services;
    this.#jobs.run(() => runCacheRefresh(this.#basics, hosted, foreignValues, this.#stop.signal));
    this.#services.outbox.start();
  }

  /** Ends every connection and job. What was acknowledged is in the store, which the caller closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const connection of [...this.#connections]) connection.close();
    await this.#services.outbox[Symbol.asyncDispose]();
    await this.#jobs[Symbol.asyncDispose]();
    await this.#served[Symbol.asyncDispose]();
    await this.#watchdog[Symbol.asyncDispose]();
  }

  #connectionsOf(atSign: AtSign): InboundConnection[] {
    const hosted = this.#services.hosted.find(atSign);
    if (hosted === undefined) {
      throw new NoportsError("not_found", `Cannot find "${atSign}": not hosted here`, {
        hint: "`noports server list` shows the atSigns that are",
      });
    }
    return [...this.#connections].filter(({ session }) => session.concerns(hosted));
  }

  async #serve(conn: ByteConn, info: InboundInfo): Promise<void> {
    const place = this.#stop.signal.aborted
      ? null
      : this.#admission.enter(addressGroup(info.remoteAddress));
    if (place === null) return await this.#refuse(conn, info);
    const connection = new InboundConnection(this.#services, conn, info, place);
    this.#connections.add(connection);
    this.#watchdog.watch(connection);
    try {
      await connection.serve();
    } finally {
      this.#watchdog.unwatch(connection);
      this.#connections.delete(connection);
    }
  }

  async #refuse(conn: ByteConn, info: InboundInfo): Promise<void> {
    this.#basics.log.warn("too many connections", { address: info.remoteAddress });
    const written = new AbortController();
    const late = this.#basics.clock.sleep(
      REFUSAL_MS,
      AbortSignal.any([written.signal, this.#stop.signal]),
    ).catch(() => {});
    try {
      if (!this.#stop.signal.aborted) await Promise.race([conn.write(FULL), late]);
    } catch {
      // gone already
    } finally {
      written.abort();
      closeQuietly(conn);
    }
  }

  async #every(intervalMs: number, work: () => void): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#basics.clock.sleep(intervalMs, signal);
      } catch {
        return;
      }
      try {
        work();
      } catch (error) {
        this.#basics.log.error("background job failed", { error });
      }
    }
  }

  #removeExpired(): void {
    const { store, clock } = this.#basics;
    const now = clock.now();
    purgeNotifications(this.#basics, (atSign) => this.#services.hosted.find(atSign));
    sweepEnrollments(this.#services);
    for (let batch = 0; batch < EXPIRY_BATCHES; batch++) {
      const expired = store.listExpiredKeys(now, EXPIRY_BATCH);
      inTransaction(store, (after) => {
        for (const { atSign, key } of expired) {
          this.#services.hosted.find(atSign)?.remove(key, after);
        }
      });
      if (expired.length < EXPIRY_BATCH) return;
    }
  }
}
