/**
 * The daemon's end of a multi-mode session (PROTOCOL.md, Data plane): reads `connect` messages from the control connection and, for
 * each, opens a relay connection and then one to the target. A target that refuses costs its own relay connection and nothing
 * else. Whether the session may exist is decided before; `authorize` is asked again at each dial.
 */

import {
  type ByteConn,
  type Clock,
  closeQuietly,
  describeError,
  type Log,
  NoportsError,
  TaskGroup,
} from "../base/mod.ts";
import { CtrStream } from "../crypto/mod.ts";
import {
  ControlFramer,
  type ControlMessage,
  type DirectionKeys,
  parseControlMessage,
} from "../session/mod.ts";
import { IdleRule } from "./_idle_rule.ts";
import { Slots } from "./_slots.ts";
import { bridge, type BridgeCounters } from "./bridge.ts";
import { type Dial, dialTcp } from "./dial.ts";
import { EarlyDataGate } from "./early_data.ts";
import { dialRelay, type RelayEndpoint } from "./relay_socket.ts";

/** The later daemons' rule: attempts to reach the relay for one message, and the pause between them. */
const RELAY_ATTEMPTS = 4;
const RELAY_RETRY_MS = 1_000;
/** Our choice: data connections of one session at once. */
const MAX_CONNECTIONS = 512;
/** Our choice, with numbered pairing: connections that are being set up at once. */
const MAX_STARTING = 32;
const CONTROL_BUFFER_BYTES = 4096;

export interface DaemonBridgeOptions {
  /** The relay's address and the port of side B. */
  readonly relay: RelayEndpoint;
  readonly target: { readonly host: string; readonly port: number };
  /** Session keys for the control connection; null: nothing is encrypted. */
  readonly keys: DirectionKeys | null;
  /** Client and relay pair by number: see the session request. */
  readonly numberedPairing: boolean;
  /** The session ends when it has no connection after this long; 0: never. */
  readonly timeoutMs: number;
  /** Asked before each dial of the target. */
  readonly authorize: (host: string, port: number) => boolean | Promise<boolean>;
  readonly clock: Clock;
  readonly log: Log;
  readonly maxConnections?: number;
  readonly dial?: Dial;
}

/** How a session ended, and what it moved: out is towards the client. */
export interface DaemonBridgeEnd {
  /** `control_closed`: the client or the relay ended it. `idle`: no connection was open at the end of the limit. */
  readonly kind: "control_closed" | "idle" | "aborted";
  readonly connections: number;
  readonly bytesOut: number;
  readonly bytesIn: number;
}

/**
 * Opens the control connection: once this resolves, the client may be told to come. The caller disposes the result, or runs it,
 * which disposes it too. @throws {NoportsError} `relay_unreachable`; the signal's reason.
 */
export async function connectDaemonBridge(
  options: DaemonBridgeOptions,
  signal: AbortSignal,
): Promise<DaemonBridge> {
  const control = await dialRelay(options.relay, { signal, ...dialOptions(options, 0) });
  return new DaemonBridge(control, options);
}

export class DaemonBridge implements Disposable {
  readonly #control: ByteConn;
  readonly #options: DaemonBridgeOptions;
  readonly #counters: BridgeCounters = { aToB: 0, bToA: 0 };
  readonly #stop = new AbortController();
  readonly #tasks: TaskGroup;
  readonly #idle: IdleRule;
  readonly #places: Slots;
  readonly #starting = new Slots(MAX_STARTING);
  #connections = 0;
  #end: { readonly kind: DaemonBridgeEnd["kind"] } | { readonly error: unknown } | null = null;

