/**
 * The control socket of a running role: one JSON line asks, one JSON line answers, over a Unix socket that only this
 * user can open (mode 0600 in a 0700 folder). Used for `noports server add` and the like, and for status.
 *
 * Ours, not part of the atProtocol: `{"method":"add","params":{…}}` → `{"ok":true,"result":…}` or
 * `{"ok":false,"error":{"code":"…","message":"…","hint":"…"}}`. What the methods do belongs to the role.
 */

import * as v from "valibot";
import {
  closeQuietly,
  describeError,
  type ErrorCode,
  EXIT_STATUS,
  isNoportsError,
  type Log,
  NoportsError,
  TaskGroup,
  writeAll,
} from "../base/mod.ts";
import { decodeUtf8, encodeUtf8 } from "../encoding/mod.ts";
import { checkPrivateFolder, ensurePrivateFolder } from "./control_path.ts";

/** Our choice; an answer (a list of atSigns) may be long, a request never is. */
const MAX_REQUEST_BYTES = 64 * 1024;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** A client that has connected must have sent its line by then. */
const REQUEST_TIMEOUT_MS = 5_000;
const MAX_CONNECTIONS = 32;

const REQUEST = v.object({ method: v.string(), params: v.optional(v.unknown()) });
const ANSWER = v.variant("ok", [
  v.object({ ok: v.literal(true), result: v.optional(v.unknown()) }),
  v.object({
    ok: v.literal(false),
    error: v.object({ code: v.string(), message: v.string(), hint: v.optional(v.string()) }),
  }),
]);

/** Answers one method. What it throws goes to the caller: a NoportsError with its code, anything else as `internal`. */
export type ControlHandler = (params: unknown) => unknown;

export interface ControlSocketOptions {
  readonly path: string;
  readonly handlers: Readonly<Record<string, ControlHandler>>;
  readonly log: Log;
}

/**
 * Listens on `options.path`, replacing a stale socket there: the caller makes sure that no other process owns it.
 * Disposing closes it, removes the file and waits for requests in progress.
 * @throws {NoportsError} `config_invalid` when the folder cannot be used.
 */
export async function openControlSocket(options: ControlSocketOptions): Promise<AsyncDisposable> {
  const folder = options.path.slice(0, options.path.lastIndexOf("/"));
  await ensurePrivateFolder(folder);
  await Deno.remove(options.path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  let listener: Deno.UnixListener;
  try {
    listener = Deno.listen({ transport: "unix", path: options.path });
    await Deno.chmod(options.path, 0o600);
  } catch (cause) {
    throw new NoportsError(
      "config_invalid",
      `Cannot open the control socket "${options.path}": ${describeError(cause)}`,
      { cause },
    );
  }
  const open = new Set<Deno.UnixConn>();
  const tasks = new TaskGroup((error) => {
    options.log.warn("control request failed", { error });
  });
  tasks.run(() => acceptAll(listener, open, tasks, options));
  return {
    async [Symbol.asyncDispose]() {
      closeQuietly(listener);
      for (const conn of open) closeQuietly(conn);
      await tasks[Symbol.asyncDispose]();
      await Deno.remove(options.path).catch(() => {}); // the listener's close may have done it
    },
  };
}

/** No role answers on a control socket; what a role that does answer says of `not_found` is another matter. */
export class NobodyAnswers extends NoportsError {
  constructor(path: string, cause?: unknown) {
    super("not_found", `Cannot ask the running process: none answers at "${path}"`, { cause });
  }
}

export interface ControlCallOptions {
  readonly params?: unknown;
  readonly timeoutMs: number;
}

/**
 * Asks the role that listens on `path`.
 * @throws {NobodyAnswers} when no role does. @throws {NoportsError} `timeout`, `protocol_violation`, or what the role answered.
 */
export async function callControl(
  path: string,
  method: string,
  options: ControlCallOptions,
): Promise<unknown> {
  const line = await exchange(path, method, options);
  const answer = v.safeParse(ANSWER, parseJson(line));
  if (!answer.success) {
    throw new NoportsError("protocol_violation", `Cannot read the answer to "${method}"`);
  }
  if (answer.output.ok) return answer.output.result;
  const { code, message, hint } = answer.output.error;
  throw new NoportsError(isErrorCode(code) ? code : "internal", message, {
    ...(hint === undefined ? {} : { hint }),
  });
}

async function acceptAll(
  listener: Deno.UnixListener,
  open: Set<Deno.UnixConn>,
  tasks: TaskGroup,
  options: ControlSocketOptions,
): Promise<void> {
  while (true) {
    let conn: Deno.UnixConn;
    try {
      conn = await listener.accept();
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
        return; // closed by its owner
      }
      throw error;
    }
    if (open.size >= MAX_CONNECTIONS) {
      closeQuietly(conn);
      continue;
    }
    open.add(conn);
    tasks.run(async () => {
      try {
        await answerOne(conn, options);
      } finally {
        open.delete(conn);
        closeQuietly(conn);
      }
    });
  }
}

