/**
 * One connection to the atServers: greeting, lines in, commands in order, replies out, prompts, caps and deadlines.
 * atProtocol specification, Connections and Replies; our reading of its gaps: PROTOCOL.md. What a command does is
 * `verbs/`'s; the socket is the caller's listener's.
 */

import { AtError, encodeDataReply, encodeErrorReply, parseVerb } from "../atprotocol/wire/mod.ts";
import { type ByteConn, closeQuietly, writeAll } from "../base/mod.ts";
import { decodeUtf8, encodeUtf8 } from "../encoding/mod.ts";
import type { Place } from "./admission.ts";
import { toAtError } from "./at_failures.ts";
import { LineBuffer } from "./line_buffer.ts";
import type { Monitor } from "./monitor.ts";
import { addressGroup } from "./net/mod.ts";
import type { Services } from "./services.ts";
import { EnrollmentGone, type InboundInfo, Session, type SessionConnection } from "./session.ts";
import { type Outcome, runVerb } from "./verbs/mod.ts";
import type { Watched } from "./watchdog.ts";

/** Before login, and to everyone as the greeting. */
const STRANGER_PROMPT = "@";
/** Our choice: an idle connection holds a small buffer, a busy one grows it. */
const FIRST_READ_BYTES = 1024;
const MAX_READ_BYTES = 64 * 1024;
/** Our choice: what may still come after an over-long line, so that its sender can read the error. */
const LINGER_MS = 2_000;
const LINGER_BYTES = 16 * 1024 * 1024;
/** Our choice: the slowest reader whose replies we wait for. */
const SLOW_BYTES_PER_SECOND = 64 * 1024;

interface Reply {
  readonly bytes: Uint8Array;
  readonly written: () => void;
}

/** Serves one connection; makes no promise that throws. */
export class InboundConnection implements SessionConnection, Watched {
  readonly #services: Services;
  readonly #conn: ByteConn;
  readonly #place: Place;
  readonly #session: Session;
  readonly #addressGroup: string;
  readonly #ended = new AbortController();
  readonly #lines = new LineBuffer();
  #isBusy = false;
  #lastActiveMs: number;
  /** When the first byte of an incomplete line came. */
  #lineStartedMs: number | null = null;
  #lingerUntilMs = Infinity;
  #closeAtMs = Infinity;
  // the writer
  #reply: Reply | null = null;
  #queued: Uint8Array[] = [];
  #queuedBytes = 0;
  #replay: Monitor | null = null;
  #isWriting = false;
  #writeDeadlineMs = Infinity;

  constructor(services: Services, conn: ByteConn, info: InboundInfo, place: Place) {
    this.#services = services;
    this.#conn = conn;
    this.#place = place;
    this.#lastActiveMs = services.basics.clock.now();
    this.#addressGroup = addressGroup(info.remoteAddress);
    this.#session = new Session(services, info, this);
  }

