/** Points in time as the atProtocol's JSON writes them: `2025-01-31 09:15:42.123Z`. Pure. */

const FORM = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z?$/;

/** `epochMs` (ms since 1970 UTC) as text. */
export function encodeTimestamp(epochMs: number): string {
  return new Date(epochMs).toISOString().replace("T", " ");
}

/** Milliseconds since 1970, or null for any other text; finer digits are dropped, `T` is accepted too. */
export function parseTimestamp(text: string): number | null {
  const match = FORM.exec(text);
  if (match === null) return null;
  const [, date, time, fraction = ""] = match;
  const epochMs = Date.parse(`${date}T${time}.${fraction.slice(0, 3).padEnd(3, "0")}Z`);
  return Number.isNaN(epochMs) ? null : epochMs;
}