  /** Takes over `control`, dialled and authenticated. */
  constructor(control: ByteConn, options: DaemonBridgeOptions) {
    this.#control = control;
    this.#options = options;
    this.#places = new Slots(options.maxConnections ?? MAX_CONNECTIONS);
    this.#tasks = new TaskGroup((error) => this.#finish({ error }));
    this.#idle = new IdleRule(
      options.timeoutMs,
      options.clock,
      () => this.#finish({ kind: "idle" }),
    );
  }

  /**
   * Serves control messages until the session ends; everything is closed then. Runs once.
   * @throws {NoportsError} `protocol_violation` for a control stream out of format, `relay_unreachable` when the order of pairs
   * is lost because a relay connection could not be opened.
   */
  async run(signal: AbortSignal): Promise<DaemonBridgeEnd> {
    const onAbort = () => this.#finish({ kind: "aborted" });
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    this.#tasks.run(() => this.#idle.run(this.#stop.signal));
    try {
      await this.#readControl();
    } catch (error) {
      this.#finish({ error });
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
    this.#stop.abort();
    closeQuietly(this.#control);
  }

  #finish(end: { kind: DaemonBridgeEnd["kind"] } | { error: unknown }): void {
    this.#end ??= end;
    this.#stop.abort();
    // ends the pending read of the control connection
    closeQuietly(this.#control);
  }

  async #readControl(): Promise<void> {
    const { keys } = this.#options;
    const cipher = keys === null ? null : new CtrStream(keys.toDaemon.key, keys.toDaemon.iv);
    const framer = new ControlFramer();
    const buffer = new Uint8Array(CONTROL_BUFFER_BYTES);
    for (;;) {
      const n = await this.#control.read(buffer).catch(() => null);
      if (n === null) return this.#finish({ kind: "control_closed" });
      const bytes = buffer.subarray(0, n);
      for (const message of framer.push(cipher?.transform(bytes) ?? bytes)) {
        if (this.#stop.signal.aborted) return;
        await this.#onMessage(parseControlMessage(message));
      }
    }
  }

  async #onMessage(message: ControlMessage): Promise<void> {
    switch (message.kind) {
      case "heartbeat":
        return;
      case "unknown":
        this.#options.log.debug("control message ignored", { chars: message.chars });
        return;
      case "connect":
        return await this.#onConnect(message.keys);
      default:
        return message satisfies never;
    }
  }

  /** In order: the next message waits until this relay connection has sent its auth line. By number: they go on at once. */
  async #onConnect(keys: DirectionKeys | null): Promise<void> {
    if ((keys === null) !== (this.#options.keys === null)) {
      throw new NoportsError("protocol_violation", "Cannot open connection: encryption changed");
    }
    const number = ++this.#connections;
    this.#idle.opened();
    if (this.#options.numberedPairing) {
      await this.#starting.take(this.#stop.signal).catch(() => {});
      this.#tasks.run(() => this.#serve(keys, number, null));
      return;
    }
    const relay = await this.#dialRelay(number).catch((error) => {
      this.#idle.closed();
      throw error;
    });
    this.#tasks.run(() => this.#serve(keys, number, relay));
  }

  async #dialRelay(number: number): Promise<ByteConn> {
    const { relay, clock } = this.#options;
    const { signal } = this.#stop;
    for (let attempt = 1;; attempt++) {
      try {
        return await dialRelay(relay, { signal, ...dialOptions(this.#options, number) });
      } catch (error) {
        if (signal.aborted || attempt === RELAY_ATTEMPTS) throw error;
        this.#logFailure("relay connection failed, will retry", number, error);
      }
      await clock.sleep(RELAY_RETRY_MS, signal);
    }
  }

  /**
   * Serves one connection; `given` is its relay connection, or null to open it here, at the same time as the target's. A target
   * that cannot be had closes the relay connection, so that the client's side is paired and closed in its turn.
   */
  async #serve(keys: DirectionKeys | null, number: number, given: ByteConn | null): Promise<void> {
    const hasPlace = this.#places.tryTake();
    try {
      const [relay, target] = await Promise.all([
        given ?? this.#dialRelayNumbered(number),
        hasPlace ? this.#dialTarget(number) : this.#refuse(number, "too many connections"),
      ]);
      if (relay !== null && target !== null) return await this.#join(target, relay, keys, number);
      for (const conn of [relay, target]) if (conn !== null) closeQuietly(conn);
    } finally {
      if (hasPlace) this.#places.give();
      this.#idle.closed();
    }
  }

  async #join(
    target: ByteConn,
    relay: ByteConn,
    keys: DirectionKeys | null,
    number: number,
  ): Promise<void> {
    const { clock, log, numberedPairing } = this.#options;
    const end = await bridge(target, relay, {
      clock,
      signal: this.#stop.signal,
      counters: this.#counters,
      ...(keys === null ? {} : {
        outgoing: new CtrStream(keys.toClient.key, keys.toClient.iv),
        incoming: new CtrStream(keys.toDaemon.key, keys.toDaemon.iv),
      }),
      // numbered pairing is our relay's, which takes any amount behind the line
      ...(numberedPairing ? {} : { earlyData: new EarlyDataGate(clock) }),
    });
    log.debug("connection closed", { connection: number, end: end.kind });
  }

  /** Null when the relay cannot be reached: the client's connection of this number stays alone and is closed by the relay. */
  async #dialRelayNumbered(number: number): Promise<ByteConn | null> {
    try {
      return await this.#dialRelay(number);
    } catch (error) {
      this.#logFailure("relay connection failed", number, error);
      return null;
    } finally {
      this.#starting.give();
    }
  }

  /** The target's connection, or null, with a log line, when it is not permitted or cannot be had. */
  async #dialTarget(number: number): Promise<ByteConn | null> {
    const { target, authorize, dial = dialTcp } = this.#options;
    try {
      if (!await authorize(target.host, target.port)) return this.#refuse(number, "not permitted");
      return await dial(target.host, target.port, this.#stop.signal);
    } catch (error) {
      this.#logFailure("target connection failed", number, error);
      return null;
    }
  }

  #refuse(number: number, reason: string): null {
    this.#options.log.warn("connection refused", {
      connection: number,
      ...this.#options.target,
      reason,
    });
    return null;
  }

  #logFailure(event: string, number: number, error: unknown): void {
    if (this.#stop.signal.aborted) return;
    const { log, target } = this.#options;
    log.warn(event, { connection: number, ...target, reason: describeError(error) });
  }
}

function dialOptions(
  options: DaemonBridgeOptions,
  number: number,
): { connection?: number; dial?: Dial } {
  return {
    ...(options.numberedPairing ? { connection: number } : {}),
    ...(options.dial === undefined ? {} : { dial: options.dial }),
  };
}