  /** Runs until the connection ends; closes it. Never throws. */
  async serve(): Promise<void> {
    const closed = new Promise<void>((resolve) =>
      this.signal.addEventListener("abort", () => resolve(), { once: true })
    );
    // not every stream ends a pending read or write when it is closed: nothing waits for them after that
    await Promise.race([this.#run(), closed]);
    this.close();
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** Ends the connection without a word. */
  close(): void {
    if (this.signal.aborted) return;
    this.#ended.abort();
    this.#session.logOut();
    this.#place[Symbol.dispose]();
    this.#queued = [];
    this.#queuedBytes = 0;
    this.#replay = null;
    closeQuietly(this.#conn);
  }

  get session(): Session {
    return this.#session;
  }

  idleSince(): number | null {
    return this.#isBusy ? null : this.#lastActiveMs;
  }

  loginChanged(): void {
    this.#place.setStranger(this.#session.login.kind === "none");
  }

  closeAt(timeMs: number): void {
    this.#closeAtMs = Math.min(this.#closeAtMs, timeMs);
  }

  deadlineMs(): number {
    return Math.min(this.#closeAtMs, this.#deadlineMs());
  }

  #deadlineMs(): number {
    if (this.#lingerUntilMs !== Infinity) return this.#lingerUntilMs;
    if (this.#isBusy) return this.#writeDeadlineMs;
    const { lineMs, idleMs } = this.#allowance();
    const line = this.#lineStartedMs === null ? Infinity : this.#lineStartedMs + lineMs;
    return Math.min(this.#writeDeadlineMs, line, this.#lastActiveMs + idleMs);
  }

  expire(): void {
    this.#services.basics.log.info("connection cut at its deadline", {
      address: this.#session.info.remoteAddress,
      login: this.#session.login.kind,
    });
    this.close();
  }

  sendLine(line: Uint8Array): void {
    const { limits, log } = this.#services.basics;
    const isOver = this.#queuedBytes + line.length > limits.monitorQueueBytes;
    // a single line of any size may wait: it is one of the owner's own
    if (isOver && this.#queued.length > 0) {
      log.warn("monitor does not read", { address: this.#session.info.remoteAddress });
      this.close();
      return;
    }
    this.#queued.push(line);
    this.#queuedBytes += line.length;
    this.#wakeWriter();
  }

  startReplay(monitor: Monitor): void {
    this.#replay = monitor;
    this.#wakeWriter();
  }

  async #run(): Promise<void> {
    try {
      await this.#send(STRANGER_PROMPT);
      await this.#readCommands();
    } catch (error) {
      if (!this.signal.aborted) {
        this.#services.basics.log.debug("connection failed", {
          address: this.#session.info.remoteAddress,
          error,
        });
      }
    }
  }

  /** Reads and answers, one command at a time, until either side ends it. What is not read yet costs us nothing. */
  async #readCommands(): Promise<void> {
    let buffer = new Uint8Array(FIRST_READ_BYTES);
    while (!this.signal.aborted) {
      const n = await this.#conn.read(buffer);
      if (n === null) return;
      this.#lines.append(buffer.subarray(0, n));
      buffer = resized(buffer, n);
      for (let line = this.#lines.next(); line !== null; line = this.#lines.next()) {
        if (line.length > this.#allowance().lineBytes) return await this.#refuseOverflow();
        await this.#answer(line);
        this.#lineStartedMs = null;
        if (this.signal.aborted) return;
      }
      if (this.#lines.pendingBytes > this.#allowance().lineBytes) {
        return await this.#refuseOverflow();
      }
      if (this.#lines.pendingBytes > 0) this.#lineStartedMs ??= this.#services.basics.clock.now();
    }
  }

  async #answer(line: Uint8Array): Promise<void> {
    this.#isBusy = true;
    const { text, closes } = await this.#execute(line);
    if (this.signal.aborted) return;
    if (text !== null) await this.#send(text);
    this.#isBusy = false;
    this.#lastActiveMs = this.#services.basics.clock.now();
    if (closes) this.close();
  }

  /** The bytes to answer with, if any, and whether the connection ends then. */
  async #execute(line: Uint8Array): Promise<{ text: string | null; closes: boolean }> {
    const { observer } = this.#services.basics;
    let name = "invalid";
    try {
      if (this.#session.login.kind === "none") {
        await this.#services.requestRate.take(this.#addressGroup, this.signal);
      }
      const verb = parseVerb(decodeLine(line));
      name = verb.verb;
      const outcome = await runVerb({ services: this.#services, session: this.#session }, verb);
      observer?.command(name, "ok");
      return { text: this.#encode(outcome), closes: outcome.kind === "close" };
    } catch (error) {
      if (error instanceof EnrollmentGone) return { text: null, closes: true };
      if (this.signal.aborted) return { text: null, closes: true };
      const refusal = toAtError(error, this.#services.basics.log);
      observer?.command(name, refusal.code);
      return { text: this.#encodeRefusal(refusal), closes: refusal.closes };
    }
  }

  #encode(outcome: Outcome): string | null {
    switch (outcome.kind) {
      case "data":
        return `${encodeDataReply(outcome.text)}\n${this.#prompt()}`;
      case "line":
        return `${outcome.line}\n${this.#prompt()}`;
      case "prompt":
        return this.#prompt();
      case "silence":
      case "close":
        return null;
      default:
        return outcome satisfies never;
    }
  }

  #encodeRefusal(refusal: AtError): string {
    const isOwner = this.#session.login.kind === "owner";
    const form = { json: this.#session.jsonErrors, ownerAuthenticated: isOwner };
    // upstream shows a peer no prompt of its own after an error
    const prompt = isOwner || this.#session.isMonitoring ? this.#prompt() : STRANGER_PROMPT;
    return `${encodeErrorReply(refusal, form)}\n${refusal.code === "AT0012" ? "" : prompt}`;
  }

  /** None on a monitor connection: the next notification must begin its line. */
  #prompt(): string {
    if (this.#session.isMonitoring) return "";
    const { login } = this.#session;
    switch (login.kind) {
      case "none":
        return STRANGER_PROMPT;
      case "owner":
        return `${login.of.atSign}@`;
      case "peer":
        return `${login.atSign}@`;
      default:
        return login satisfies never;
    }
  }

  /** Says so and ends, after reading on for a moment: a reset in the middle of its sending would hide the error. */
  async #refuseOverflow(): Promise<void> {
    this.#isBusy = true;
    const { clock } = this.#services.basics;
    await this.#send(this.#encodeRefusal(
      new AtError(
        "AT0005",
        "InboundBuffer overflow: server received request which exceeded the buffer size limit. " +
          "Terminating the connection.",
      ),
    ));
    this.#lingerUntilMs = clock.now() + LINGER_MS;
    await this.#conn.closeWrite();
    const scratch = new Uint8Array(MAX_READ_BYTES);
    for (let read = 0; read < LINGER_BYTES && !this.signal.aborted;) {
      const n = await this.#conn.read(scratch);
      if (n === null) return;
      read += n;
    }
  }

  #allowance(): { lineBytes: number; lineMs: number; idleMs: number } {
    const l = this.#services.basics.limits;
    switch (this.#session.login.kind) {
      case "none":
        return {
          lineBytes: l.strangerLineBytes,
          lineMs: l.strangerLineMs,
          idleMs: l.strangerIdleMs,
        };
      case "peer":
        return { lineBytes: l.peerLineBytes, lineMs: l.peerLineMs, idleMs: l.loggedInIdleMs };
      case "owner":
        return { lineBytes: l.ownerLineBytes, lineMs: l.ownerLineMs, idleMs: l.loggedInIdleMs };
      default:
        return this.#session.login satisfies never;
    }
  }

  /** Writes one reply as one write, before any notification that waits; resolves once the stream has taken it. */
  #send(text: string): Promise<void> {
    return new Promise((written) => {
      this.#reply = { bytes: encodeUtf8(text), written };
      this.#wakeWriter();
    });
  }

  #wakeWriter(): void {
    if (this.#isWriting || this.signal.aborted) return;
    this.#isWriting = true;
    this.#writeQueued().catch((error) => {
      this.#services.basics.log.debug("write failed", { error });
      this.close();
    });
  }

