/**
 * Host names that mean an atSign, e.g. `{atsign}.at.example.org`: what a client asks for in TLS (SNI) tells which atSign
 * it means before it has said a word. Pure.
 */

import { isNoportsError, NoportsError } from "../base/mod.ts";
import { type AtSign, bareName, parseAtSign } from "../atprotocol/wire/mod.ts";

const PLACE = "{atsign}";
/** DNS: letters, digits and hyphens, at most 63 of them in a label. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export interface SniPattern {
  /** What follows the atSign's label, with its dot. */
  readonly suffix: string;
}

/** Parses `{atsign}.at.example.org`. @throws {NoportsError} `usage`. */
export function parseSniPattern(text: string): SniPattern {
  const lower = text.toLowerCase();
  const suffix = lower.slice(PLACE.length);
  const labels = suffix.slice(1).split(".");
  if (
    !lower.startsWith(`${PLACE}.`) || labels.length < 2 || !labels.every((l) => LABEL.test(l))
  ) {
    throw new NoportsError("usage", `Cannot read --sni-pattern: "${text}" is not a pattern`, {
      hint: `write it like ${PLACE}.at.example.org`,
    });
  }
  return { suffix };
}

/** The atSign that `serverName` means, or null. */
export function matchSniPattern(pattern: SniPattern, serverName: string): AtSign | null {
  const lower = serverName.toLowerCase();
  if (!lower.endsWith(pattern.suffix)) return null;
  const label = lower.slice(0, -pattern.suffix.length);
  if (!LABEL.test(label)) return null;
  try {
    return parseAtSign(label);
  } catch (error) {
    if (isNoportsError(error, "atsign_invalid")) return null;
    throw error;
  }
}

/** The host name that means `atSign`, or null when its name cannot be a part of a host name (emoji, underscores). */
export function hostOfAtSign(pattern: SniPattern, atSign: AtSign): string | null {
  const label = bareName(atSign);
  return LABEL.test(label) ? `${label}${pattern.suffix}` : null;
}

/** The wildcard that a certificate needs for these host names. */
export function wildcardOf(pattern: SniPattern): string {
  return `*${pattern.suffix}`;
}
