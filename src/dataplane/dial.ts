/** Outgoing TCP connections of the data plane: no Nagle delay, keep-alive probes, and a limit on how long connecting may take. */

import type { ByteConn } from "../base/mod.ts";

/** The specification's limit for a connection to the relay; ours for one to a target. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Opens a connection to `host:port`. @throws whatever the system says, or the signal's reason. The caller owns the result. */
export type Dial = (host: string, port: number, signal: AbortSignal) => Promise<ByteConn>;

/** Dials TCP, first address that answers, within 10 s. An IPv6 address may stand in brackets. */
export async function dialTcp(host: string, port: number, signal: AbortSignal): Promise<ByteConn> {
  signal.throwIfAborted();
  const limit = new AbortController();
  const onAbort = () => limit.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(
    () => limit.abort(new Deno.errors.TimedOut(`no answer in ${CONNECT_TIMEOUT_MS / 1000} s`)),
    CONNECT_TIMEOUT_MS,
  );
  try {
    const hostname = host.replace(/^\[(.*)\]$/, "$1");
    const conn = await Deno.connect({ hostname, port, signal: limit.signal });
    return withoutDelay(conn);
  } catch (error) {
    throw limit.signal.aborted ? limit.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

/** Switches Nagle's delay off and keep-alive probes on; gives the connection back. */
export function withoutDelay(conn: Deno.TcpConn): Deno.TcpConn {
  try {
    conn.setNoDelay(true);
    conn.setKeepAlive(true);
  } catch {
    // the peer has reset it already: the first read will say so
  }
  return conn;
}
