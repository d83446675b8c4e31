/**
 * Permit-open: which `host:port` a daemon may connect to for a client. Exact text comparison, as the vendor's daemon does:
 * no name resolution, no ranges, no patterns; `localhost` and `127.0.0.1` differ (PROTOCOL.md, Permit-open). Pure; the daemon
 * asks it when a session is requested and again at each dial.
 */

import { NoportsError } from "../base/mod.ts";

/** The vendor's default when neither `--permit-open` nor a policy service is given. */
export const DEFAULT_PERMIT_OPEN = "localhost:22,localhost:3389";
/** Our choice: more rules than this are a mistake in the settings. */
const MAX_RULES = 1000;

/** One allowed target; `*` stands for any host or any port. */
export interface PermitOpenRule {
  readonly host: string;
  readonly port: number | "*";
}

export type PermitOpenRules = readonly PermitOpenRule[];

/**
 * Parses a comma list of `host:port`, `*:port`, `host:*`, `*:*`; port `0`, which the C daemon prints for `*`, means any port.
 * An empty text is an empty list, which permits nothing. @throws {NoportsError} `usage` that names the wrong entry.
 */
export function parsePermitOpen(text: string): PermitOpenRules {
  const entries = text.split(",").map((entry) => entry.trim()).filter((entry) => entry !== "");
  if (entries.length > MAX_RULES) {
    throw new NoportsError("usage", `Cannot read permit-open list: more than ${MAX_RULES} entries`);
  }
  return entries.map(parseRule);
}

/** True when one rule names the target as requested. */
export function isPermitted(rules: PermitOpenRules, host: string, port: number): boolean {
  const wanted = withoutBrackets(host);
  return rules.some((rule) =>
    (rule.host === "*" || rule.host === wanted) && (rule.port === "*" || rule.port === port)
  );
}

/** The rules as text, one `host:port` each, for the ping response and for people. */
export function encodePermitOpen(rules: PermitOpenRules): string[] {
  return rules.map((rule) => `${rule.host}:${rule.port}`);
}

function parseRule(entry: string): PermitOpenRule {
  const colon = entry.lastIndexOf(":");
  const host = withoutBrackets(entry.slice(0, Math.max(colon, 0)));
  const port = parsePort(entry.slice(colon + 1));
  if (colon < 1 || host === "" || /[\s"\\]/.test(host) || port === null) {
    throw new NoportsError("usage", `Cannot read permit-open entry "${entry}": not host:port`, {
      hint: "write host:port, with * for any host or any port, e.g. localhost:22,*:8080",
    });
  }
  return { host, port };
}

function parsePort(text: string): number | "*" | null {
  if (text === "*" || text === "0") return "*";
  if (!/^[1-9][0-9]{0,4}$/.test(text)) return null;
  const port = Number(text);
  return port <= 65535 ? port : null;
}

/** An IPv6 address may be written in brackets in a rule and without them in a request, or the other way round. */
function withoutBrackets(host: string): string {
  return /^\[.*:.*\]$/.test(host) ? host.slice(1, -1) : host;
}
