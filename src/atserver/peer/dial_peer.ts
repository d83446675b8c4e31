/**
 * TLS connections to other atServers. Certificate and host name are always verified; on connections that will say
 * `from:` our own certificate is shown, because servers may insist on it (atProtocol specification, from and pol).
 */

import { abortable, type ByteConn, closeQuietly } from "../../base/mod.ts";
import { connectTls } from "../../atprotocol/client/mod.ts";
import type { HostPort } from "../../atprotocol/wire/mod.ts";
import type { TlsCredentials } from "../net/mod.ts";

export interface DialOptions {
  /** PEM certificates trusted besides the built-in ones. */
  readonly caCerts: readonly string[];
  /** Shown to the other side when given. */
  readonly certificate?: TlsCredentials;
  readonly signal: AbortSignal;
}

/**
 * Connects and completes the handshake; the caller owns the connection.
 * @throws what the network says, or the signal's reason when it aborts first.
 */
export async function dialPeer(address: HostPort, options: DialOptions): Promise<ByteConn> {
  const { caCerts, certificate, signal } = options;
  if (certificate === undefined) {
    return await connectTls({
      ...address,
      caCerts,
      what: "atServer",
      unreachable: "atserver_unreachable",
    }, signal);
  }
  // the only way to show a certificate; its first answer may be delayed by 40 ms (Nagle), which a pooled link pays once
  const conn = await abortable(
    Deno.connectTls({
      hostname: address.host,
      port: address.port,
      caCerts: [...caCerts],
      cert: certificate.certPem,
      key: certificate.keyPem,
    }),
    signal,
    closeQuietly,
  );
  try {
    await abortable(conn.handshake(), signal);
    return conn;
  } catch (error) {
    closeQuietly(conn);
    throw error;
  }
}
