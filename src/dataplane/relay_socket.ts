/**
 * One connection to a relay: TCP, and the auth line as its first bytes, written as soon as it is open because newer relays take
 * silence for another form of authentication (PROTOCOL.md, Relay authentication). The relay answers nothing.
 */

import { type ByteConn, closeQuietly, describeError, NoportsError, writeAll } from "../base/mod.ts";
import { encodeUtf8 } from "../encoding/mod.ts";
import type { AuthLines } from "../session/mod.ts";
import { type Dial, dialTcp } from "./dial.ts";

/** Where one side of a session meets the relay. */
export interface RelayEndpoint {
  readonly host: string;
  readonly port: number;
  /** How this side proves who it is; null when it does not have to. */
  readonly authLines: AuthLines | null;
}

/**
 * Connects to the relay and writes the auth line, with the connection's number when given. The caller owns the result.
 * @throws {NoportsError} `relay_unreachable`; the signal's reason when it aborts.
 */
export async function dialRelay(
  endpoint: RelayEndpoint,
  options: { signal: AbortSignal; connection?: number; dial?: Dial },
): Promise<ByteConn> {
  const { signal, connection, dial = dialTcp } = options;
  let conn: ByteConn | null = null;
  try {
    conn = await dial(endpoint.host, endpoint.port, signal);
    if (endpoint.authLines !== null) {
      await writeAll(conn, encodeUtf8(endpoint.authLines.line(connection)));
    }
    return conn;
  } catch (cause) {
    if (conn !== null) closeQuietly(conn);
    signal.throwIfAborted();
    throw new NoportsError(
      "relay_unreachable",
      `Cannot connect to relay ${endpoint.host}:${endpoint.port}: ${describeError(cause)}`,
      { cause, hint: "check that this machine may open TCP connections to the relay's ports" },
    );
  }
}
