/**
 * As much of HTTP/1.1 as a small JSON service needs: one request and one answer on a connection, everything capped. RFC
 * 9112; what is not needed (chunks, further requests, upgrades) is refused in its words. Bytes only: the connection, its
 * TLS and its deadline are the caller's.
 */

import { type ByteConn, writeAll } from "../../base/mod.ts";
import { decodeUtf8, encodeUtf8 } from "../../encoding/mod.ts";

/** Our choice: request line and headers. */
const MAX_HEAD_BYTES = 8 * 1024;
const READ_BYTES = 4 * 1024;

export interface HttpRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Names in lower case; the last one of a name counts. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: unknown;
}

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  405: "Method Not Allowed",
  411: "Length Required",
  413: "Content Too Large",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  502: "Bad Gateway",
};

/** Reads one request; null when the peer says nothing. A number is the status that it is to be refused with. */
export async function readHttpRequest(
  conn: ByteConn,
  maxBodyBytes: number,
): Promise<HttpRequest | number | null> {
  const reader = new Reader(conn);
  const head = await reader.until("\r\n\r\n", MAX_HEAD_BYTES);
  if (head === null) return reader.size > 0 ? (reader.size > MAX_HEAD_BYTES ? 431 : 400) : null;
  const [requestLine = "", ...lines] = head.split("\r\n");
  const match = /^([A-Z]{1,16}) (\/[\x21-\x7e]*) HTTP\/1\.[01]$/.exec(requestLine);
  const headers = parseHeaders(lines);
  if (match === null || headers === null) return 400;
  if (headers.has("transfer-encoding")) return 411;
  const length = headers.get("content-length") ?? "0";
  if (!/^\d{1,9}$/.test(length)) return 400;
  if (Number(length) > maxBodyBytes) return 413;
  const body = await reader.take(Number(length));
  if (body === null) return 400;
  return { method: match[1] ?? "", path: (match[2] ?? "").split("?")[0] ?? "", headers, body };
}

/** Writes one JSON answer, after which the connection ends. */
export async function writeHttpAnswer(conn: ByteConn, answer: HttpAnswer): Promise<void> {
  const body = encodeUtf8(`${JSON.stringify(answer.body)}\n`);
  const head = [
    `HTTP/1.1 ${answer.status} ${REASONS[answer.status] ?? "Error"}`,
    "content-type: application/json; charset=utf-8",
    `content-length: ${body.length}`,
    "cache-control: no-store",
    "connection: close",
  ];
  const front = encodeUtf8(`${head.join("\r\n")}\r\n\r\n`);
  const all = new Uint8Array(front.length + body.length);
  all.set(front);
  all.set(body, front.length);
  await writeAll(conn, all);
}

function parseHeaders(lines: readonly string[]): Map<string, string> | null {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const match = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([^\0]*?)[ \t]*$/.exec(line);
    if (match === null) return null;
    headers.set((match[1] ?? "").toLowerCase(), match[2] ?? "");
  }
  return headers;
}

/** Reads a stream piece by piece, keeping what comes after the piece. */
class Reader {
  readonly #conn: ByteConn;
  #bytes = new Uint8Array();

  constructor(conn: ByteConn) {
    this.#conn = conn;
  }

  get size(): number {
    return this.#bytes.length;
  }

  /** The text up to `end`, which is dropped; null when it does not come within `maxBytes`. */
  async until(end: string, maxBytes: number): Promise<string | null> {
    while (true) {
      const at = new TextDecoder("latin1").decode(this.#bytes).indexOf(end);
      if (at !== -1) {
        const text = new TextDecoder("latin1").decode(this.#bytes.subarray(0, at));
        this.#bytes = this.#bytes.slice(at + end.length);
        return text;
      }
      if (this.#bytes.length > maxBytes || !await this.#more()) return null;
    }
  }

  /** Exactly `count` bytes of UTF-8; null when they do not come, or are no text. */
  async take(count: number): Promise<string | null> {
    while (this.#bytes.length < count) if (!await this.#more()) return null;
    try {
      return decodeUtf8(this.#bytes.subarray(0, count));
    } catch {
      return null;
    }
  }

  async #more(): Promise<boolean> {
    const buffer = new Uint8Array(READ_BYTES);
    const n = await this.#conn.read(buffer);
    if (n === null) return false;
    const all = new Uint8Array(this.#bytes.length + n);
    all.set(this.#bytes);
    all.set(buffer.subarray(0, n), this.#bytes.length);
    this.#bytes = all;
    return true;
  }
}