async function answerOne(conn: Deno.UnixConn, options: ControlSocketOptions): Promise<void> {
  const timer = setTimeout(() => closeQuietly(conn), REQUEST_TIMEOUT_MS);
  let line: string | null;
  try {
    line = await readLine(conn, MAX_REQUEST_BYTES);
  } catch (error) {
    options.log.debug("control request not read", { error });
    return;
  } finally {
    clearTimeout(timer);
  }
  if (line === null) return; // somebody only looked whether we are there
  const answer = JSON.stringify(await answerLine(line, options));
  try {
    await writeAll(conn, encodeUtf8(answer + "\n"));
  } catch (error) {
    options.log.debug("control answer not taken", { error });
  }
}

async function answerLine(
  line: string,
  options: ControlSocketOptions,
): Promise<v.InferOutput<typeof ANSWER>> {
  const request = v.safeParse(REQUEST, parseJson(line));
  if (!request.success) return failure(new NoportsError("usage", "Cannot read the request"));
  const { method, params } = request.output;
  const handler = Object.hasOwn(options.handlers, method) ? options.handlers[method] : undefined;
  if (handler === undefined) {
    return failure(
      new NoportsError("usage", `Cannot answer "${method}": the running process does not know it`, {
        hint: "it may be another version; restart it",
      }),
    );
  }
  try {
    return { ok: true, result: await handler(params) };
  } catch (error) {
    if (!isNoportsError(error)) options.log.error("control request failed", { method, error });
    return failure(error);
  }
}

function failure(error: unknown): v.InferOutput<typeof ANSWER> {
  const known = isNoportsError(error);
  const code: ErrorCode = known ? error.code : "internal";
  const hint = known ? error.hint : undefined;
  return {
    ok: false,
    error: { code, message: describeError(error), ...(hint === undefined ? {} : { hint }) },
  };
}

async function exchange(
  path: string,
  method: string,
  options: ControlCallOptions,
): Promise<string> {
  try {
    await checkPrivateFolder(path.slice(0, path.lastIndexOf("/")));
  } catch (cause) {
    if (isNoportsError(cause, "not_found")) throw new NobodyAnswers(path, cause);
    throw cause;
  }
  let conn: Deno.UnixConn;
  try {
    conn = await Deno.connect({ transport: "unix", path });
  } catch (cause) {
    throw new NobodyAnswers(path, cause);
  }
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    closeQuietly(conn);
  }, options.timeoutMs);
  try {
    await writeAll(conn, encodeUtf8(JSON.stringify({ method, params: options.params }) + "\n"));
    const line = await readLine(conn, MAX_ANSWER_BYTES);
    if (line !== null) return line;
    throw new NobodyAnswers(path);
  } catch (cause) {
    if (late) {
      throw new NoportsError("timeout", `Cannot ask the running process: no answer at "${path}"`, {
        cause,
        hint: "it may be stuck; look at its log",
      });
    }
    if (isNoportsError(cause)) throw cause;
    throw new NobodyAnswers(path, cause);
  } finally {
    clearTimeout(timer);
    closeQuietly(conn);
  }
}

/** The first line without its LF, or null at end of stream before one. */
async function readLine(conn: Deno.UnixConn, maxBytes: number): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  while (true) {
    const buffer = new Uint8Array(4096);
    const n = await conn.read(buffer);
    if (n === null) return null;
    const end = buffer.subarray(0, n).indexOf(10);
    const part = buffer.subarray(0, end === -1 ? n : end);
    size += part.length;
    if (size > maxBytes) {
      throw new NoportsError("protocol_violation", `Cannot read a line: over ${maxBytes} bytes`);
    }
    chunks.push(part);
    if (end !== -1) return decodeUtf8(concat(chunks, size));
  }
}

function concat(chunks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(EXIT_STATUS, code);
}
