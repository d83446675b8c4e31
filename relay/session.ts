/**
 * One relay session: two listeners, the authentication of each socket, their pairing, and the joined pairs (PROTOCOL.md,
 * Relay data plane). Everything a stranger can fill has a cap and a deadline here. Who may have a session is decided
 * in `relay.ts`.
 */

import {
  type ByteConn,
  type Clock,
  closeQuietly,
  describeError,
  type Log,
  TaskGroup,
} from "../src/base/mod.ts";
import { bridge, type BridgeCounters, PrefixedConn, withoutDelay } from "../src/dataplane/mod.ts";
import {
  type AuthPayload,
  type AuthResult,
  type Verify,
  verifyAuthLine,
} from "../src/session/mod.ts";
import { readAuthLine } from "./auth_reader.ts";
import { PairQueue, type Side, type Ticket } from "./pairing.ts";
import type { PortPair } from "./ports.ts";

/** The specification's times: for the auth line, for holding later sockets back, for the first pair. */
const AUTH_TIMEOUT_MS = 5_000;
const HOLD_BACK_MS = 1_000;
const FIRST_PAIR_MS = 30_000;
/** The specification's cap of sockets that wait for a partner on one side: beyond it the order is lost anyway. */
const MAX_WAITING = 64;
/** Our cap of sockets that have not authenticated on one side: beyond it the oldest goes. */
const MAX_UNREADY = 128;
/** Our cap of pairs that are joined at once. */
const MAX_JOINED = 1024;
/** A numbered socket can be left out of turn, so it need not wait for a partner for ever: how long, and how often we look. */
const NUMBERED_WAIT_MS = 30_000;
const NUMBERED_CHECK_MS = 10_000;
/** How long accepting pauses when the system has no descriptor left. */
const ACCEPT_RETRY_MS = 100;

/** How a side's lines are verified. */
export interface SideKey {
  readonly verify: Verify;
  /** Asks for the atSign's key again: it may have changed since it was cached. Used once per session. */
  readonly refresh: () => Promise<Verify>;
}

export interface RelaySessionOptions {
  /** What the auth lines of both sides sign. */
  readonly auth: AuthPayload;
  /** Null: the side does not have to authenticate. */
  readonly keys: Readonly<Record<Side, SideKey | null>>;
  readonly clock: Clock;
  /** Carries the session id. */
  readonly log: Log;
}

/** What a session did. */
export interface RelaySessionEnd {
  readonly reason: "unused" | "done" | "too many waiting" | "aborted";
  readonly connections: number;
  readonly bytesAToB: number;
  readonly bytesBToA: number;
}

export class RelaySession {
  readonly #ports: PortPair;
  readonly #options: RelaySessionOptions;
  readonly #queue = new PairQueue<ByteConn>();
  readonly #counters: BridgeCounters = { aToB: 0, bToA: 0 };
  readonly #checks: Readonly<Record<Side, SideCheck | null>>;
  readonly #stop = new AbortController();
  readonly #tasks: TaskGroup;
  #connections = 0;
  #joined = 0;
  #firstPairTimeOver = false;
  #reason: RelaySessionEnd["reason"] | null = null;