  /** One write after the other, until nothing is left: replies first, then lines, then the replay's next page. */
  async #writeQueued(): Promise<void> {
    const { clock, limits } = this.#services.basics;
    for (let next = this.#takeNext(); next !== null; next = this.#takeNext()) {
      const now = clock.now();
      this.#writeDeadlineMs = now + limits.writeMs +
        1000 * Math.floor(next.bytes.length / SLOW_BYTES_PER_SECOND);
      await writeAll(this.#conn, next.bytes);
      this.#writeDeadlineMs = Infinity;
      this.#lastActiveMs = clock.now();
      next.written();
    }
    this.#isWriting = false; // in the same turn as the last look: nothing is queued unseen
  }

  #takeNext(): Reply | null {
    if (this.signal.aborted) return null;
    if (this.#reply !== null) {
      const reply = this.#reply;
      this.#reply = null;
      return reply;
    }
    while (this.#queued.length === 0 && this.#replay !== null) this.#readReplay(this.#replay);
    const line = this.#queued.shift();
    if (line === undefined) return null;
    this.#queuedBytes -= line.length;
    return { bytes: line, written: () => {} };
  }

  #readReplay(monitor: Monitor): void {
    const page = this.#session.monitor === monitor ? monitor.nextPage() : null;
    if (page === null) {
      this.#replay = null;
      return;
    }
    for (const line of page) {
      this.#queued.push(line);
      this.#queuedBytes += line.length;
    }
  }
}

/** @throws {AtError} AT0003 for what is no text, or holds a NUL, at which the store would cut a value. */
function decodeLine(line: Uint8Array): string {
  try {
    const text = decodeUtf8(line);
    if (!text.includes("\0")) return text;
  } catch {
    // answered below
  }
  throw new AtError("AT0003", "invalid command");
}

/** A buffer for the next read: larger after a full one, small again when little comes. */
function resized(buffer: Uint8Array<ArrayBuffer>, read: number): Uint8Array<ArrayBuffer> {
  if (read === buffer.length && buffer.length < MAX_READ_BYTES) {
    return new Uint8Array(Math.min(buffer.length * 4, MAX_READ_BYTES));
  }
  if (read < FIRST_READ_BYTES && buffer.length > FIRST_READ_BYTES) {
    return new Uint8Array(FIRST_READ_BYTES);
  }
  return buffer;
}
