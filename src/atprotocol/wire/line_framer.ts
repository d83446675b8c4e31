/** Cuts a byte stream into lines. atProtocol specification, Connections; pure: who closes on an error is the connection. */

import { NoportsError } from "../../base/mod.ts";
import { decodeUtf8 } from "../../encoding/mod.ts";

const LF = 0x0a;
const CR = 0x0d;
/** Our choice: the first buffer of a line that did not come in one piece. */
const FIRST_BUFFER_BYTES = 512;

/** Collects bytes until a line is complete. Holds at most `maxLineBytes` and a doubling's slack. */
export class LineFramer {
  readonly #maxLineBytes: number;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array();
  #used = 0;

  /** `maxLineBytes` counts a line without its LF. */
  constructor(options: { readonly maxLineBytes: number }) {
    this.#maxLineBytes = options.maxLineBytes;
  }

  /** Bytes of the line that is not complete yet (a prompt, between replies). */
  get pendingBytes(): number {
    return this.#used;
  }

  /**
   * The lines that `bytes` completes, without LF and a CR before it. The caller keeps `bytes`.
   * @throws {NoportsError} `protocol_violation` for an over-long line or bytes that are not UTF-8: close the connection,
   * nothing after this is to be trusted.
   */
  push(bytes: Uint8Array): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, start)) {
      lines.push(this.#complete(bytes.subarray(start, end)));
      start = end + 1;
    }
    if (start < bytes.length) this.#keep(bytes.subarray(start));
    return lines;
  }

  #complete(rest: Uint8Array): string {
    if (this.#used === 0) {
      this.#refuseOver(rest.length);
      return decodeLine(rest);
    }
    this.#keep(rest);
    const line = decodeLine(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
    this.#buffer = new Uint8Array();
    return line;
  }

  #keep(rest: Uint8Array): void {
    const needed = this.#used + rest.length;
    this.#refuseOver(needed);
    if (needed > this.#buffer.length) {
      const size = Math.max(needed, Math.min(this.#maxLineBytes, 2 * this.#buffer.length));
      const grown = new Uint8Array(
        Math.max(size, Math.min(this.#maxLineBytes, FIRST_BUFFER_BYTES)),
      );
      grown.set(this.#buffer.subarray(0, this.#used));
      this.#buffer = grown;
    }
    this.#buffer.set(rest, this.#used);
    this.#used = needed;
  }

  #refuseOver(length: number): void {
    if (length <= this.#maxLineBytes) return;
    throw new NoportsError(
      "protocol_violation",
      `Cannot read line: longer than ${this.#maxLineBytes} bytes`,
    );
  }
}

function decodeLine(bytes: Uint8Array): string {
  return decodeUtf8(bytes.at(-1) === CR ? bytes.subarray(0, -1) : bytes);
}
