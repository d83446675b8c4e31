/** Errors at the border: what went wrong inside, as what a client is told. */

import { AtError, type AtSign, parseAtSign } from "../atprotocol/wire/mod.ts";
import { isNoportsError, type Log } from "../base/mod.ts";

/** Parses an atSign of a command. @throws {AtError} AT0011, which closes the connection. */
export function readAtSign(text: string): AtSign {
  try {
    return parseAtSign(text);
  } catch (cause) {
    if (!isNoportsError(cause, "atsign_invalid")) throw cause;
    throw new AtError("AT0011", "invalid @sign", { closes: true, cause });
  }
}

/** The refusal for a missing key. */
export function keyNotFound(key: string): AtError {
  return new AtError("AT0015", `${key} does not exist in keystore`);
}

/** The refusal for a malformed request that the specification ends the connection for. */
export function invalidRequest(message: string): AtError {
  return new AtError("AT0011", message, { closes: true });
}

/** The refusal for an enrollment without the right. */
export function notAuthorised(enrollmentId: string | null, action: string, key: string): AtError {
  const who = enrollmentId === null
    ? "This connection"
    : `Connection with enrollment ID ${enrollmentId}`;
  return new AtError("AT0009", `${who} is not authorized to ${action} key: ${key}`);
}

/** What a client hears of any failure: nothing about our inside. The log hears the rest. */
export function toAtError(error: unknown, log: Log): AtError {
  if (error instanceof AtError) return error;
  if (isNoportsError(error, "storage_failed")) {
    log.error("storage failed", { error: error.cause ?? error });
    return new AtError("AT0002", "storage failed", { cause: error });
  }
  log.error("command failed", { error, stack: error instanceof Error ? error.stack : undefined });
  return new AtError("AT0010", "internal error", { cause: error });
}
