/**
 * The client's local port: on loopback unless the user asks for another address, IPv4 and IPv6 with one port number where both
 * exist. It outlives a session, so that a new one can go on with the same port.
 */

import {
  type ByteConn,
  closeQuietly,
  describeError,
  NoportsError,
  systemClock,
  TaskGroup,
} from "../base/mod.ts";
import { withoutDelay } from "./dial.ts";

const LOOPBACK = ["127.0.0.1", "::1"] as const;
/** Our choice: how long accepting pauses when the system has no descriptor left. */
const ACCEPT_RETRY_MS = 100;

/** Where accepted local connections come from; `LocalListener` is one. */
export interface LocalConnections {
  /** The next local connection, owned by the caller. @throws the signal's reason; `interrupted` once closed. */
  next(signal: AbortSignal): Promise<ByteConn>;
}

/**
 * Binds the local port. `host` missing: loopback only. Port 0: the system chooses.
 * @throws {NoportsError} `port_in_use`, `usage`.
 */
export function openLocalListener(options: { port: number; host?: string }): LocalListener {
  if (options.host !== undefined && options.host !== "localhost") {
    return new LocalListener([bind(options.host, options.port)]);
  }
  const [v4, v6] = LOOPBACK;
  const first = bind(v4, options.port);
  const second = tryBind(v6, first.addr.port);
  return new LocalListener(second === null ? [first] : [first, second]);
}

export class LocalListener implements LocalConnections, AsyncDisposable {
  readonly #listeners: readonly Deno.TcpListener[];
  readonly #closing = new AbortController();
  /** One accepted connection per listener at most; the system's backlog holds the rest. */
  readonly #ready: { conn: ByteConn; taken: () => void }[] = [];
  readonly #waiting: ((entry: { conn: ByteConn; taken: () => void }) => void)[] = [];
  readonly #tasks = new TaskGroup(() => this.#closing.abort());

  /** Takes over `listeners`. */
  constructor(listeners: readonly Deno.TcpListener[]) {
    this.#listeners = listeners;
    for (const listener of listeners) this.#tasks.run(() => this.#acceptFrom(listener));
  }

  get port(): number {
    return this.#listeners[0]?.addr.port ?? 0;
  }

  /** Bound addresses, e.g. `127.0.0.1`. */
  get hosts(): readonly string[] {
    return this.#listeners.map((listener) => listener.addr.hostname);
  }

  async next(signal: AbortSignal): Promise<ByteConn> {
    signal.throwIfAborted();
    if (this.#closing.signal.aborted) throw closedError();
    const entry = this.#ready.shift() ?? await this.#nextReady(signal);
    entry.taken();
    return entry.conn;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    for (const listener of this.#listeners) closeQuietly(listener);
    for (const entry of this.#ready.splice(0)) {
      closeQuietly(entry.conn);
      entry.taken();
    }
    await this.#tasks[Symbol.asyncDispose]();
  }

  #nextReady(signal: AbortSignal): Promise<{ conn: ByteConn; taken: () => void }> {
    return new Promise((resolve, reject) => {
      const done = () => {
        signal.removeEventListener("abort", onAbort);
        this.#closing.signal.removeEventListener("abort", onAbort);
        const at = this.#waiting.indexOf(give);
        if (at >= 0) this.#waiting.splice(at, 1);
      };
      const give = (entry: { conn: ByteConn; taken: () => void }) => {
        done();
        resolve(entry);
      };
      const onAbort = () => {
        done();
        reject(signal.aborted ? signal.reason : closedError());
      };
      signal.addEventListener("abort", onAbort);
      this.#closing.signal.addEventListener("abort", onAbort);
      this.#waiting.push(give);
    });
  }

  async #acceptFrom(listener: Deno.TcpListener): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      let conn: Deno.TcpConn;
      try {
        conn = await listener.accept();
      } catch {
        if (!signal.aborted) await systemClock.sleep(ACCEPT_RETRY_MS, signal).catch(() => {});
        continue;
      }
      if (signal.aborted) return closeQuietly(conn);
      await new Promise<void>((taken) => {
        const entry = { conn: withoutDelay(conn), taken };
        const waiter = this.#waiting[0];
        if (waiter === undefined) this.#ready.push(entry);
        else waiter(entry);
      });
    }
  }
}

function bind(hostname: string, port: number): Deno.TcpListener {
  try {
    return Deno.listen({ hostname: hostname.replace(/^\[(.*)\]$/, "$1"), port });
  } catch (cause) {
    if (cause instanceof Deno.errors.AddrInUse) {
      throw new NoportsError("port_in_use", `Cannot listen on ${hostname}:${port}: in use`, {
        cause,
        hint: "choose another port with -l, or -l 0 for any free one",
      });
    }
    throw new NoportsError(
      "usage",
      `Cannot listen on ${hostname}:${port}: ${describeError(cause)}`,
      { cause, hint: "choose a port above 1023 and an address of this machine" },
    );
  }
}

function tryBind(hostname: string, port: number): Deno.TcpListener | null {
  try {
    return Deno.listen({ hostname, port });
  } catch {
    // no IPv6 here, or the number is taken there: IPv4 alone will do
    return null;
  }
}

function closedError(): NoportsError {
  return new NoportsError("interrupted", "Cannot accept connection: the local port is closed");
}
