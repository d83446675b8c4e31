/**
 * The server's own certificate authority and certificate, kept in a folder: made on first start, the certificate again
 * when its names change or its end is near. Clients trust the authority (`ca.pem`), so that one is never replaced.
 *
 * Files, each written whole or not at all: `ca.key.pem` first, then `ca.pem`; `server.pem` (certificate and key).
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { type Clock, describeError, type Entropy, NoportsError } from "../../base/mod.ts";
import { isAddress, makeAuthority, makeLeaf } from "./certificate_maker.ts";
import { readIfThere, writeDurableFile } from "./durable_file.ts";
import type { TlsCredentials } from "./tls_listener.ts";

/** Our choice: a certificate with less time left than this is made anew. */
const RENEW_BEFORE_MS = 30 * 86_400_000;
const FOLDER_MODE = 0o700;

export interface LocalCaOptions {
  /** Its folder; made when missing. */
  readonly folder: string;
  /** Host names and addresses that clients use for this server, most important first. */
  readonly names: readonly string[];
  readonly clock: Clock;
  readonly entropy: Entropy;
}

export interface LocalCa {
  readonly credentials: TlsCredentials;
  readonly caPem: string;
  readonly caPath: string;
  /** True when the certificate was made now. */
  readonly issued: boolean;
  /** When the authority ends, ms since 1970. */
  readonly caExpiresAt: number;
}

/** The path of the authority's certificate in `folder`. */
export function caCertificatePath(folder: string): string {
  return `${folder}/ca.pem`;
}

/**
 * Opens the authority and the certificate in `options.folder`, making what is missing or due.
 * @throws {NoportsError} `config_invalid` when the files there cannot be used, `storage_failed` when they cannot be read or written.
 */
export async function openLocalCa(options: LocalCaOptions): Promise<LocalCa> {
  const caPath = caCertificatePath(options.folder);
  try {
    await Deno.mkdir(options.folder, { recursive: true, mode: FOLDER_MODE });
    const { authority, made } = await openAuthority(caPath, options);
    const leafPath = `${options.folder}/server.pem`;
    const kept = made ? null : readLeaf(await readIfThere(leafPath), authority, options);
    const credentials = kept ?? await makeLeaf(options.names, authority, options);
    if (kept === null) {
      await writeDurableFile(leafPath, credentials.certPem + credentials.keyPem);
    }
    return {
      credentials,
      caPem: authority.certPem,
      caPath,
      issued: kept === null,
      caExpiresAt: Date.parse(new X509Certificate(authority.certPem).validTo),
    };
  } catch (cause) {
    if (cause instanceof NoportsError) throw cause;
    throw new NoportsError(
      "storage_failed",
      `Cannot keep certificates in "${options.folder}": ${describeError(cause)}`,
      { cause, hint: "check that the folder can be written and the disk is not full" },
    );
  }
}

async function openAuthority(
  caPath: string,
  options: LocalCaOptions,
): Promise<{ authority: TlsCredentials; made: boolean }> {
  const keyPath = `${options.folder}/ca.key.pem`;
  const certPem = await readIfThere(caPath);
  if (certPem !== null) {
    const keyPem = await readIfThere(keyPath) ?? "";
    if (!isPair({ certPem, keyPem })) {
      throw new NoportsError(
        "config_invalid",
        `Cannot use the certificate authority in "${options.folder}": its key and certificate do not belong together`,
        {
          hint:
            `restore ca.key.pem, or remove "${caPath}" for a new authority that every client has to trust anew`,
        },
      );
    }
    return { authority: { certPem, keyPem }, made: false };
  }
  const authority = await makeAuthority("noports local CA", options);
  await writeDurableFile(keyPath, authority.keyPem);
  await writeDurableFile(caPath, authority.certPem); // from here on it exists
  return { authority, made: true };
}

/** The kept certificate, or null when there is none that is good for now. */
function readLeaf(
  text: string | null,
  authority: TlsCredentials,
  { names, clock }: LocalCaOptions,
): TlsCredentials | null {
  const certPem = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----\n/.exec(text ?? "");
  const keyPem = /-----BEGIN PRIVATE KEY-----[^]*?-----END PRIVATE KEY-----\n/.exec(text ?? "");
  if (certPem === null || keyPem === null) return null;
  const leaf = { certPem: certPem[0], keyPem: keyPem[0] };
  try {
    const certificate = new X509Certificate(leaf.certPem);
    const isGood = isPair(leaf) &&
      certificate.verify(new X509Certificate(authority.certPem).publicKey) &&
      Date.parse(certificate.validTo) - clock.now() >= RENEW_BEFORE_MS &&
      Date.parse(certificate.validFrom) <= clock.now() &&
      hasNames(certificate, names);
    return isGood ? leaf : null;
  } catch {
    return null; // not a certificate: make one
  }
}

function isPair({ certPem, keyPem }: TlsCredentials): boolean {
  try {
    return new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    return false;
  }
}

/** True when the certificate is for `names` and for nothing else. */
function hasNames(certificate: X509Certificate, names: readonly string[]): boolean {
  const count = (certificate.subjectAltName ?? "").split(", ").length;
  return count === names.length &&
    names.every((name) =>
      (isAddress(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined
    );
}
