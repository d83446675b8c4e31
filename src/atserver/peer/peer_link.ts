/**
 * One connection to a foreign atServer, with us as the client: greeting, the handshake that proves one of our atSigns
 * (from, pol), then one request after the other. atProtocol specification, Server to server; our reading: PROTOCOL.md.
 * Which server, how many connections and when to try again is `peer_links.ts`'s.
 */

import { type ByteConn, closeQuietly, isNoportsError, writeAll } from "../../base/mod.ts";
import {
  AT_ERROR_TEXT,
  AtError,
  type AtErrorCode,
  type AtSign,
  parseReply,
} from "../../atprotocol/wire/mod.ts";
import { encodeUtf8 } from "../../encoding/mod.ts";

/** The specification: how long a peer may take for each step. */
const STEP_TIMEOUT_MS = 3_000;
/** Our choice: a value of 10 MB, the specification's longest, with its metadata. */
const MAX_REPLY_CHARS = 11_000_000;
/** Our choice: two atSigns of the specification's length, with room. */
const MAX_PROMPT_CHARS = 512;
const READ_BYTES = 16 * 1024;

/** Publishes what proves `as` to a peer: `proofKey` (`_S@as`) with our signature over `challenge`. */
export type PublishProof = (as: AtSign, proofKey: string, challenge: string) => Promise<void>;

/** The connection ended before it gave any answer: on a connection that was used before, worth another try. */
export class LinkLostError extends Error {
  override readonly name = "LinkLostError";
}

export class PeerLink {
  readonly #conn: ByteConn;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  readonly #maxReplyChars: number;
  /** What came after the last complete line, in pieces: prompts have no line end. */
  #pending: string[] = [];
  #pendingChars = 0;
  #closed = false;

  /** Takes over `conn`. A proof's answers are short: `maxReplyChars` bounds what a stranger's server may send. */
  constructor(conn: ByteConn, maxReplyChars: number = MAX_REPLY_CHARS) {
    this.#conn = conn;
    this.#maxReplyChars = maxReplyChars;
  }

  /** True when nothing more can be asked here. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Waits for the greeting and tells the peer which atSign we want, which some servers need to know before `from`.
   * Gives the answer, its public key with metadata as JSON; null when it refused.
   * @throws {AtError} AT0021, AT0023.
   */
  async greet(peer: AtSign): Promise<string | null> {
    await this.#within(STEP_TIMEOUT_MS, async () => {
      while (this.#pendingChars === 0) await this.#fill();
    });
    if (!this.#pending.join("").startsWith("@")) {
      this.close();
      throw new AtError("AT0021", `Unable to connect to secondary of ${peer}`);
    }
    try {
      return await this.ask(`lookup:all:publickey${peer}\n`, STEP_TIMEOUT_MS);
    } catch (error) {
      if (!(error instanceof AtError) || this.#closed) throw error;
      return null; // a refusal here means nothing
    }
  }

  /**
   * Proves to the peer that we speak for `as`. The peer calls our atServer back meanwhile.
   * @throws {AtError} AT0008, AT0023, or the peer's own refusal.
   */
  async prove(as: AtSign, publishProof: PublishProof): Promise<void> {
    const proof = await this.ask(`from:${as}\n`, STEP_TIMEOUT_MS);
    const { proofKey, challenge } = parseProof(proof, as);
    await publishProof(as, proofKey, challenge);
    await this.#within(STEP_TIMEOUT_MS, async () => {
      await writeAll(this.#conn, encodeUtf8("pol\n"));
      const proved = [`${as}@`, `@${as}@`]; // a late prompt may stand in front
      while (!proved.includes(this.#pending.join(""))) {
        await this.#fill();
        const line = this.#takeLine();
        if (line !== null) this.#result(line); // throws the peer's refusal
        if (line !== null || this.#pendingChars > MAX_PROMPT_CHARS) {
          throw new AtError("AT0008", "unexpected answer to pol");
        }
      }
    });
  }

  /**
   * Sends `line` (with its LF) and gives the text after `data:`.
   * @throws {AtError} the peer's refusal with its code; AT0023 when it does not answer; LinkLostError.
   */
  async ask(line: string, timeoutMs: number): Promise<string> {
    return await this.#within(timeoutMs, async () => {
      await writeAll(this.#conn, encodeUtf8(line));
      while (true) {
        await this.#fill();
        const reply = this.#takeLine();
        if (reply !== null) return this.#result(reply);
      }
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeQuietly(this.#conn);
  }

  /** The line that the last `#fill` completed, or null. */
  #takeLine(): string | null {
    if (this.#pending.at(-1)?.includes("\n") !== true) return null;
    const text = this.#pending.join("");
    const end = text.indexOf("\n");
    const rest = text.slice(end + 1); // the prompt; it will stand in front of the next reply
    this.#pending = [rest];
    this.#pendingChars = rest.length;
    return text.endsWith("\r", end) ? text.slice(0, end - 1) : text.slice(0, end);
  }

  #result(line: string): string {
    const reply = parseReply(line);
    if (reply.kind === "data") return reply.value;
    if (reply.kind === "error") throw new AtError(knownCode(reply.code), reply.text);
    throw new AtError("AT0008", "unexpected answer of another atServer");
  }

  async #fill(): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    const n = await this.#conn.read(buffer);
    if (n === null) throw new LinkLostError("the other atServer closed the connection");
    const text = this.#decoder.decode(buffer.subarray(0, n), { stream: true });
    this.#pending.push(text);
    this.#pendingChars += text.length;
    if (this.#pendingChars > this.#maxReplyChars) {
      throw new AtError("AT0005", "answer of another atServer too long");
    }
  }

  /** Runs one step; when it takes too long or breaks, the connection is closed. */
  async #within<T>(timeoutMs: number, step: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new LinkLostError("the connection was closed");
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.close();
    }, timeoutMs);
    try {
      return await step();
    } catch (cause) {
      if (late) {
        throw new AtError("AT0023", "Timeout waiting for response of another atServer", { cause });
      }
      if (cause instanceof AtError && cause.code !== "AT0005" && cause.code !== "AT0008") {
        throw cause;
      }
      this.close();
      if (cause instanceof AtError) throw cause;
      if (isNoportsError(cause, "protocol_violation") || cause instanceof TypeError) {
        throw new AtError("AT0008", "unexpected answer of another atServer", { cause });
      }
      throw cause instanceof LinkLostError
        ? cause
        : new LinkLostError("the connection to another atServer broke", { cause });
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * `proof:_S@as:C`. The peer chooses both names, so only a session id is accepted: nothing else may be published.
 * @throws {AtError} AT0008.
 */
function parseProof(text: string, as: AtSign): { proofKey: string; challenge: string } {
  const match = /^proof:(_[A-Za-z0-9-]{1,64})(@[^:]+):([A-Za-z0-9-]{1,64})$/.exec(text.trim());
  if (match?.[1] === undefined || match[3] === undefined || match[2] !== as) {
    throw new AtError("AT0008", "unexpected answer to from");
  }
  return { proofKey: `${match[1]}${as}`, challenge: match[3] };
}

function knownCode(code: string): AtErrorCode {
  return Object.hasOwn(AT_ERROR_TEXT, code) ? code as AtErrorCode : "AT0011";
}
