/** The certificate authorities that the operator trusts besides the system's (`--root-ca`). */

import { describeError, NoportsError } from "../../base/mod.ts";

/**
 * Our choice. The listener names every authority in its request for a client certificate, and a TLS handshake message
 * has a limit; a whole system's bundle would break every handshake.
 */
const MAX_CLIENT_CAS = 32;

/** The PEM certificates in `file`. @throws {NoportsError} `config_invalid`. */
export async function readRootCas(file: string): Promise<string[]> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (cause) {
    throw new NoportsError(
      "config_invalid",
      `Cannot read the CA file "${file}": ${describeError(cause)}`,
      { cause, hint: "name a readable PEM file with --root-ca" },
    );
  }
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (found === null) {
    throw new NoportsError(
      "config_invalid",
      `Cannot use the CA file "${file}": no PEM certificate in it`,
      { hint: "`noports server ca` prints the one of a control plane" },
    );
  }
  return found.map((pem) => `${pem}\n`);
}

/** Of the authorities we trust, those whose client certificates count; `own` always does. */
export function chooseClientCas(own: string | null, rootCas: readonly string[]): string[] {
  const chosen = rootCas.length > MAX_CLIENT_CAS ? [] : [...rootCas];
  return own === null ? chosen : [own, ...chosen];
}
