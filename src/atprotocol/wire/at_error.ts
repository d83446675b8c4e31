/**
 * An atServer's refusal: code, text and form. atProtocol specification, Errors; our reading of its gaps: PROTOCOL.md.
 * Pure: line end, prompt and closing belong to the server's connection.
 */

/** The phrase that stands before the message on the owner's connections. Clients test whole prefixes: never reword. */
export const AT_ERROR_TEXT = {
  AT0001: "Server exception",
  AT0002: "DataStore exception",
  AT0003: "Invalid syntax",
  AT0004: "Socket error",
  AT0005: "Buffer limit exceeded",
  AT0006: "Outbound connection limit exceeded",
  AT0007: "Secondary server not found",
  AT0008: "Handshake failure",
  AT0009: "UnAuthorized client in request",
  AT0010: "Internal server error",
  AT0011: "Internal server exception",
  AT0012: "Inbound connection limit exceeded",
  AT0013: "Connection Exception",
  AT0014: "Unknown AtClient exception",
  AT0015: "key not found",
  AT0016: "Invalid key",
  AT0021: "Unable to connect to secondary",
  AT0022: "Illegal arguments",
  AT0023: "Timeout waiting for response",
  AT0024: "Server is paused",
  AT0025: "Apkam Auth Denied",
  AT0026: "Apkam Auth Failed",
  AT0027: "Apkam Access Revoked",
  AT0028: "Too Many Requests",
  AT0029: "Apkam Enrollment Expired",
  AT0030: "Invalid Enrollment Status",
  AT0031: "Cannot revoke self enrollment",
  AT0401: "Client authentication failed",
} as const;

export type AtErrorCode = keyof typeof AT_ERROR_TEXT;

/** AT0011 is not here: most of its uses (enrollments, lookups) leave the connection open; the others say `closes`. */
const CLOSING: ReadonlySet<AtErrorCode> = new Set(
  ["AT0001", "AT0002", "AT0005", "AT0012", "AT0013", "AT0024"],
);
/** Our choice: the C client reads many replies into 256 bytes; nobody reads a longer explanation. */
const MAX_MESSAGE_CHARS = 1_000;

export interface AtErrorOptions extends ErrorOptions {
  /** The connection ends once the error is written; by default as the specification says for the code. */
  readonly closes?: boolean;
  /** `error:<code>:<message>`, never JSON: what enrollment states are reported as. */
  readonly handlerForm?: boolean;
}

/** A refusal that the peer hears. The message must name no secret. */
export class AtError extends Error {
  override readonly name = "AtError";
  readonly closes: boolean;
  readonly handlerForm: boolean;

  constructor(readonly code: AtErrorCode, message: string, options: AtErrorOptions = {}) {
    super(message, options);
    this.handlerForm = options.handlerForm ?? false;
    this.closes = options.closes ?? (!this.handlerForm && CLOSING.has(code));
  }
}

/**
 * The error line without line end and prompt. `json`: the client announced a version above 3.0.37.
 * `ownerAuthenticated`: a CRAM, PKAM or APKAM connection, not a peer server's.
 */
export function encodeErrorReply(
  error: AtError,
  form: { json: boolean; ownerAuthenticated: boolean },
): string {
  if (error.handlerForm) return `error:${error.code}:${safeText(error.message)}`;
  const description = describe(error, form.ownerAuthenticated);
  return form.json
    ? `error:${JSON.stringify({ errorCode: error.code, errorDescription: description })}`
    : `error:${error.code}-${description}`;
}

function describe(error: AtError, ownerAuthenticated: boolean): string {
  // written to a connection that has no state yet, and without the word Exception
  if (error.code === "AT0012") return AT_ERROR_TEXT.AT0012;
  const message = safeText(error.message);
  const isProtocolError = error.code !== "AT0010";
  return ownerAuthenticated && isProtocolError
    ? `${AT_ERROR_TEXT[error.code]} : ${message}`
    : `Exception: ${message}`;
}

/** One line of bounded length, without the substring `data:` that the Python client would take for a result. */
function safeText(message: string): string {
  const short = message.length > MAX_MESSAGE_CHARS
    ? `${message.slice(0, MAX_MESSAGE_CHARS)}…`
    : message;
  return short.replace(/[\r\n]+/g, " ").replaceAll("data:", "data ");
}
