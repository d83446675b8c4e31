/**
 * One connection to an atServer: commands one at a time, replies in order, notification lines to a callback.
 * atProtocol specification, Connections. What a connection is used for is `open_at_client.ts`'s and `monitor.ts`'s business. IO.
 */

import {
  type ByteConn,
  closeQuietly,
  describeError,
  isNoportsError,
  NoportsError,
  writeAll,
} from "../../base/mod.ts";
import { encodeUtf8 } from "../../encoding/mod.ts";
import { encodeVerb, LineFramer, parseReply, type Reply, type Verb } from "../wire/mod.ts";

/** The specification's largest line. */
const MAX_LINE_BYTES = 10_240_000;
/** Our choice; the vendor waits 10 s without any byte. */
export const REPLY_TIMEOUT_MS = 10_000;

type Waiter = { resolve: (reply: Reply) => void; reject: (error: unknown) => void };

/** Thrown when a connection ended before a reply; `sawReply` false means that the command may be sent again. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

export class AtConnection implements Disposable {
  readonly #conn: ByteConn;
  readonly #onNotification: (json: string) => void;
  readonly #ended: Promise<void>;
  #waiter: Waiter | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #failure: Error | null = null;
  /** When the last line of any kind arrived, as a count: whoever waits for a sign of life compares. */
  #linesSeen = 0;

  /** Takes over `conn`. `onNotification` gets the JSON of each notification line. */
  constructor(conn: ByteConn, onNotification: (json: string) => void = () => {}) {
    this.#conn = conn;
    this.#onNotification = onNotification;
    this.#ended = this.#readLoop();
  }

  /** Resolves when the connection has ended, for whatever reason. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  get isOpen(): boolean {
    return this.#failure === null;
  }

  /** How many lines have arrived so far. */
  get linesSeen(): number {
    return this.#linesSeen;
  }

  /**
   * Sends a command and waits for its reply; commands wait for their turn.
   * A time-out or an abort closes the connection, because the late reply would answer the next command.
   * @throws {ConnectionLost} when the connection ends first; {NoportsError} `timeout`; the signal's reason.
   */
  request(
    verb: Verb,
    options: { timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<Reply> {
    const line = encodeVerb(verb);
    const run = () =>
      this.#exchange(line, verb.verb, options.timeoutMs ?? REPLY_TIMEOUT_MS, options.signal);
    const result = this.#turn.then(run, run);
    this.#turn = result;
    return result;
  }

  /** Sends a command that has no reply (`monitor`). */
  async send(verb: Verb): Promise<void> {
    const line = encodeVerb(verb);
    const run = () => this.#write(line);
    const result = this.#turn.then(run, run);
    this.#turn = result;
    await result;
  }

  [Symbol.dispose](): void {
    this.#fail(new ConnectionLost("closed by us"));
  }

  async #exchange(
    line: string,
    name: string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Reply> {
    signal?.throwIfAborted();
    if (this.#failure !== null) throw this.#failure;
    const onAbort = () => this.#fail(signal?.reason);
    const timer = setTimeout(() => {
      this.#fail(
        new NoportsError("timeout", `Cannot ${name}: no reply within ${timeoutMs / 1000} s`, {
          hint: "check the network and try again",
        }),
      );
    }, timeoutMs);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const reply = new Promise<Reply>((resolve, reject) => {
        this.#waiter = { resolve, reject };
      });
      // the failure of the write is the failure of the wait; no second unhandled rejection
      await Promise.all([this.#write(line), reply]);
      return await reply;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      this.#waiter = null;
    }
  }

  async #write(line: string): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    try {
      await writeAll(this.#conn, encodeUtf8(line));
    } catch (error) {
      this.#fail(new ConnectionLost(describeError(error), { cause: error }));
      throw this.#failure;
    }
  }

  async #readLoop(): Promise<void> {
    const framer = new LineFramer({ maxLineBytes: MAX_LINE_BYTES });
    const buffer = new Uint8Array(16 * 1024);
    try {
      while (this.#failure === null) {
        const n = await this.#conn.read(buffer);
        if (n === null) throw new ConnectionLost("the atServer closed the connection");
        for (const line of framer.push(buffer.subarray(0, n))) this.#onLine(line);
      }
    } catch (error) {
      this.#fail(
        isNoportsError(error) || error instanceof ConnectionLost
          ? error
          : new ConnectionLost(describeError(error), { cause: error }),
      );
    }
  }

  #onLine(line: string): void {
    this.#linesSeen++;
    const reply = parseReply(line);
    if (reply.kind === "notification") return this.#onNotification(reply.json);
    if (this.#waiter === null) {
      // an error line that nobody asked for says why the server is about to close
      throw reply.kind === "error"
        ? new ConnectionLost(`the atServer said ${reply.code}: ${reply.text}`)
        : new NoportsError("protocol_violation", "Cannot place a reply: nothing was asked");
    }
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter.resolve(reply);
  }

  #fail(error: Error): void {
    if (this.#failure !== null) return;
    this.#failure = error instanceof Error ? error : new ConnectionLost(String(error));
    closeQuietly(this.#conn);
    this.#waiter?.reject(this.#failure);
    this.#waiter = null;
  }
}
