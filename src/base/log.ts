/**
 * Structured logs: an event name and fields, one line each, to stderr.
 * Text for people, JSON lines for machines. Fields that hold secrets are `Secret` values and print as `[secret]`.
 */

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFormat = "text" | "json";
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A log whose lines all carry `fields` too. */
  with(fields: LogFields): Log;
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
/** Our choice: a field longer than this is cut, so that a stranger cannot fill a disk with one line. */
const MAX_FIELD_CHARS = 512;

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Receives one line without its line end. */
  readonly write: (line: string) => void;
  readonly now: () => Date;
}

/** A log that writes lines of `options.level` and above through `options.write`. */
export function createLog(options: LogOptions, fields: LogFields = {}): Log {
  const emit = (level: LogLevel, event: string, extra: LogFields = {}): void => {
    if (RANK[level] < RANK[options.level]) return;
    const all = { ...fields, ...extra };
    options.write(
      options.format === "json"
        ? formatJson(level, event, all, options.now())
        : formatText(level, event, all, options.now()),
    );
  };
  return {
    debug: (event, extra) => emit("debug", event, extra),
    info: (event, extra) => emit("info", event, extra),
    warn: (event, extra) => emit("warn", event, extra),
    error: (event, extra) => emit("error", event, extra),
    with: (extra) => createLog(options, { ...fields, ...extra }),
  };
}

/** A log that drops everything; for tests and for library use without a log. */
export const silentLog: Log = createLog({
  level: "error",
  format: "text",
  write: () => {},
  now: () => new Date(0),
});

/** A value that must never be printed: any conversion to text gives `[secret]`. */
export class Secret<T> {
  readonly #value: T;
  constructor(value: T) {
    this.#value = value;
  }
  /** The value itself; call it where it is used, never where it is logged. */
  reveal(): T {
    return this.#value;
  }
  toString(): string {
    return "[secret]";
  }
  toJSON(): string {
    return "[secret]";
  }
  [Symbol.for("Deno.customInspect")](): string {
    return "[secret]";
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "[secret]";
  }
}

function formatJson(level: LogLevel, event: string, fields: LogFields, now: Date): string {
  const out: Record<string, unknown> = { time: now.toISOString(), level, event };
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) out[name] = printable(value);
  }
  return JSON.stringify(out);
}

function formatText(level: LogLevel, event: string, fields: LogFields, now: Date): string {
  let line = `${now.toISOString()} ${level.toUpperCase().padEnd(5)} ${event}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const shown = printable(value);
    const text = typeof shown === "string" ? shown : JSON.stringify(shown);
    line += ` ${name}=${/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)}`;
  }
  return line;
}

function printable(value: unknown): unknown {
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
  let text: string;
  if (typeof value === "string") text = value;
  else if (value instanceof Error) text = value.message;
  else text = JSON.stringify(value) ?? String(value);
  text = text.length > MAX_FIELD_CHARS ? `${text.slice(0, MAX_FIELD_CHARS)}…` : text;
  // control characters of a peer must not reach a terminal
  return text.replace(
    /\p{Cc}/gu,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
