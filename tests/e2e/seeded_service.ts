/**
 * A TCP service whose bytes can be checked at both ends: a client sends a seed and how many bytes to expect each way, the service
 * streams seeded bytes back and hashes what it gets.
 */

import { createHash } from "node:crypto";
import { type ByteConn, closeQuietly, TaskGroup, writeAll } from "../../src/base/mod.ts";

const CHUNK = 64 * 1024;

/** Endless bytes that depend on `seed`, a chunk at a time. */
export function* seededBytes(seed: number, total: number): Generator<Uint8Array<ArrayBuffer>> {
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  for (let left = total; left > 0;) {
    const words = new Uint32Array(CHUNK / 4);
    for (let i = 0; i < words.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[i] = state;
    }
    const n = Math.min(left, CHUNK);
    yield new Uint8Array(words.buffer, 0, n);
    left -= n;
  }
}

export function seededHash(seed: number, total: number): string {
  const hash = createHash("sha256");
  for (const chunk of seededBytes(seed, total)) hash.update(chunk);
  return hash.digest("hex");
}

export async function sendSeeded(conn: ByteConn, seed: number, total: number): Promise<void> {
  for (const chunk of seededBytes(seed, total)) await writeAll(conn, chunk);
}

/** Reads to the end of the stream; gives the hash and the count. `onBytes` may pause the reading. */
export async function hashAll(
  conn: ByteConn,
  onBytes: (total: number) => Promise<void> | void = () => {},
): Promise<{ hash: string; bytes: number }> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(CHUNK);
  let bytes = 0;
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    hash.update(buffer.subarray(0, n));
    bytes += n;
    await onBytes(bytes);
  }
  return { hash: hash.digest("hex"), bytes };
}

export interface SeededService extends AsyncDisposable {
  readonly port: number;
  /** What the service got on each connection that said its seed, by seed. */
  readonly received: Map<number, { hash: string; bytes: number }>;
}

/** First line of a connection: `<seed> <bytes to send back>`; then bytes both ways, each ended by FIN. */
export function startSeededService(): SeededService {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const received = new Map<number, { hash: string; bytes: number }>();
  const open = new Set<Deno.Conn>();
  const tasks = new TaskGroup(() => {});
  const serve = async (conn: Deno.Conn) => {
    open.add(conn);
    try {
      let line = "";
      const one = new Uint8Array(1);
      while (!line.endsWith("\n")) {
        if ((await conn.read(one)) === null) return;
        line += String.fromCharCode(one[0] ?? 0);
      }
      const [seed = 0, bytes = 0] = line.trim().split(" ").map(Number);
      const [got] = await Promise.all([
        hashAll(conn),
        sendSeeded(conn, seed, bytes).then(() => conn.closeWrite()),
      ]);
      received.set(seed, got);
    } finally {
      open.delete(conn);
      closeQuietly(conn);
    }
  };
  tasks.run(async () => {
    for await (const conn of listener) tasks.run(() => serve(conn));
  });
  return {
    port: listener.addr.port,
    received,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      for (const conn of open) closeQuietly(conn);
      await tasks[Symbol.asyncDispose]();
    },
  };
}
