/** What one connection has said and proved so far. The bytes are `inbound.ts`'s. */

import { AtError, type AtSign, type ClientConfig } from "../atprotocol/wire/mod.ts";
import type { Rights } from "./authorisation.ts";
import { ConnectionPool, type PoolMember } from "./connection_pool.ts";
import type { HostedAtSign } from "./hosted_at_sign.ts";
import type { Monitor, MonitorSink } from "./monitor.ts";
import type { Services } from "./services.ts";
import type { StoredEnrollment } from "./store/store.ts";

/** What the listener knows of an accepted connection. */
export interface InboundInfo {
  readonly remoteAddress: string;
  /** atSign meant by the TLS server name, if an operator's pattern gave one. */
  readonly sniAtSign: AtSign | null;
  /** DNS and IP names of a presented, verified client certificate, if any. */
  readonly peerCertificateNames: readonly string[] | null;
}

export type Login =
  | { readonly kind: "none" }
  | {
    readonly kind: "owner";
    readonly of: HostedAtSign;
    readonly method: "cram" | "pkamLegacy" | "apkam";
    readonly enrollmentId: string | null;
  }
  | { readonly kind: "peer"; readonly atSign: AtSign };

export type OwnerLogin = Extract<Login, { kind: "owner" }>;

/** The connection as its session needs it. */
export interface SessionConnection extends PoolMember, MonitorSink {
  /** Aborts when the connection ends: nobody waits for an answer any more. */
  readonly signal: AbortSignal;
  /** Called when the login changes, so that caps for strangers apply or not. */
  loginChanged(): void;
  /** The monitor's replay has lines to write. */
  startReplay(monitor: Monitor): void;
  /** Ends the connection at this time, ms since 1970. */
  closeAt(timeMs: number): void;
}

interface Challenge {
  readonly value: string;
  readonly expiresAt: number;
}

/** The version above which a client wants errors as JSON (atProtocol specification, Errors). */
const JSON_ERRORS_ABOVE = [3, 0, 37] as const;
const HOUR_MS = 3_600_000;

export class Session {
  /** `_` and a UUID; challenges carry it. */
  readonly id: string;
  readonly info: InboundInfo;
  readonly connection: SessionConnection;
  /** The atSign that a foreign atServer's first `lookup:all:publickey@…` named: what it means when it names none. */
  bound: HostedAtSign | null = null;
  /** The atSign that a stranger named last, with `from` or by asking for its public key: it enrolls with that one. */
  asked: HostedAtSign | null = null;
  readonly #services: Services;
  #login: Login = { kind: "none" };
  #ownChallenge: (Challenge & { readonly of: HostedAtSign }) | null = null;
  #peerChallenge: (Challenge & { readonly peer: AtSign }) | null = null;
  #monitor: { readonly of: HostedAtSign; readonly monitor: Monitor } | null = null;
  #wasMonitor = false;
  #jsonErrors = false;
  /** Times of the enrollment requests of the last hour. */
  #enrollRequests: number[] = [];

  constructor(services: Services, info: InboundInfo, connection: SessionConnection) {
    this.#services = services;
    this.info = info;
    this.connection = connection;
    this.id = `_${services.basics.entropy.uuid()}`;
  }

  get login(): Login {
    return this.#login;
  }

  get jsonErrors(): boolean {
    return this.#jsonErrors;
  }

  /** True once `monitor` was accepted: replies then end with LF and have no prompt. */
  get isMonitoring(): boolean {
    return this.#wasMonitor;
  }

