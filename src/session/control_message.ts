/**
 * Messages on the control connection of a multi-mode session: one `connect:…` line per data connection, from client to daemon
 * (PROTOCOL.md, Control connection). The framer takes the decrypted bytes as they come and gives whole messages; clients before
 * 5.6.1 sent no LF, which it recognises by the exact length. Pure.
 */

import { NoportsError } from "../base/mod.ts";
import { decodeBase64, encodeBase64, encodeUtf8 } from "../encoding/mod.ts";
import {
  type DirectionKeys,
  isTwin,
  STREAM_IV_BYTES,
  STREAM_KEY_BYTES,
  type StreamKey,
} from "./session_keys.ts";

/** `connect:` + 44 + `:` + 24 characters: the baseline message without its LF. */
const LEGACY_MESSAGE_BYTES = 77;
const LEGACY_MESSAGE = /^connect:[A-Za-z0-9+/]{43}=:[A-Za-z0-9+/]{22}==$/;
/** Our choice: a stream that is longer than this without LF is no control stream. A burst of legacy messages fits. */
const MAX_PENDING_BYTES = 16 * 1024;
const LF = 0x0a;

export type ControlMessage =
  /** Open a data connection; `keys` is null when the session does not encrypt. */
  | { readonly kind: "connect"; readonly keys: DirectionKeys | null }
  | { readonly kind: "heartbeat" }
  /** A word of a later version: to be logged (its length only) and ignored. */
  | { readonly kind: "unknown"; readonly chars: number };

/** One `connect` message with its LF: 3 fields, or 5 when each direction has its own key. To be sent in one write. */
export function encodeConnectMessage(keys: DirectionKeys | null): string {
  if (keys === null) return "connect:no:encrypt\n";
  const fields = isTwin(keys) ? [keys.toDaemon, keys.toClient] : [keys.toDaemon];
  const texts = fields.map((one) => `${encodeBase64(one.key)}:${encodeBase64(one.iv)}`);
  return `connect:${texts.join(":")}\n`;
}

/** The n-th sign of life; only for daemons whose ping offers `controlChannelHeartbeats`. */
export function encodeHeartbeat(count: number): string {
  return `heartbeat:${count}\n`;
}

/**
 * Reads one message without LF. @throws {NoportsError} `protocol_violation` for a `connect` that is none of its three forms:
 * dropping it would shift every later connection, so the session ends.
 */
export function parseControlMessage(message: string): ControlMessage {
  const [word, ...fields] = message.split(":");
  if (word === "heartbeat") return { kind: "heartbeat" };
  if (word !== "connect") return { kind: "unknown", chars: message.length };
  const [key = "", iv = "", backKey, backIv] = fields;
  if (fields.length === 2 && key === "no" && iv === "encrypt") {
    return { kind: "connect", keys: null };
  }
  if (fields.length === 2) {
    const both = parseStreamKey(key, iv);
    return { kind: "connect", keys: { toDaemon: both, toClient: both } };
  }
  if (fields.length === 4 && backKey !== undefined && backIv !== undefined) {
    const toDaemon = parseStreamKey(key, iv);
    return { kind: "connect", keys: { toDaemon, toClient: parseStreamKey(backKey, backIv) } };
  }
  throw new NoportsError(
    "protocol_violation",
    `Cannot read control message: ${fields.length} fields`,
  );
}

/** Cuts the decrypted control stream into messages. */
export class ControlFramer {
  #pending = new Uint8Array();
  #sawLf = false;

  /**
   * Takes bytes of any cut and gives the messages that are complete, without LF and without empty lines.
   * @throws {NoportsError} `protocol_violation` when more than 16 KB wait for an LF.
   */
  push(bytes: Uint8Array): string[] {
    const all = new Uint8Array(this.#pending.length + bytes.length);
    all.set(this.#pending);
    all.set(bytes, this.#pending.length);
    const messages: string[] = [];
    let start = 0;
    for (let end = all.indexOf(LF); end >= 0; end = all.indexOf(LF, start)) {
      this.#sawLf = true;
      const line = latin1(all.subarray(start, end)).trim();
      if (line !== "") messages.push(line);
      start = end + 1;
    }
    this.#pending = all.slice(start);
    if (!this.#sawLf) messages.push(...this.#takeLegacy());
    if (this.#pending.length > MAX_PENDING_BYTES) {
      throw new NoportsError("protocol_violation", "Cannot read control stream: line too long");
    }
    return messages;
  }

  /** Messages of a client that sends no LF: all that is buffered, when it is whole messages and nothing else. */
  #takeLegacy(): string[] {
    const count = this.#pending.length / LEGACY_MESSAGE_BYTES;
    if (count === 0 || !Number.isInteger(count)) return [];
    const text = latin1(this.#pending);
    const messages = Array.from(
      { length: count },
      (_, i) => text.slice(i * LEGACY_MESSAGE_BYTES, (i + 1) * LEGACY_MESSAGE_BYTES),
    );
    if (!messages.every((message) => LEGACY_MESSAGE.test(message))) return [];
    this.#pending = new Uint8Array();
    return messages;
  }
}

/** The bytes of an encoded message. */
export function controlBytes(message: string): Uint8Array<ArrayBuffer> {
  return encodeUtf8(message);
}

function parseStreamKey(key: string, iv: string): StreamKey {
  const parsed = { key: decodeBase64(key), iv: decodeBase64(iv) };
  if (parsed.key.length !== STREAM_KEY_BYTES || parsed.iv.length !== STREAM_IV_BYTES) {
    throw new NoportsError("protocol_violation", "Cannot read control message: key or IV length");
  }
  return parsed;
}

/** Byte for character: the stream is ASCII, and garbage must not throw here. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
