/** TLS connections out: no Nagle delay, certificate and name verified, a deadline on every step. IO. */

import {
  abortable,
  type ByteConn,
  closeQuietly,
  describeError,
  NoportsError,
} from "../../base/mod.ts";

/** Our choice: long enough for a slow mobile link, short enough for a person. */
const CONNECT_TIMEOUT_MS = 10_000;

export interface TlsTarget {
  readonly host: string;
  readonly port: number;
  /** PEM certificates trusted besides the built-in ones. */
  readonly caCerts: readonly string[];
  /** What the other end is, for messages: "atDirectory", "atServer of @alice". */
  readonly what: string;
  /** The code of the error when it cannot be reached. */
  readonly unreachable: "directory_unreachable" | "atserver_unreachable";
}

/**
 * Connects and completes the handshake; the caller owns the connection.
 * @throws {NoportsError} `target.unreachable`, `tls_untrusted`, or the signal's reason when it aborts first.
 */
export async function connectTls(target: TlsTarget, signal?: AbortSignal): Promise<ByteConn> {
  const deadline = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
  const limit = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
  let conn: Deno.Conn | undefined;
  try {
    limit.throwIfAborted();
    const tcp = await abortable(
      Deno.connect({ hostname: target.host, port: target.port }),
      limit,
      closeQuietly,
    );
    conn = tcp;
    tcp.setNoDelay(true);
    const tls = await Deno.startTls(tcp, {
      hostname: target.host,
      caCerts: [...target.caCerts],
    });
    conn = tls;
    // resolves only once the peer has answered; until then nothing is verified
    await abortable(tls.handshake(), limit, () => {});
    return tls;
  } catch (error) {
    if (conn !== undefined) closeQuietly(conn);
    if (signal?.aborted === true) throw signal.reason;
    throw connectError(target, error, deadline.aborted);
  }
}

function connectError(target: TlsTarget, error: unknown, timedOut: boolean): NoportsError {
  const where = `${target.what} at ${target.host}:${target.port}`;
  const text = describeError(error);
  if (!timedOut && /certificate|UnknownIssuer|NotValidForName/i.test(text)) {
    return new NoportsError("tls_untrusted", `Cannot trust ${where}: ${text}`, {
      cause: error,
      hint: "if it is your own control plane, give its CA file with --root-ca FILE or " +
        "NOPORTS_ROOT_CA (`noports server ca` prints it)",
    });
  }
  const why = timedOut ? `no answer within ${CONNECT_TIMEOUT_MS / 1000} s` : text;
  return new NoportsError(target.unreachable, `Cannot reach the ${where}: ${why}`, {
    cause: error,
    hint: target.unreachable === "directory_unreachable"
      ? "check --root-domain and the network"
      : "check that the control plane is running",
  });
}
