/** Which of the trusted authorities a listener names when it asks for client certificates. Pure. */

/**
 * Our choice. The listener names every authority in its request for a client certificate, and a TLS handshake message
 * has a limit; a whole system's bundle would break every handshake.
 */
const MAX_CLIENT_CAS = 32;

/** Of the authorities we trust, those whose client certificates count; `own` always does. */
export function chooseClientCas(own: string | null, rootCas: readonly string[]): string[] {
  const chosen = rootCas.length > MAX_CLIENT_CAS ? [] : [...rootCas];
  return own === null ? chosen : [own, ...chosen];
}
