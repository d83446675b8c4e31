/**
 * The client's end of a multi-mode session (PROTOCOL.md, Data plane): one control connection to the relay, and for each local
 * connection a relay connection of its own plus one `connect` message with its keys. The relay pairs by order, or by number
 * when relay and daemon are ours too. Setting the session up, and whether to start another, are the client's business.
 */

import {
  type ByteConn,
  type Clock,
  closeQuietly,
  describeError,
  type Entropy,
  type Log,
  NoportsError,
  TaskGroup,
  writeAll,
} from "../base/mod.ts";
import { CtrStream } from "../crypto/mod.ts";
import {
  controlBytes,
  createSessionKeys,
  type DirectionKeys,
  encodeConnectMessage,
  encodeHeartbeat,
  isTwin,
} from "../session/mod.ts";
import { HeldConn } from "./_held_conn.ts";
import { IdleRule } from "./_idle_rule.ts";
import { Slots } from "./_slots.ts";
import { bridge, type BridgeCounters } from "./bridge.ts";
import type { Dial } from "./dial.ts";
import { EarlyDataGate } from "./early_data.ts";
import type { LocalConnections } from "./local_listener.ts";
import { dialRelay, type RelayEndpoint } from "./relay_socket.ts";

/** The specification's settle time towards daemons that take control messages one after another. */
export const SETTLE_MS = 20;
/** The specification's settle time towards csshnpd 0.x, which starts one thread per message. */
export const PARALLEL_DAEMON_SETTLE_MS = 250;
/** Our choice: local connections at once; more wait in the system's backlog. */
const MAX_CONNECTIONS = 512;
/** Our choice, with numbered pairing: connections that are being set up at once, well under the relay's cap. */
const MAX_STARTING = 32;
/** Our choice: when the control connection has ended, how long data connections may take to end too. */
const LOST_GRACE_MS = 500;
/** The daemon's idle limit began up to this long before ours: its response may take that long. */
const IDLE_SLACK_MS = 15_000;
/** Our choice: how long the rest of a session that ended by the idle limit may take to drain. */
const IDLE_DRAIN_MS = 30_000;
const HEARTBEAT_MS = 5 * 60_000;

export interface ClientBridgeOptions {
  /** The relay's address and the port of side A. */
  readonly relay: RelayEndpoint;
  /** Session keys for the control connection; null: nothing is encrypted. */
  readonly keys: DirectionKeys | null;
  /** Relay and daemon pair by number: connections are set up at once instead of one by one. */
  readonly numberedPairing: boolean;
  /** How long to wait between two connections when the relay pairs by order and no byte has come. */
  readonly settleMs: number;
  /** The session ends when it has no connection after this long; 0: never. */
  readonly timeoutMs: number;
  /** The daemon's ping offers `controlChannelHeartbeats`. */
  readonly heartbeats?: boolean;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly dial?: Dial;
}

/** How a session ended, and what it moved. */
export interface ClientBridgeEnd {
  /** `idle`: no connection was open at the end of the limit. `aborted`: by the signal. */
  readonly kind: "idle" | "aborted";
  readonly connections: number;
  readonly bytesOut: number;
  readonly bytesIn: number;
}

/**
 * Opens the control connection. The caller disposes the result, or runs it, which disposes it too.
 * @throws {NoportsError} `relay_unreachable`; the signal's reason.
 */
export async function connectClientBridge(
  options: ClientBridgeOptions,
  signal: AbortSignal,
): Promise<ClientBridge> {
  const control = await dialRelay(options.relay, {
    signal,
    ...dialOptions(options, 0),
  });
  return new ClientBridge(control, options);
}

export class ClientBridge implements Disposable {
  readonly #control: ByteConn;
  readonly #options: ClientBridgeOptions;
  readonly #controlCipher: CtrStream | null;
  readonly #counters: BridgeCounters = { aToB: 0, bToA: 0 };
  /** Ends everything. */
  readonly #stop = new AbortController();
  /** Ends accepting; what is open goes on. */
  readonly #closing = new AbortController();
  /** Ends the wait for open connections when there is none left. */
  readonly #drained = new AbortController();
  readonly #tasks: TaskGroup;
  readonly #idle: IdleRule;
  readonly #places = new Slots(MAX_CONNECTIONS);
  readonly #starting = new Slots(MAX_STARTING);
  readonly #startedAt: number;
  #connections = 0;
  #controlWrites: Promise<void> = Promise.resolve();
  /** How the session ended, and the error when it was lost. */
  #end: { readonly kind: "idle" | "aborted" } | { readonly error: unknown } | null = null;

