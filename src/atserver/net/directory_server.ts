/**
 * The atDirectory: tells where the atServer of an atSign is. atProtocol specification, atDirectory; our reading of its
 * gaps: PROTOCOL.md. Works on byte connections: TLS is the listener's, what is hosted where is `resolve`'s.
 *
 * Anybody may connect, so everything is bounded: a request's length and time, idle time, misses, connections in all and
 * for one address. Where there are too many, the longest idle one goes, since a client can simply come back.
 */

import {
  type ByteConn,
  type Clock,
  closeQuietly,
  type Log,
  NoportsError,
  writeAll,
} from "../../base/mod.ts";
import { encodeUtf8 } from "../../encoding/mod.ts";
import {
  type AtSign,
  encodeDirectoryReply,
  type HostPort,
  parseDirectoryRequest,
} from "../../atprotocol/wire/mod.ts";
import { addressGroup } from "./remote_address.ts";

/** The specification. */
const GREETING = "@";
const MAX_REQUEST_CHARS = 255;
/** All our choice; the Python client keeps a connection for its life and needs ten minutes at least. */
const IDLE_TIMEOUT_MS = 10 * 60_000;
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_MISSES = 20;
const MAX_CONNECTIONS = 2_000;
const MAX_CONNECTIONS_PER_ADDRESS = 256;

export interface DirectoryOptions {
  /** Where an atSign's server is, or null for an atSign that is not known here. */
  readonly resolve: (atSign: AtSign) => HostPort | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly maxConnections?: number;
  readonly maxConnectionsPerAddress?: number;
}

interface OpenConnection {
  readonly conn: ByteConn;
  readonly group: string;
  activeAt: number;
}

export class DirectoryServer {
  readonly #options: DirectoryOptions;
  readonly #open = new Set<OpenConnection>();

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /** How many connections are being served. */
  get connections(): number {
    return this.#open.size;
  }

  /** Serves one connection until it ends, and closes it. Never throws for what a peer does. */
  async serve(conn: ByteConn, remoteAddress: string): Promise<void> {
    const entry: OpenConnection = {
      conn,
      group: addressGroup(remoteAddress),
      activeAt: this.#options.clock.now(),
    };
    this.#makeRoom(entry.group);
    this.#open.add(entry);
    try {
      await this.#talk(entry);
    } catch (error) {
      this.#options.log.debug("directory connection ended", { error, remote: remoteAddress });
    } finally {
      this.#open.delete(entry);
      closeQuietly(conn);
    }
  }

  #makeRoom(group: string): void {
    const { maxConnections, maxConnectionsPerAddress } = this.#options;
    const ofGroup = [...this.#open].filter((entry) => entry.group === group);
    if (ofGroup.length >= (maxConnectionsPerAddress ?? MAX_CONNECTIONS_PER_ADDRESS)) {
      this.#evict(ofGroup);
    } else if (this.#open.size >= (maxConnections ?? MAX_CONNECTIONS)) {
      this.#evict([...this.#open]);
    }
  }

  #evict(entries: readonly OpenConnection[]): void {
    const idlest = entries.reduce((a, b) => b.activeAt < a.activeAt ? b : a);
    this.#open.delete(idlest);
    closeQuietly(idlest.conn);
  }

  async #talk(entry: OpenConnection): Promise<void> {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const chunk = new Uint8Array(256);
    let pending = "";
    let startedAt = 0;
    let misses = 0;
    await this.#write(entry, GREETING);
    while (true) {
      const { clock } = this.#options;
      const limitMs = pending === ""
        ? IDLE_TIMEOUT_MS
        : Math.max(0, startedAt + REQUEST_TIMEOUT_MS - clock.now());
      const n = await this.#within(entry.conn, limitMs, () => entry.conn.read(chunk));
      if (n === null) return;
      if (pending === "") startedAt = clock.now();
      entry.activeAt = clock.now();
      pending += decoder.decode(chunk.subarray(0, n), { stream: true });
      const lines = pending.split("\n");
      pending = lines.pop() ?? "";
      for (const line of lines) {
        if (line.length > MAX_REQUEST_CHARS) return;
        const request = parseDirectoryRequest(line);
        if (request.kind === "exit") return;
        const found = request.kind === "lookup" ? this.#options.resolve(request.atSign) : null;
        await this.#write(entry, encodeDirectoryReply(found));
        // a blank line is a client's probe, not a guess at a name
        if (found === null && request.kind !== "blank") misses++;
        if (misses >= MAX_MISSES) return;
      }
      if (pending.length > MAX_REQUEST_CHARS) return;
      if (pending.trim().toLowerCase() === "@exit") return; // clients send it without a line end
      if (lines.length > 0) startedAt = clock.now();
    }
  }

  async #write(entry: OpenConnection, text: string): Promise<void> {
    await this.#within(
      entry.conn,
      REQUEST_TIMEOUT_MS,
      () => writeAll(entry.conn, encodeUtf8(text)),
    );
  }

  /** Runs one step and closes the connection, which ends the step, when it takes too long. */
  async #within<T>(conn: ByteConn, limitMs: number, step: () => Promise<T>): Promise<T> {
    const done = new AbortController();
    let late = false;
    const guard = this.#options.clock.sleep(limitMs, done.signal).then(() => {
      late = true;
      closeQuietly(conn);
    }, () => {});
    try {
      return await step();
    } catch (cause) {
      if (late) throw new NoportsError("timeout", "Cannot wait longer for the client", { cause });
      throw cause;
    } finally {
      done.abort();
      await guard;
    }
  }
}
