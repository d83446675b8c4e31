/**
 * The request connection of a logged-in atSign: opened when first needed, opened again when it was lost. A command that can be
 * repeated without harm and got no reply is repeated once on a fresh connection. IO.
 */

import { abortable, isNoportsError, type Log, NoportsError } from "../../base/mod.ts";
import type { AtKeys, AtSign, Reply, Verb } from "../wire/mod.ts";
import { AtConnection, ConnectionLost } from "./connection.ts";
import type { Directory } from "./directory.ts";
import { loginPkam } from "./login.ts";
import { connectTls } from "./tls.ts";

/** What a connection to an atServer is opened with. */
export interface AtServerAccess {
  readonly atSign: AtSign;
  readonly keys: AtKeys;
  readonly directory: Directory;
  readonly caCerts: readonly string[];
  readonly log: Log;
}

/**
 * Connects to the atServer of `access.atSign` and logs in; the caller owns the connection.
 * @throws {NoportsError} `atsign_unknown`, `directory_unreachable`, `atserver_unreachable`, `tls_untrusted`, `auth_failed`, `timeout`.
 */
export async function connectAtServer(
  access: AtServerAccess,
  signal?: AbortSignal,
  onNotification?: (json: string) => void,
): Promise<AtConnection> {
  const conn = await dialAtServer(access.atSign, access, signal, onNotification);
  try {
    await loginPkam(conn, access.atSign, access.keys, signal);
    return conn;
  } catch (error) {
    conn[Symbol.dispose]();
    throw asUnreachable(error, access.atSign);
  }
}

/** Connects to the atServer of `atSign` without logging in; the caller owns the connection. */
export async function dialAtServer(
  atSign: AtSign,
  access: Pick<AtServerAccess, "directory" | "caCerts">,
  signal?: AbortSignal,
  onNotification?: (json: string) => void,
): Promise<AtConnection> {
  const address = await access.directory.require(atSign, signal);
  try {
    const conn = await connectTls({
      host: address.host,
      port: address.port,
      caCerts: access.caCerts,
      what: `atServer of ${atSign}`,
      unreachable: "atserver_unreachable",
    }, signal);
    return new AtConnection(conn, onNotification);
  } catch (error) {
    // atServers move: the next try asks the directory again
    access.directory.forget(atSign);
    throw error;
  }
}

/** Commands on the logged-in connection of an atSign; the caller disposes it. */
export class RequestChannel implements Disposable {
  readonly #access: AtServerAccess;
  readonly #closed = new AbortController();
  #conn: AtConnection | null = null;
  #opening: Promise<AtConnection> | null = null;

  constructor(access: AtServerAccess) {
    this.#access = access;
  }

  /**
   * Sends `verb` and waits for its reply.
   * @throws {NoportsError} as `connectAtServer`; `atserver_unreachable` when the connection is lost (twice for a repeatable command).
   */
  async request(verb: Verb, signal?: AbortSignal): Promise<Reply> {
    for (let attempt = 1;; attempt++) {
      const conn = await this.#connected(signal);
      try {
        return await conn.request(verb, signal === undefined ? {} : { signal });
      } catch (error) {
        if (attempt === 1 && error instanceof ConnectionLost && isRepeatable(verb)) {
          this.#access.log.debug("request connection lost, trying once more", { verb: verb.verb });
          continue;
        }
        throw asUnreachable(error, this.#access.atSign);
      }
    }
  }

  [Symbol.dispose](): void {
    this.#closed.abort(new NoportsError("interrupted", "Cannot go on: the client was closed"));
    this.#conn?.[Symbol.dispose]();
    this.#opening?.then((conn) => conn[Symbol.dispose](), () => {});
  }

  async #connected(signal: AbortSignal | undefined): Promise<AtConnection> {
    this.#closed.signal.throwIfAborted();
    if (this.#conn?.isOpen === true) return this.#conn;
    if (this.#opening === null) {
      this.#opening = this.#open();
      // whoever waits hears of a failure; nobody may be waiting any more
      this.#opening.catch(() => {});
    }
    return await abortable(this.#opening, signal);
  }

  async #open(): Promise<AtConnection> {
    try {
      this.#conn = await connectAtServer(this.#access, this.#closed.signal);
      return this.#conn;
    } finally {
      this.#opening = null;
    }
  }
}

/** A repeated `notify` is recognised by its id, the others change nothing or the same thing again. */
function isRepeatable(verb: Verb): boolean {
  switch (verb.verb) {
    case "lookup":
    case "llookup":
    case "plookup":
    case "scan":
    case "update":
    case "delete":
    case "noop":
    case "info":
    case "stats":
      return true;
    case "notify":
      return verb.id !== undefined;
    case "enroll":
      return verb.operation === "list" || verb.operation === "fetch";
    case "keys":
      return verb.operation === "get";
    default:
      return false;
  }
}

function asUnreachable(error: unknown, atSign: AtSign): unknown {
  if (!(error instanceof ConnectionLost) || isNoportsError(error)) return error;
  return new NoportsError(
    "atserver_unreachable",
    `Cannot talk to the atServer of ${atSign}: ${error.message}`,
    { cause: error, hint: "try again; check that the control plane is running" },
  );
}
