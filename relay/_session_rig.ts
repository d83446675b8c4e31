/** For tests: a relay session on loopback, and sockets that speak to it. */

import {
  closeQuietly,
  createLog,
  ManualClock,
  type RsaKeyPair,
  systemEntropy,
  writeAll,
} from "../src/base/mod.ts";
import { encodeUtf8 } from "../src/encoding/mod.ts";
import { type AuthLines, createAuthLines, signWith, verifyWith } from "../src/session/mod.ts";
import { PortAllocator } from "./ports.ts";
import { RelaySession, type RelaySessionEnd, type SideKey } from "./session.ts";

/** Key pairs of the two sides, made once. */
export const CLIENT_KEYS = await systemEntropy.rsaKeyPair();
export const DAEMON_KEYS = await systemEntropy.rsaKeyPair();

/** A clock that tells when something has begun to wait. */
export class WatchedClock extends ManualClock {
  #sleeps = 0;
  #watchers: { count: number; wake: () => void }[] = [];

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.#sleeps++;
    this.#watchers = this.#watchers.filter((watcher) => {
      if (watcher.count > this.#sleeps) return true;
      watcher.wake();
      return false;
    });
    return super.sleep(ms, signal);
  }

  get sleeps(): number {
    return this.#sleeps;
  }

  /** Resolves once `count` sleeps have begun since the start. */
  async slept(count: number): Promise<void> {
    if (this.#sleeps >= count) return;
    await new Promise<void>((wake) => this.#watchers.push({ count, wake }));
  }
}

export interface Rig extends AsyncDisposable {
  readonly session: RelaySession;
  readonly clock: WatchedClock;
  readonly auth: { sessionId: string; clientNonce: string; rvdNonce: string };
  readonly lines: Readonly<Record<"A" | "B", AuthLines>>;
  readonly running: Promise<RelaySessionEnd>;
  readonly stop: AbortController;
  /** What the session logged: event and reason. */
  readonly logged: string[];
  /** Resolves when a line with `text` has been logged `count` times. */
  until(text: string, count?: number): Promise<void>;
  /** A socket to one side, without a word. */
  connect(side: "A" | "B"): Promise<Deno.TcpConn>;
  /** A socket to one side with its line, and perhaps more in the same write. */
  join(side: "A" | "B", options?: { number?: number; text?: string }): Promise<Deno.TcpConn>;
}

/** Opens and runs a session; disposing stops it and closes every socket that the rig opened. */
export function openRig(options: { authenticate?: boolean; keyB?: SideKey } = {}): Rig {
  const clock = new WatchedClock();
  const stop = new AbortController();
  const auth = { sessionId: crypto.randomUUID(), clientNonce: "c", rvdNonce: "r" };
  const logged: string[] = [];
  const watchers: (() => void)[] = [];
  const log = createLog({
    level: "info",
    format: "text",
    write: (line) => {
      logged.push(line);
      for (const wake of watchers.splice(0)) wake();
    },
    now: () => new Date(0),
  });
  const authenticate = options.authenticate ?? true;
  const session = new RelaySession(new PortAllocator("127.0.0.1", null).openPair(), {
    auth,
    keys: {
      A: authenticate ? keyOf(CLIENT_KEYS) : null,
      B: authenticate ? options.keyB ?? keyOf(DAEMON_KEYS) : null,
    },
    clock,
    log,
  });
  const running = session.run(stop.signal);
  const lines = {
    A: createAuthLines(auth, signWith(CLIENT_KEYS.privateKey)),
    B: createAuthLines(auth, signWith(DAEMON_KEYS.privateKey)),
  };
  const opened: Deno.TcpConn[] = [];
  const connect = async (side: "A" | "B") => {
    const port = side === "A" ? session.portA : session.portB;
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    opened.push(conn);
    return conn;
  };
  return {
    session,
    clock,
    auth,
    lines,
    running,
    stop,
    logged,
    connect,
    until: async (text, count = 1) => {
      while (logged.filter((line) => line.includes(text)).length < count) {
        await new Promise<void>((wake) => watchers.push(wake));
      }
    },
    join: async (side, { number, text = "" } = {}) => {
      const conn = await connect(side);
      await writeAll(conn, encodeUtf8(lines[side].line(number) + text));
      return conn;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
      for (const conn of opened) closeQuietly(conn);
    },
  };
}

export function keyOf(pair: RsaKeyPair): SideKey {
  const verify = verifyWith(pair.publicKey);
  return { verify, refresh: () => Promise.resolve(verify) };
}

/** Reads exactly `length` bytes as text; fewer when the stream ends. */
export async function readText(conn: Deno.TcpConn, length: number): Promise<string> {
  const buffer = new Uint8Array(length);
  let got = 0;
  while (got < length) {
    const n = await conn.read(buffer.subarray(got));
    if (n === null) break;
    got += n;
  }
  return new TextDecoder().decode(buffer.subarray(0, got));
}

/** True when the peer has ended or reset the connection and sent nothing before. */
export async function isCutOff(conn: Deno.TcpConn): Promise<boolean> {
  try {
    return await conn.read(new Uint8Array(1)) === null;
  } catch {
    return true;
  }
}

/** True when both are joined: a byte goes through each way. */
export async function areJoined(a: Deno.TcpConn, b: Deno.TcpConn): Promise<boolean> {
  await writeAll(a, encodeUtf8("x"));
  if (await readText(b, 1) !== "x") return false;
  await writeAll(b, encodeUtf8("y"));
  return await readText(a, 1) === "y";
}
