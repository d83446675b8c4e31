/**
 * Makes X.509 certificates: an authority, and leaves that it signs. ECDSA P-256.
 *
 * The certificate library is loaded on first use, so that the other commands do not pay for it at their start.
 * Keeping and renewing what is made here belongs to `local_ca.ts`.
 */

import type { Clock, Entropy } from "../../base/mod.ts";
import type { TlsCredentials } from "./tls_listener.ts";

/** All our choice. Phones refuse leaves of private authorities that live longer than 825 days. */
const CA_VALID_DAYS = 3_650;
const LEAF_VALID_DAYS = 397;
/** Clocks of devices are often slow. */
const BACKDATE_DAYS = 2;
const DAY_MS = 86_400_000;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

type X509 = typeof import("@peculiar/x509");

export interface MakerDependencies {
  readonly clock: Clock;
  readonly entropy: Entropy;
}

/** Makes a certificate authority named `commonName`, for leaves only (path length 0). */
export async function makeAuthority(
  commonName: string,
  { clock, entropy }: MakerDependencies,
): Promise<TlsCredentials> {
  const x509 = await loadX509();
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(entropy),
    name: [{ CN: [commonName] }],
    ...validity(clock, CA_VALID_DAYS),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certPem: certificate.toString("pem") + "\n", keyPem: await exportKey(x509, keys) };
}

/**
 * Makes a server certificate for `names` (host names and addresses; the first becomes the common name), signed by
 * `authority`. It may also be shown as a client certificate, which other atServers ask for.
 * @throws when `authority` is not a usable pair.
 */
export async function makeLeaf(
  names: readonly string[],
  authority: TlsCredentials,
  { clock, entropy }: MakerDependencies,
): Promise<TlsCredentials> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(authority.certPem);
  const signingKey = await crypto.subtle.importKey(
    "pkcs8",
    x509.PemConverter.decodeFirst(authority.keyPem),
    ALGORITHM,
    false,
    ["sign"],
  );
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(entropy),
    subject: [{ CN: [commonName(names)] }],
    issuer: issuer.subjectName,
    ...validity(clock, LEAF_VALID_DAYS),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isAddress(value) ? "ip" as const : "dns" as const, value })),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certPem: certificate.toString("pem") + "\n", keyPem: await exportKey(x509, keys) };
}

/** True for an IPv4 or IPv6 address, false for a host name. */
export function isAddress(name: string): boolean {
  return name.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(name);
}

async function loadX509(): Promise<X509> {
  await import("reflect-metadata"); // x509 needs it to be there first
  return await import("@peculiar/x509");
}

async function generateKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]) as CryptoKeyPair;
}

async function exportKey(x509: X509, keys: CryptoKeyPair): Promise<string> {
  const der = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return x509.PemConverter.encode(der, "PRIVATE KEY") + "\n";
}

/** The first name that fits: X.520 allows 64 characters. Clients look at the alternative names only. */
function commonName(names: readonly string[]): string {
  return names.find((name) => name.length <= 64) ?? "noports server";
}

function serialNumber(entropy: Entropy): string {
  const bytes = entropy.bytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40; // positive, and never shorter
  return bytes.toHex();
}

function validity(clock: Clock, days: number): { notBefore: Date; notAfter: Date } {
  const start = clock.now() - BACKDATE_DAYS * DAY_MS;
  return { notBefore: new Date(start), notAfter: new Date(start + days * DAY_MS) };
}
