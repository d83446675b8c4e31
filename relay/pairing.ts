/**
 * Which socket of side A is joined with which of side B (PROTOCOL.md, Pairing): by order of acceptance, oldest first, or by
 * number when both carry one. Pure: sockets, authentication and time are the session's.
 *
 * By order: a socket that is ready waits for those accepted before it that are still authenticating, as long as the session lets them
 * block. A socket that closes while it waits keeps its place: taking it out would shift every later pair.
 */

export type Side = "A" | "B";

/** One socket's place in its side's queue. */
export interface Ticket<T> {
  readonly side: Side;
  /** The socket; replaced by one that gives early bytes first once it is authenticated. */
  conn: T;
  /** Authenticated, or not required to be. */
  ready: boolean;
  /** Later sockets of the side wait for this one. */
  blocks: boolean;
  /** The number in its auth line. */
  number: number | null;
  /** When it became ready, by the session's clock. */
  readyAt: number;
}

export class PairQueue<T> {
  readonly #queues: Readonly<Record<Side, Ticket<T>[]>> = { A: [], B: [] };

  /** Takes a place, in the order of acceptance. */
  enter(side: Side, conn: T): Ticket<T> {
    const ticket: Ticket<T> = { side, conn, ready: false, blocks: true, number: null, readyAt: 0 };
    this.#queues[side].push(ticket);
    return ticket;
  }

  /** Gives a place up: the socket did not authenticate, or its number's time is over. */
  leave(ticket: Ticket<T>): void {
    const queue = this.#queues[ticket.side];
    const at = queue.indexOf(ticket);
    if (at >= 0) queue.splice(at, 1);
  }

  /** Numbered sockets that have been ready and alone since `time` or longer. */
  numberedSince(time: number): Ticket<T>[] {
    return [...this.#queues.A, ...this.#queues.B].filter((ticket) =>
      ticket.ready && ticket.number !== null && ticket.readyAt <= time
    );
  }

  /** True when another socket of the side waits under this number. */
  hasNumber(side: Side, number: number): boolean {
    return this.#queues[side].some((ticket) => ticket.ready && ticket.number === number);
  }

  /** Sockets of a side that are ready and wait, or that are not ready yet. */
  count(side: Side, ready: boolean): number {
    return this.#queues[side].filter((ticket) => ticket.ready === ready).length;
  }

  /** The socket that has been authenticating longest. */
  oldestUnready(side: Side): Ticket<T> | null {
    return this.#queues[side].find((ticket) => !ticket.ready) ?? null;
  }

  /** Takes the next pair out, or null. Call again until it gives null. */
  takePair(): { readonly a: Ticket<T>; readonly b: Ticket<T> } | null {
    const pair = this.#numberedPair() ?? this.#orderedPair();
    if (pair === null) return null;
    this.leave(pair.a);
    this.leave(pair.b);
    return pair;
  }

  /** Every socket that is still waiting. */
  all(): T[] {
    return [...this.#queues.A, ...this.#queues.B].map((ticket) => ticket.conn);
  }

  #numberedPair(): { a: Ticket<T>; b: Ticket<T> } | null {
    for (const a of this.#queues.A) {
      if (!a.ready || a.number === null) continue;
      const b = this.#queues.B.find((other) => other.ready && other.number === a.number);
      if (b !== undefined) return { a, b };
    }
    return null;
  }

  #orderedPair(): { a: Ticket<T>; b: Ticket<T> } | null {
    const a = this.#head("A");
    const b = this.#head("B");
    return a === null || b === null ? null : { a, b };
  }

  /** The oldest unnumbered socket of a side that is ready, unless an older one still blocks. */
  #head(side: Side): Ticket<T> | null {
    for (const ticket of this.#queues[side]) {
      if (ticket.ready && ticket.number === null) return ticket;
      if (!ticket.ready && ticket.blocks) return null;
    }
    return null;
  }
}
