/**
 * The certificate that the server shows: its own authority's, or the operator's (`--tls-cert`). Read again on reload, and
 * the own one made anew before its end.
 */

import type { Clock, Entropy, Log } from "../base/mod.ts";
import type { DataDir } from "./data_dir.ts";
import { openLocalCa, readGivenCertificate, type TlsCredentials } from "./net/mod.ts";
import type { ServerOptions } from "./options.ts";
import { wildcardOf } from "./sni_pattern.ts";

/** Our choice: when to say that the authority itself ends; every client needs the next one by then. */
const WARN_CA_BEFORE_MS = 180 * 86_400_000;

export interface ServerTls {
  readonly credentials: TlsCredentials;
  /** The own authority; null with the operator's certificate. */
  readonly ca: { readonly pem: string; readonly path: string } | null;
}

/**
 * Loads, and where needed makes, what the server shows.
 * @throws {NoportsError} `config_invalid`, `storage_failed`.
 */
export async function loadServerTls(
  options: ServerOptions,
  dir: DataDir,
  { log, clock, entropy }: { log: Log; clock: Clock; entropy: Entropy },
): Promise<ServerTls> {
  const { certificate, hostname } = options;
  if (certificate !== null) {
    const credentials = await readGivenCertificate({ ...certificate, hostname, clock, log });
    return { credentials, ca: null };
  }
  const ca = await openLocalCa({
    folder: dir.tlsFolder,
    names: certificateNames(options),
    clock,
    entropy,
  });
  if (ca.issued) log.info("TLS certificate issued", { names: certificateNames(options).join(" ") });
  if (ca.caExpiresAt - clock.now() < WARN_CA_BEFORE_MS) {
    log.warn("the local CA expires; clients will need a new one", {
      expires: new Date(ca.caExpiresAt).toISOString(),
      file: ca.caPath,
    });
  }
  return { credentials: ca.credentials, ca: { pem: ca.caPem, path: ca.caPath } };
}

/** Every name and address by which clients on this machine or elsewhere may come. */
export function certificateNames(options: ServerOptions): string[] {
  const names = [options.hostname, "localhost", "127.0.0.1", "::1"];
  const listens = [options.listen, options.directoryListen];
  if (options.registrar !== null) listens.push(options.registrar.listen);
  for (const { hostname } of listens) {
    if (hostname !== "0.0.0.0" && !/^[0:]+$/.test(hostname)) names.push(hostname.toLowerCase());
  }
  if (options.sniPattern !== null) names.push(wildcardOf(options.sniPattern));
  return [...new Set(names)];
}