  /** Takes over `control`, dialled and authenticated. */
  constructor(control: ByteConn, options: ClientBridgeOptions) {
    this.#control = control;
    this.#options = options;
    const { keys, clock, timeoutMs } = options;
    this.#controlCipher = keys === null ? null : new CtrStream(keys.toDaemon.key, keys.toDaemon.iv);
    this.#tasks = new TaskGroup((error) => this.#finish({ error }));
    this.#idle = new IdleRule(timeoutMs, clock, () => this.#finish({ kind: "idle" }));
    this.#startedAt = clock.now();
  }

  /**
   * Serves local connections until the session ends; everything but `local` is closed then. Runs once.
   * @throws {NoportsError} `session_lost` when the control connection ends, `internal` for a fault of ours.
   */
  async run(local: LocalConnections, signal: AbortSignal): Promise<ClientBridgeEnd> {
    const onAbort = () => this.#finish({ kind: "aborted" });
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    this.#tasks.run(() => this.#watchControl());
    this.#tasks.run(() => this.#idle.run(this.#stop.signal));
    if (this.#options.heartbeats === true) this.#tasks.run(() => this.#sendHeartbeats());
    try {
      await this.#acceptAll(local);
      await aborted(this.#stop.signal);
    } finally {
      signal.removeEventListener("abort", onAbort);
      this[Symbol.dispose]();
      await this.#tasks[Symbol.asyncDispose]();
    }
    const end = this.#end ?? { kind: "aborted" };
    if ("error" in end) throw end.error;
    return {
      kind: end.kind,
      connections: this.#connections,
      bytesOut: this.#counters.aToB,
      bytesIn: this.#counters.bToA,
    };
  }

  /** Closes the control connection and everything that was opened. */
  [Symbol.dispose](): void {
    this.#closing.abort();
    this.#stop.abort();
    closeQuietly(this.#control);
  }

  #finish(end: { kind: "idle" | "aborted" } | { error: unknown }): void {
    this.#end ??= end;
    this.#closing.abort();
    this.#stop.abort();
  }

  async #acceptAll(local: LocalConnections): Promise<void> {
    const { signal } = this.#closing;
    try {
      while (!signal.aborted) {
        await this.#places.take(signal);
        const conn = await local.next(signal);
        this.#idle.opened();
        const number = ++this.#connections;
        if (this.#options.numberedPairing) await this.#startNumbered(conn, number);
        else await this.#startInOrder(conn, number);
      }
    } catch (error) {
      if (!signal.aborted) this.#finish({ error });
    }
  }

  /** Message and relay connection at once; the number in both says what belongs together. */
  async #startNumbered(local: ByteConn, number: number): Promise<void> {
    try {
      await this.#starting.take(this.#stop.signal);
    } catch {
      this.#ended(local);
      return;
    }
    const keys = this.#createKeys();
    const sent = this.#sendControl(encodeConnectMessage(keys));
    this.#tasks.run(async () => {
      let relay: ByteConn | null;
      try {
        [relay] = await Promise.all([this.#dial(number), sent]);
      } finally {
        this.#starting.give();
      }
      if (relay === null) return this.#ended(local);
      await this.#serve(local, relay, keys, number);
    });
  }

  /** One connection at a time: relay connection, auth line, message, and then a pause until it must have been paired. */
  async #startInOrder(local: ByteConn, number: number): Promise<void> {
    const relay = await this.#dial(number);
    if (relay === null) return this.#ended(local);
    const keys = this.#createKeys();
    const held = new HeldConn(relay);
    const settled = new AbortController();
    const signal = AbortSignal.any([settled.signal, this.#stop.signal]);
    await this.#sendControl(encodeConnectMessage(keys));
    this.#tasks.run(() => this.#serve(local, held, keys, number, () => settled.abort()));
    await this.#options.clock.sleep(this.#options.settleMs, signal).catch(() => {});
    held.release();
  }

  /** A relay connection with its auth line, or null when there is none to be had: that local connection fails alone. */
  async #dial(number: number): Promise<ByteConn | null> {
    const { signal } = this.#stop;
    try {
      return await dialRelay(this.#options.relay, {
        signal,
        ...dialOptions(this.#options, number),
      });
    } catch (error) {
      if (!signal.aborted) {
        this.#options.log.warn("relay connection failed", {
          connection: number,
          reason: describeError(error),
        });
      }
      return null;
    }
  }

  async #serve(
    local: ByteConn,
    relay: ByteConn,
    keys: DirectionKeys | null,
    number: number,
    onFirstFromB?: () => void,
  ): Promise<void> {
    const { clock, log, numberedPairing } = this.#options;
    try {
      const end = await bridge(local, relay, {
        clock,
        signal: this.#stop.signal,
        counters: this.#counters,
        ...(keys === null ? {} : {
          outgoing: new CtrStream(keys.toDaemon.key, keys.toDaemon.iv),
          incoming: new CtrStream(keys.toClient.key, keys.toClient.iv),
        }),
        ...(onFirstFromB === undefined ? {} : { onFirstFromB }),
        // numbered pairing is our relay's, which takes any amount behind the line
        ...(numberedPairing ? {} : { earlyData: new EarlyDataGate(clock) }),
      });
      log.debug("connection closed", { connection: number, end: end.kind });
    } finally {
      this.#ended(null);
    }
  }

  /** Gives the connection's place back. */
  #ended(local: ByteConn | null): void {
    if (local !== null) closeQuietly(local);
    this.#places.give();
    this.#idle.closed();
    if (this.#closing.signal.aborted && this.#idle.open === 0) this.#drained.abort();
  }

  #createKeys(): DirectionKeys | null {
    const { keys, entropy } = this.#options;
    return keys === null ? null : createSessionKeys(entropy, { twin: isTwin(keys) });
  }

  /** One message in one write, in the order of the calls. A failure is the end of the control connection, seen there. */
  #sendControl(message: string): Promise<void> {
    const plain = controlBytes(message);
    const bytes = this.#controlCipher?.transform(plain) ?? plain;
    const write = async (): Promise<void> => {
      await this.#controlWrites;
      try {
        await writeAll(this.#control, bytes);
      } catch (cause) {
        this.#finish({ error: lostError(cause) });
      }
    };
    this.#controlWrites = write();
    return this.#controlWrites;
  }

  async #sendHeartbeats(): Promise<void> {
    const { signal } = this.#stop;
    for (let count = 1; !signal.aborted; count++) {
      await this.#options.clock.sleep(HEARTBEAT_MS, signal).catch(() => {});
      if (!signal.aborted) await this.#sendControl(encodeHeartbeat(count));
    }
  }

  /** The daemon sends nothing here: what matters is when it ends. */
  async #watchControl(): Promise<void> {
    const buffer = new Uint8Array(256);
    let cause: unknown;
    try {
      while (await this.#control.read(buffer) !== null);
    } catch (error) {
      cause = error;
    }
    if (this.#stop.signal.aborted) return;
    const { clock, timeoutMs } = this.#options;
    const elapsedMs = clock.now() - this.#startedAt;
    const isIdleEnd = cause === undefined && timeoutMs > 0 &&
      elapsedMs >= timeoutMs - IDLE_SLACK_MS;
    // what is still open is dead too, or has only its last bytes on the way
    this.#closing.abort();
    if (this.#idle.open > 0) {
      const signal = AbortSignal.any([this.#drained.signal, this.#stop.signal]);
      await clock.sleep(isIdleEnd ? IDLE_DRAIN_MS : LOST_GRACE_MS, signal).catch(() => {});
    }
    this.#finish(isIdleEnd ? { kind: "idle" } : { error: lostError(cause) });
  }
}

function dialOptions(
  options: ClientBridgeOptions,
  number: number,
): { connection?: number; dial?: Dial } {
  return {
    ...(options.numberedPairing ? { connection: number } : {}),
    ...(options.dial === undefined ? {} : { dial: options.dial }),
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function lostError(cause: unknown): NoportsError {
  return new NoportsError(
    "session_lost",
    "Cannot keep session open: the relay or the daemon closed the control connection",
    { cause, hint: "check that the relay and the daemon are running, then start again" },
  );
}
