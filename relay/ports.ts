/** Two listeners for one session: on ports of the system's choice, or out of a range that the operator opened. */

import { closeQuietly, describeError, NoportsError } from "../src/base/mod.ts";

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export interface PortPair {
  /** The client's side. */
  readonly a: Deno.TcpListener;
  /** The daemon's side. */
  readonly b: Deno.TcpListener;
}

/** Hands out pairs of listeners. In a range it goes round, so that a port is not used again right after its session. */
export class PortAllocator {
  readonly #hostname: string;
  readonly #range: PortRange | null;
  #next: number;

  constructor(hostname: string, range: PortRange | null) {
    this.#hostname = hostname;
    this.#range = range;
    this.#next = range?.first ?? 0;
  }

  /** Binds a pair, owned by the caller. @throws {NoportsError} `port_in_use`. */
  openPair(): PortPair {
    const a = this.#bindOne();
    try {
      return { a, b: this.#bindOne() };
    } catch (error) {
      closeQuietly(a);
      throw error;
    }
  }

  #bindOne(): Deno.TcpListener {
    if (this.#range === null) return bind(this.#hostname, 0);
    const { first, last } = this.#range;
    for (let tried = first; tried <= last; tried++) {
      const port = this.#next;
      this.#next = port === last ? first : port + 1;
      try {
        return bind(this.#hostname, port);
      } catch (error) {
        const isTaken = error instanceof NoportsError &&
          error.cause instanceof Deno.errors.AddrInUse;
        if (!isTaken) throw error;
      }
    }
    throw new NoportsError("port_in_use", `Cannot bind ports: all of ${first}-${last} are in use`, {
      hint: "give a larger --port-range; each session needs two ports",
    });
  }
}

function bind(hostname: string, port: number): Deno.TcpListener {
  try {
    return Deno.listen({ hostname, port });
  } catch (cause) {
    throw new NoportsError(
      "port_in_use",
      `Cannot bind ${hostname}:${port}: ${describeError(cause)}`,
      { cause, hint: "check --bind and --port-range" },
    );
  }
}
