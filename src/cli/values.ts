/** Checks of flag values that several commands share. */

import { NoportsError } from "../base/mod.ts";
import type { FlagValues } from "./flags.ts";

/** The value of a flag that must be given. @throws {NoportsError} `usage`. */
export function requiredText(values: FlagValues, long: string, what: string): string {
  const text = values.text(long);
  if (text === undefined || text === "") {
    throw new NoportsError("usage", `Cannot start: --${long} is missing`, {
      hint: `give ${what} with --${long}`,
    });
  }
  return text;
}

/** A port number, 0 to 65535 (`min` 1 where 0 has no meaning). @throws {NoportsError} `usage`. */
export function parsePort(text: string, name: string, min: 0 | 1 = 0): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port >= min && port <= 65535)) {
    throw new NoportsError("usage", `Cannot read ${name}: "${text}" is not a port number`, {
      hint: `give a number from ${min} to 65535`,
    });
  }
  return port;
}

/** A `HOST:PORT` pair; an IPv6 host stands in brackets. @throws {NoportsError} `usage`. */
export function parseHostPort(
  text: string,
  name: string,
  defaultPort?: number,
): { host: string; port: number } {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (
    match === null || host === undefined || (match[3] === undefined && defaultPort === undefined)
  ) {
    throw new NoportsError("usage", `Cannot read ${name}: "${text}" is not HOST:PORT`);
  }
  const port = match[3] === undefined ? defaultPort ?? 0 : parsePort(match[3], name);
  return { host, port };
}

/**
 * A duration in milliseconds: a plain number of seconds, or units as in `30s`, `1h,14m,30s`, `7d`, `500ms`.
 * @throws {NoportsError} `usage`.
 */
export function parseDurationMs(text: string, name: string): number {
  const UNIT_MS: Record<string, number> = {
    d: 86_400_000,
    h: 3_600_000,
    m: 60_000,
    s: 1000,
    ms: 1,
  };
  let total = 0;
  for (const part of text.split(",")) {
    const match = /^(\d{1,9})(ms|d|h|m|s)?$/.exec(part.trim());
    const unit = UNIT_MS[match?.[2] ?? "s"];
    if (match === null || unit === undefined) {
      throw new NoportsError("usage", `Cannot read ${name}: "${text}" is not a duration`, {
        hint: "write it like 30s, 1h,14m,30s or 7d; 0 means no limit",
      });
    }
    total += Number(match[1]) * unit;
  }
  return total;
}