  /** Takes over `ports`. */
  constructor(ports: PortPair, options: RelaySessionOptions) {
    this.#ports = ports;
    this.#options = options;
    const { A, B } = options.keys;
    this.#checks = { A: A && new SideCheck(A), B: B && new SideCheck(B) };
    this.#tasks = new TaskGroup((error) =>
      options.log.error("relay session task failed", { reason: describeError(error) })
    );
  }

  get portA(): number {
    return this.#ports.a.addr.port;
  }

  get portB(): number {
    return this.#ports.b.addr.port;
  }

  /** Serves until the session ends by its own rules or `signal` aborts; everything is closed then. Runs once. */
  async run(signal: AbortSignal): Promise<RelaySessionEnd> {
    const onAbort = () => this.#finish("aborted");
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    this.#tasks.run(() => this.#limitFirstPair());
    this.#tasks.run(() => this.#limitNumbered());
    this.#tasks.run(() => this.#acceptAll("A", this.#ports.a));
    this.#tasks.run(() => this.#acceptAll("B", this.#ports.b));
    await this.#tasks[Symbol.asyncDispose]();
    signal.removeEventListener("abort", onAbort);
    return {
      reason: this.#reason ?? "done",
      connections: this.#connections,
      bytesAToB: this.#counters.aToB,
      bytesBToA: this.#counters.bToA,
    };
  }

  /** Closes the listeners of a session that was never run. */
  close(): void {
    this.#finish("aborted");
  }

  #finish(reason: RelaySessionEnd["reason"]): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    this.#stop.abort();
    closeQuietly(this.#ports.a);
    closeQuietly(this.#ports.b);
    for (const conn of this.#queue.all()) closeQuietly(conn);
  }

  async #limitFirstPair(): Promise<void> {
    await this.#sleep(FIRST_PAIR_MS);
    this.#firstPairTimeOver = true;
    this.#endWhenUnused();
  }

  #endWhenUnused(): void {
    if (this.#firstPairTimeOver && this.#joined === 0) {
      this.#finish(this.#connections === 0 ? "unused" : "done");
    }
  }

  async #acceptAll(side: Side, listener: Deno.TcpListener): Promise<void> {
    while (!this.#stop.signal.aborted) {
      let conn: Deno.TcpConn;
      try {
        conn = await listener.accept();
      } catch {
        // closed, or out of descriptors: the latter passes
        await this.#sleep(ACCEPT_RETRY_MS);
        continue;
      }
      this.#onAccepted(side, withoutDelay(conn));
    }
  }

  #onAccepted(side: Side, conn: ByteConn): void {
    if (this.#stop.signal.aborted) return closeQuietly(conn);
    const check = this.#checks[side];
    const ticket = this.#queue.enter(side, conn);
    if (check === null) return this.#onReady(ticket);
    if (this.#queue.count(side, false) > MAX_UNREADY) {
      const oldest = this.#queue.oldestUnready(side);
      // its pending read fails, and it leaves the queue there
      if (oldest !== null) closeQuietly(oldest.conn);
    }
    this.#tasks.run(() => this.#authenticate(ticket, check));
  }

  async #authenticate(ticket: Ticket<ByteConn>, check: SideCheck): Promise<void> {
    const done = new AbortController();
    this.#tasks.run(() => this.#limitAuthentication(ticket, done.signal));
    let reason: string;
    try {
      const read = await readAuthLine(ticket.conn);
      const result = read.ok ? await check.line(read.line, this.#options.auth) : read;
      if (read.ok && result.ok) {
        if (read.rest.length > 0) ticket.conn = new PrefixedConn(ticket.conn, read.rest);
        ticket.number = result.connection;
        return this.#onReady(ticket);
      }
      reason = result.ok ? "" : result.reason;
    } catch (error) {
      reason = describeError(error);
    } finally {
      done.abort();
    }
    this.#refuse(ticket, reason);
  }

  /** Lets later sockets pass after a while, and closes the socket in the end. */
  async #limitAuthentication(ticket: Ticket<ByteConn>, done: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    try {
      await clock.sleep(HOLD_BACK_MS, done);
      ticket.blocks = false;
      this.#join();
      await clock.sleep(AUTH_TIMEOUT_MS - HOLD_BACK_MS, done);
      closeQuietly(ticket.conn);
    } catch (error) {
      if (!done.aborted) throw error;
    }
  }

  #refuse(ticket: Ticket<ByteConn>, reason: string): void {
    closeQuietly(ticket.conn);
    this.#queue.leave(ticket);
    if (!this.#stop.signal.aborted) {
      this.#options.log.info("socket refused", { side: ticket.side, reason });
    }
    // whoever waited behind this socket may go on
    this.#join();
  }

  #onReady(ticket: Ticket<ByteConn>): void {
    if (this.#stop.signal.aborted) return closeQuietly(ticket.conn);
    const { side, number } = ticket;
    if (number !== null && this.#queue.hasNumber(side, number)) {
      return this.#refuse(ticket, "number already waiting");
    }
    ticket.ready = true;
    ticket.readyAt = this.#options.clock.now();
    this.#join();
    if (this.#queue.count(side, true) > MAX_WAITING) return this.#finish("too many waiting");
  }

  async #limitNumbered(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stop.signal.aborted) {
      await this.#sleep(NUMBERED_CHECK_MS);
      for (const ticket of this.#queue.numberedSince(clock.now() - NUMBERED_WAIT_MS)) {
        this.#queue.leave(ticket);
        closeQuietly(ticket.conn);
      }
    }
  }

  #join(): void {
    while (this.#joined < MAX_JOINED) {
      const pair = this.#queue.takePair();
      if (pair === null) return;
      this.#joined++;
      this.#connections++;
      this.#tasks.run(() => this.#serve(pair.a.conn, pair.b.conn));
    }
  }

  async #serve(a: ByteConn, b: ByteConn): Promise<void> {
    const { clock } = this.#options;
    try {
      await bridge(a, b, { clock, signal: this.#stop.signal, counters: this.#counters });
    } finally {
      this.#joined--;
      this.#join();
      this.#endWhenUnused();
    }
  }

  /** Sleeps until the time is over or the session ends. */
  async #sleep(ms: number): Promise<void> {
    await this.#options.clock.sleep(ms, this.#stop.signal).catch(() => {});
  }
}

/** Checks the lines of one side: the first with RSA, later ones by having the same signature. */
class SideCheck {
  readonly #key: SideKey;
  #verify: Verify;
  #known: string | null = null;
  #refreshed: Promise<void> | null = null;

  constructor(key: SideKey) {
    this.#key = key;
    this.#verify = key.verify;
  }

  /** A line that fails is checked once more with the key as it is now. */
  async line(line: string, auth: AuthPayload): Promise<AuthResult> {
    let isSignatureWrong = false;
    const verify: Verify = (text, signature) => {
      if (signature === this.#known) return true;
      const good = this.#verify(text, signature);
      if (good) this.#known = signature;
      else isSignatureWrong = true;
      return good;
    };
    const result = verifyAuthLine(line, auth, verify);
    if (!isSignatureWrong || this.#known !== null) return result;
    this.#refreshed ??= this.#refresh();
    await this.#refreshed;
    return verifyAuthLine(line, auth, verify);
  }

  async #refresh(): Promise<void> {
    try {
      this.#verify = await this.#key.refresh();
    } catch {
      // the key that we have must do
    }
  }
}
