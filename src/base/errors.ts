/**
 * The one error type that reaches a user: what failed and why (message), what to type next (hint), a stable code.
 * Exit statuses are part of the command line's contract (docs: `noports --help`).
 */

/** Stable codes with the exit status each ends a command with. */
export const EXIT_STATUS = {
  internal: 1,
  protocol_violation: 1,
  atserver_refused: 1,
  storage_failed: 1,
  demo_failed: 1,
  usage: 2,
  config_invalid: 2,
  atsign_invalid: 2,
  atsign_unknown: 3,
  atsign_not_activated: 3,
  not_found: 3,
  key_file_missing: 4,
  key_file_invalid: 4,
  key_file_mode: 4,
  auth_failed: 4,
  permit_denied: 5,
  daemon_refused: 5,
  directory_unreachable: 6,
  atserver_unreachable: 6,
  tls_untrusted: 6,
  relay_unreachable: 6,
  relay_refused: 6,
  session_lost: 6,
  timeout: 7,
  device_silent: 7,
  port_in_use: 8,
  file_exists: 8,
  already_activated: 8,
  already_running: 8,
  conflict: 8,
  interrupted: 130,
} as const;

export type ErrorCode = keyof typeof EXIT_STATUS;

/** An error with a stable code. Message: `Cannot <action>: <state>`; hint: what the user can do next, never a secret. */
export class NoportsError extends Error {
  override readonly name = "NoportsError";
  readonly hint: string | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions & { hint?: string },
  ) {
    super(message, options);
    this.hint = options?.hint;
  }

  /** The process exit status that this error ends a command with. */
  get exitStatus(): number {
    return EXIT_STATUS[this.code];
  }
}

/** Narrows an unknown thrown value to a NoportsError of one of `codes` (any code when none is given). */
export function isNoportsError(error: unknown, ...codes: ErrorCode[]): error is NoportsError {
  return error instanceof NoportsError && (codes.length === 0 || codes.includes(error.code));
}

/** A short text of any thrown value, for a log field or the reason part of a message. */
export function describeError(error: unknown): string {
  if (error instanceof Error) return error.message || error.name;
  return String(error);
}
