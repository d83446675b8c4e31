/** For tests: a relay in memory as one side sees it. Each dial gives a connection whose other end the test takes in order. */

import { type MemoryConn, memoryConnPair } from "../../tests/memory_conn.ts";
import type { ByteConn } from "../base/mod.ts";
import { CtrStream } from "../crypto/mod.ts";
import { decodeUtf8 } from "../encoding/mod.ts";
import {
  type AuthLines,
  ControlFramer,
  createSessionKeys,
  type DirectionKeys,
} from "../session/mod.ts";
import { systemEntropy } from "../base/mod.ts";
import type { LocalConnections } from "./local_listener.ts";

/** Auth lines without a signature: `auth <number>`. */
export const PLAIN_AUTH: AuthLines = { line: (connection) => `auth ${connection ?? "-"}\n` };

/** Hands out what was put in, in order; waits for more. */
export class Handout<T> {
  readonly #items: T[] = [];
  readonly #waiting: ((item: T) => void)[] = [];

  put(item: T): void {
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.#items.push(item);
    else waiter(item);
  }

  get count(): number {
    return this.#items.length;
  }

  take(signal?: AbortSignal): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve, reject) => {
      const give = (given: T) => {
        signal?.removeEventListener("abort", onAbort);
        resolve(given);
      };
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(give), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(give);
    });
  }
}

/** A dial function whose connections the test holds the other ends of. */
export class FakeDial {
  readonly dialled = new Handout<MemoryConn>();
  /** Errors for the next dials; null: succeed. */
  readonly failures: (Error | null)[] = [];
  /** `host:port` of each dial. */
  readonly targets: string[] = [];

  readonly dial = (host: string, port: number): Promise<ByteConn> => {
    this.targets.push(`${host}:${port}`);
    const failure = this.failures.shift() ?? null;
    if (failure !== null) return Promise.reject(failure);
    const [outer, inner] = memoryConnPair();
    this.dialled.put(outer);
    return Promise.resolve(inner);
  };
}

/** Local connections that the test makes. */
export class FakeLocal implements LocalConnections {
  readonly #conns = new Handout<ByteConn>();

  /** Connects; gives the user's end. */
  connect(): MemoryConn {
    const [user, local] = memoryConnPair();
    this.#conns.put(local);
    return user;
  }

  next(signal: AbortSignal): Promise<ByteConn> {
    return this.#conns.take(signal);
  }
}

/** Reads one line, byte by byte, without its LF. */
export async function readLine(conn: ByteConn): Promise<string> {
  const bytes: number[] = [];
  const one = new Uint8Array(1);
  while (await conn.read(one) !== null) {
    if (one[0] === 0x0a) break;
    bytes.push(one[0] ?? 0);
  }
  return decodeUtf8(new Uint8Array(bytes));
}

/** The other end of a control connection: reads its messages. */
export class ControlReader {
  readonly #conn: ByteConn;
  readonly #cipher: CtrStream;
  readonly #framer = new ControlFramer();
  readonly #messages: string[] = [];

  constructor(conn: ByteConn, keys: DirectionKeys) {
    this.#conn = conn;
    this.#cipher = new CtrStream(keys.toDaemon.key, keys.toDaemon.iv);
  }

  async next(): Promise<string> {
    const buffer = new Uint8Array(1024);
    while (this.#messages.length === 0) {
      const n = await this.#conn.read(buffer);
      if (n === null) throw new Error("control connection ended");
      this.#messages.push(...this.#framer.push(this.#cipher.transform(buffer.subarray(0, n))));
    }
    return this.#messages.shift() ?? "";
  }
}

export function sessionKeys(): DirectionKeys {
  return createSessionKeys(systemEntropy);
}

/** Lets everything that can go on without the clock go on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 100; i++) await Promise.resolve();
  await new Promise((resolve) => setTimeout(resolve, 0));
  for (let i = 0; i < 100; i++) await Promise.resolve();
}
