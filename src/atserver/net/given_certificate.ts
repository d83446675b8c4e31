/** A certificate and key that the operator brings (`--tls-cert`, `--tls-key`), checked before anything listens. */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { type Clock, describeError, type Log, NoportsError } from "../../base/mod.ts";
import { isAddress } from "./certificate_maker.ts";
import type { TlsCredentials } from "./tls_listener.ts";

/** Our choice: when to warn that the end is near. */
const WARN_BEFORE_MS = 14 * 86_400_000;

export interface GivenCertificateOptions {
  readonly certFile: string;
  readonly keyFile: string;
  /** The host name that clients will use; a certificate for another one is warned about. */
  readonly hostname: string;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Reads and checks the pair.
 * @throws {NoportsError} `config_invalid`: not readable, not PEM, not a pair, expired, or a key that others can write.
 */
export async function readGivenCertificate(
  options: GivenCertificateOptions,
): Promise<TlsCredentials> {
  const { certFile, keyFile, clock, log } = options;
  const certPem = await readFile("certificate", certFile);
  const keyPem = await readFile("key", keyFile);
  await checkKeyMode(keyFile, log);
  const certificate = parseCertificate(certPem, certFile);
  if (!certificate.checkPrivateKey(parseKey(keyPem, keyFile))) {
    throw invalid(`Cannot use "${keyFile}": it is not the key of "${certFile}"`, {
      hint: "give the two files that were made together, the server's own certificate first",
    });
  }
  const leftMs = Date.parse(certificate.validTo) - clock.now();
  if (leftMs <= 0) {
    throw invalid(`Cannot use "${certFile}": it expired on ${certificate.validTo}`, {
      hint: "renew the certificate",
    });
  }
  if (leftMs < WARN_BEFORE_MS) {
    log.warn("TLS certificate expires soon", { file: certFile, expires: certificate.validTo });
  }
  const { hostname } = options;
  const matches = isAddress(hostname)
    ? certificate.checkIP(hostname)
    : certificate.checkHost(hostname);
  if (matches === undefined) {
    log.warn("TLS certificate is not for the host name given out; clients will refuse it", {
      hostname,
      names: certificate.subjectAltName ?? certificate.subject,
    });
  }
  return { certPem, keyPem };
}

async function readFile(what: string, path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw invalid(`Cannot read the ${what} "${path}": ${describeError(cause)}`, {
      cause,
      hint: "check the path, and that this user may read it",
    });
  }
}

async function checkKeyMode(path: string, log: Log): Promise<void> {
  const { mode } = await Deno.stat(path);
  if (mode === null) return; // no modes on this system
  if ((mode & 0o022) !== 0) {
    throw invalid(`Cannot use the key "${path}": other users can write to it`, {
      hint: `chmod 600 ${path}`,
    });
  }
  if ((mode & 0o004) !== 0) {
    log.warn("TLS key can be read by every user", { file: path, fix: `chmod 600 ${path}` });
  }
}

function parseCertificate(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw invalid(`Cannot use "${path}": it is not a PEM certificate`, { cause });
  }
}

function parseKey(pem: string, path: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw invalid(`Cannot use "${path}": it is not a PEM private key without a passphrase`, {
      cause,
    });
  }
}

function invalid(message: string, options: { hint?: string; cause?: unknown }): NoportsError {
  return new NoportsError("config_invalid", message, options);
}