  /** True when what was said or proved on this connection has to do with the hosted atSign `of`. */
  concerns(of: HostedAtSign): boolean {
    if (this.#login.kind === "owner" && this.#login.of === of) return true;
    return this.bound === of || this.asked === of || this.#ownChallenge?.of === of;
  }

  /** A `from` without it leaves the earlier one in force. */
  setClientConfig(config: ClientConfig): void {
    this.#jsonErrors = isAbove(config.version ?? "");
  }

  /** A fresh challenge for the owner of `of`; returns what is to be signed. */
  challengeOwner(of: HostedAtSign): string {
    this.asked = of;
    this.#ownChallenge = { of, ...this.#newChallenge() };
    return `${this.id}${of.atSign}:${this.#ownChallenge.value}`;
  }

  /** A fresh challenge for the server of the foreign atSign `peer`. */
  challengePeer(peer: AtSign): string {
    this.#peerChallenge = { peer, ...this.#newChallenge() };
    return `${this.id}${peer}:${this.#peerChallenge.value}`;
  }

  /** The open challenge of an owner. @throws {AtError} AT0015 when there is none, or it is older than a minute. */
  ownChallenge(): { readonly of: HostedAtSign; readonly text: string } {
    const challenge = this.#ownChallenge;
    if (challenge === null || challenge.expiresAt < this.#services.basics.clock.now()) {
      const key = `private:${this.id}${challenge?.of.atSign ?? ""}`;
      throw new AtError("AT0015", `${key} does not exist in keystore`);
    }
    return { of: challenge.of, text: `${this.id}${challenge.of.atSign}:${challenge.value}` };
  }

  /** The open challenge of a peer, which this uses up. @throws {AtError} AT0011, closing. */
  takePeerChallenge(): { readonly peer: AtSign; readonly value: string } {
    const challenge = this.#peerChallenge;
    this.#peerChallenge = null;
    if (challenge === null || challenge.expiresAt < this.#services.basics.clock.now()) {
      throw new AtError("AT0011", "pol without from of another atSign", { closes: true });
    }
    return challenge;
  }

  /** The owner has proved itself; the challenge is used up. @throws {AtError} AT0012, closing, when its pool is full. */
  logInOwner(login: OwnerLogin): void {
    this.#ownChallenge = null;
    const isSame = this.#login.kind === "owner" && this.#login.of === login.of;
    if (!isSame) this.logOut();
    if (!login.of.owners.join(this.connection)) throw poolFull();
    if (isSame) this.#stopMonitor();
    this.#setLogin(login);
  }

  /** The server of `atSign` has proved itself. @throws {AtError} AT0012, closing, when its pool is full. */
  logInPeer(atSign: AtSign): void {
    this.logOut();
    const { peerPools, basics: { clock, limits } } = this.#services;
    const pool = peerPools.get(atSign) ??
      new ConnectionPool(clock, limits.connectionsPerPeer, limits.loggedInIdleMs);
    if (!pool.join(this.connection)) throw poolFull();
    peerPools.set(atSign, pool);
    this.#setLogin({ kind: "peer", atSign });
  }

  /** The connection is a stranger's again: a login failed, or it ends. */
  logOut(): void {
    this.#stopMonitor();
    const login = this.#login;
    if (login.kind === "owner") login.of.owners.leave(this.connection);
    if (login.kind === "peer") {
      const pool = this.#services.peerPools.get(login.atSign);
      pool?.leave(this.connection);
      if (pool?.size === 0) this.#services.peerPools.delete(login.atSign);
    }
    this.#setLogin({ kind: "none" });
  }

  /** The enrollment of this connection, null when it has none. @throws {EnrollmentGone} when it may no longer be used. */
  enrollment(): StoredEnrollment | null {
    if (this.#login.kind !== "owner" || this.#login.enrollmentId === null) return null;
    const found = this.#services.basics.store.getEnrollment(
      this.#login.of.atSign,
      this.#login.enrollmentId,
    );
    const now = this.#services.basics.clock.now();
    const isLive = found !== null && found.state === "approved" &&
      (found.expiresAt === null || found.expiresAt > now);
    if (!isLive) throw new EnrollmentGone();
    return found;
  }

  /** The rights of this connection, null for all. @throws {EnrollmentGone} as `enrollment`. */
  rights(): Rights | null {
    const enrollment = this.enrollment();
    if (enrollment === null) return null;
    return { enrollmentId: enrollment.id, namespaces: enrollment.namespaces };
  }

  /** Counts one `enroll:request`; false when this connection has made too many within an hour. */
  countEnrollRequest(): boolean {
    const { clock, limits } = this.#services.basics;
    const now = clock.now();
    this.#enrollRequests = this.#enrollRequests.filter((at) => now - at < HOUR_MS);
    if (this.#enrollRequests.length >= limits.enrollRequestsPerHour) return false;
    this.#enrollRequests.push(now);
    return true;
  }

  /** Subscribes this connection; a subscription that it had ends. */
  startMonitor(of: HostedAtSign, monitor: Monitor): void {
    this.#stopMonitor();
    this.#monitor = { of, monitor };
    this.#wasMonitor = true;
    of.addMonitor(monitor);
    this.connection.startReplay(monitor);
  }

  /** The subscription in force. */
  get monitor(): Monitor | null {
    return this.#monitor?.monitor ?? null;
  }

  #stopMonitor(): void {
    this.#monitor?.of.removeMonitor(this.#monitor.monitor);
    this.#monitor = null;
  }

  #setLogin(login: Login): void {
    this.#login = login;
    if (login.kind === "owner") this.#services.logins.set(this.connection, login);
    else this.#services.logins.delete(this.connection);
    this.connection.loginChanged();
  }

  #newChallenge(): Challenge {
    const { clock, entropy, limits } = this.#services.basics;
    return { value: entropy.uuid(), expiresAt: clock.now() + limits.challengeMs };
  }
}

/** The enrollment of a connection was revoked or has expired: the connection ends without a word. */
export class EnrollmentGone extends Error {
  override readonly name = "EnrollmentGone";
}

function poolFull(): AtError {
  return new AtError("AT0012", "Inbound connection limit exceeded");
}

function isAbove(version: string): boolean {
  const match = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:[-+]|$)/.exec(version);
  if (match === null) return false;
  for (const [i, limit] of JSON_ERRORS_ABOVE.entries()) {
    const part = Number(match[i + 1]);
    if (part !== limit) return part > limit;
  }
  return false;
}
