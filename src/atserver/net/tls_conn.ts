/**
 * A `node:tls` socket as a ByteConn. Each write is a TLS record of its own, because `write` resolves when the bytes have
 * left. (Writes queued in one tick would share a record, which breaks clients that take one read for one reply.)
 * Input that nobody reads stops the TCP socket below, so that a stranger cannot fill our memory. Who may connect is the
 * listener's business.
 */

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { ByteConn } from "../../base/mod.ts";

/** Our choice: so much unread input stops reading from the network. */
const PAUSE_BYTES = 64 * 1024;
/** Our choice: so much unread input, where reading could not be stopped, ends the connection. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;
/** Our choice: how long a closed connection still swallows input, so that the peer gets our last line and no reset. */
const LINGER_MS = 1_000;

export class TlsConn implements ByteConn {
  readonly #socket: TLSSocket;
  readonly #tcp: ReadSwitch | null;
  readonly #closed = Promise.withResolvers<void>();
  readonly #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #paused = false;
  #wake: (() => void) | undefined;
  #ended = false;
  #error: Error | undefined;
  #closing = false;
  #linger: ReturnType<typeof setTimeout> | undefined;

  /** Takes over `socket`, whose handshake is done, and `tcp`, the socket below it. */
  constructor(socket: TLSSocket, tcp: Socket | undefined) {
    this.#socket = socket;
    this.#tcp = readSwitch(tcp);
    socket.allowHalfOpen = true;
    socket.on("data", (chunk: Uint8Array) => this.#onData(chunk));
    socket.on("end", () => {
      this.#ended = true;
      this.#notify();
      this.#destroyIfDone();
    });
    socket.on("error", (error) => {
      this.#error ??= error;
      this.#notify();
    });
    socket.on("close", () => {
      clearTimeout(this.#linger);
      this.#ended = true;
      this.#notify();
      this.#closed.resolve();
    });
    if (socket.destroyed) this.#closed.resolve();
  }

  /** Resolves when the socket is gone; never rejects. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#unreadBytes === 0) {
      if (this.#closing) throw new Deno.errors.BadResource("the connection was closed");
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended || this.#socket.destroyed) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    if (this.#closing) throw new Deno.errors.BadResource("the connection was closed");
    return this.#take(into);
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#closing) {
      return Promise.reject(new Deno.errors.BadResource("the connection was closed"));
    }
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => {
        if (error) reject(error);
        else resolve(bytes.length);
      });
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        return reject(this.#error ?? new Deno.errors.BadResource("the connection was closed"));
      }
      this.#socket.end((error?: Error | null) => error ? reject(error) : resolve());
    });
  }

  /** Sends end of stream and goes away, at the latest after a second; a second call changes nothing. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#drop();
    this.#notify();
    if (this.#socket.destroyed || this.#error !== undefined) {
      this.#socket.destroy();
      return;
    }
    this.#linger = setTimeout(() => this.#socket.destroy(), LINGER_MS);
    this.#socket.end(() => this.#destroyIfDone());
  }

  /** Drops the connection at once. */
  destroy(): void {
    this.#closing = true;
    this.#notify();
    this.#socket.destroy();
  }

  /** After `close`: both ends of the stream have gone by. */
  #destroyIfDone(): void {
    if (this.#closing && this.#ended && this.#socket.writableFinished) this.#socket.destroy();
  }

  #onData(chunk: Uint8Array): void {
    if (this.#closing) return; // lingering: what still comes is of no interest
    this.#unread.push(chunk);
    this.#unreadBytes += chunk.length;
    if (this.#unreadBytes >= PAUSE_BYTES && !this.#paused) {
      this.#paused = true;
      this.#tcp?.readStop();
    }
    if (this.#unreadBytes > MAX_UNREAD_BYTES) {
      this.#socket.destroy(new Error("the peer sends without waiting for answers"));
    }
    this.#notify();
  }

  #take(into: Uint8Array): number {
    let taken = 0;
    while (taken < into.length) {
      const chunk = this.#unread[0];
      if (chunk === undefined) break;
      const part = chunk.subarray(0, into.length - taken);
      into.set(part, taken);
      taken += part.length;
      if (part.length === chunk.length) this.#unread.shift();
      else this.#unread[0] = chunk.subarray(part.length);
    }
    this.#unreadBytes -= taken;
    if (this.#unreadBytes < PAUSE_BYTES) this.#resume();
    return taken;
  }

  #drop(): void {
    this.#unread.length = 0;
    this.#unreadBytes = 0;
    this.#resume();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (!this.#socket.destroyed) this.#tcp?.readStart();
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

/** Stops and starts reading from the network. */
interface ReadSwitch {
  readStop(): unknown;
  readStart(): unknown;
}

/**
 * The runtime's handle of a TCP socket. Pausing the TLS socket itself does not help in Deno 2.9: it goes on reading and
 * keeps what it decrypts, without a limit, and loses the end of the stream that comes meanwhile.
 */
function readSwitch(tcp: Socket | undefined): ReadSwitch | null {
  const handle = (tcp as { _handle?: Partial<ReadSwitch> | null } | undefined)?._handle;
  const usable = typeof handle?.readStop === "function" && typeof handle.readStart === "function";
  return usable ? handle as ReadSwitch : null;
}
