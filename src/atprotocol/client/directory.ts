/**
 * Finds atServers through the atDirectory (atProtocol specification, atDirectory). Questions that come together share a connection; a
 * name that is not known ends it, because a directory slows down a connection that asks for such names. Good answers are kept for
 * an hour. IO.
 */

import {
  abortable,
  BoundedMap,
  type ByteConn,
  type Clock,
  closeQuietly,
  describeError,
  isNoportsError,
  NoportsError,
  writeAll,
} from "../../base/mod.ts";
import { encodeUtf8 } from "../../encoding/mod.ts";
import {
  type AtSign,
  bareName,
  encodeDirectoryRequest,
  LineFramer,
  parseDirectoryReply,
} from "../wire/mod.ts";
import { connectTls } from "./tls.ts";

/** The vendor's clients keep an answer for an hour; so do we. */
const CACHE_MS = 60 * 60 * 1000;
const MAX_CACHED = 1024;
/** Our choice: the longest answer is a host name and a port. */
const MAX_REPLY_BYTES = 1024;
/** Our choice: an answer that took longer is no answer. */
const REPLY_TIMEOUT_MS = 10_000;

/** The atDirectory, or (`proxy`) one address that stands for every atServer. */
export interface RootDomain {
  readonly kind: "directory" | "proxy";
  readonly host: string;
  readonly port: number;
}

export interface AtServerAddress {
  readonly host: string;
  readonly port: number;
}

interface Question {
  readonly atSign: AtSign;
  readonly answer: PromiseWithResolvers<AtServerAddress | null>;
}

export class Directory {
  readonly #root: RootDomain;
  readonly #caCerts: readonly string[];
  readonly #clock: Clock;
  readonly #cache = new BoundedMap<AtSign, { address: AtServerAddress; until: number }>(MAX_CACHED);
  readonly #waiting: Question[] = [];
  #asking = false;

  constructor(root: RootDomain, caCerts: readonly string[], clock: Clock) {
    this.#root = root;
    this.#caCerts = caCerts;
    this.#clock = clock;
  }

  /**
   * The address of an atSign's atServer, or null when the directory does not know the atSign.
   * @throws {NoportsError} `directory_unreachable`, `tls_untrusted`, `protocol_violation`, or the signal's reason.
   */
  async find(atSign: AtSign, signal?: AbortSignal): Promise<AtServerAddress | null> {
    if (this.#root.kind === "proxy") return { host: this.#root.host, port: this.#root.port };
    const cached = this.#cache.get(atSign);
    if (cached !== undefined && cached.until > this.#clock.now()) return cached.address;
    const address = await this.#ask(atSign, signal);
    if (address !== null) {
      this.#cache.set(atSign, { address, until: this.#clock.now() + CACHE_MS });
    }
    return address;
  }

  /** As `find`, but an unknown atSign is an error. @throws {NoportsError} also `atsign_unknown`. */
  async require(atSign: AtSign, signal?: AbortSignal): Promise<AtServerAddress> {
    const address = await this.find(atSign, signal);
    if (address === null) {
      throw new NoportsError(
        "atsign_unknown",
        `Cannot find ${atSign}: the atDirectory ${this.#root.host}:${this.#root.port} does not know it`,
        { hint: `check the spelling of ${atSign} and --root-domain` },
      );
    }
    return address;
  }

  /** Drops what is cached of an atSign: its server did not answer there. */
  forget(atSign: AtSign): void {
    this.#cache.delete(atSign);
  }

  /** Joins the questions that are waiting; the first one starts the asking. */
  async #ask(atSign: AtSign, signal?: AbortSignal): Promise<AtServerAddress | null> {
    const answer = Promise.withResolvers<AtServerAddress | null>();
    answer.promise.catch(() => {});
    this.#waiting.push({ atSign, answer });
    if (!this.#asking) {
      this.#asking = true;
      this.#askAll();
    }
    return await abortable(answer.promise, signal);
  }

  /** Asks until no question is left, on one connection as long as the answers are good. Rejects nothing: the questions do. */
  async #askAll(): Promise<void> {
    // questions of the same moment come along
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      try {
        await this.#askOnOneConnection();
      } catch (error) {
        for (const question of this.#waiting.splice(0)) question.answer.reject(error);
      }
    }
    this.#asking = false;
  }

  async #askOnOneConnection(): Promise<void> {
    const conn = await connectTls({
      host: this.#root.host,
      port: this.#root.port,
      caCerts: this.#caCerts,
      what: "atDirectory",
      unreachable: "directory_unreachable",
    });
    const framer = new LineFramer({ maxLineBytes: MAX_REPLY_BYTES });
    try {
      for (let question = this.#waiting[0]; question !== undefined; question = this.#waiting[0]) {
        const address = await readAnswer(conn, framer, question.atSign);
        this.#waiting.shift();
        question.answer.resolve(address);
        if (address === null) return;
      }
    } finally {
      closeQuietly(conn);
    }
  }
}

async function readAnswer(
  conn: ByteConn,
  framer: LineFramer,
  atSign: AtSign,
): Promise<AtServerAddress | null> {
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    closeQuietly(conn);
  }, REPLY_TIMEOUT_MS);
  try {
    await writeAll(conn, encodeUtf8(encodeDirectoryRequest(atSign)));
    const buffer = new Uint8Array(MAX_REPLY_BYTES);
    for (;;) {
      const n = await conn.read(buffer);
      if (n === null) throw new Error("it closed the connection without an answer");
      const line = framer.push(buffer.subarray(0, n))[0];
      if (line !== undefined) return parseDirectoryReply(line);
    }
  } catch (cause) {
    if (isNoportsError(cause)) throw cause;
    throw new NoportsError(
      "directory_unreachable",
      `Cannot ask the atDirectory for ${bareName(atSign)}: ${
        timedOut ? "it did not answer" : describeError(cause)
      }`,
      { cause, hint: "check --root-domain and the network" },
    );
  } finally {
    clearTimeout(timer);
  }
}
