/** The whole data path on loopback: local sockets, client bridge, a relay session, daemon bridge, a service. */

import { assert, assertEquals, assertRejects } from "../tests/assert.ts";
import {
  closeQuietly,
  type Log,
  NoportsError,
  silentLog,
  systemClock,
  systemEntropy,
  TaskGroup,
  writeAll,
} from "../src/base/mod.ts";
import {
  type ClientBridgeEnd,
  connectClientBridge,
  connectDaemonBridge,
  type DaemonBridgeEnd,
  type LocalListener,
  openLocalListener,
  SETTLE_MS,
} from "../src/dataplane/mod.ts";
import { createAuthLines, createSessionKeys, signWith } from "../src/session/mod.ts";
import { CLIENT_KEYS, DAEMON_KEYS, keyOf } from "./_session_rig.ts";
import { PortAllocator } from "./ports.ts";
import { RelaySession } from "./session.ts";

const CONNECTIONS = 50;
const ABORTED = 10;
const BYTES = 100_000;

/** Bytes that only this connection has: a counter over its number. */
function seeded(id: number, direction: "up" | "down"): Uint8Array {
  const bytes = new Uint8Array(BYTES);
  let x = id * 2 + (direction === "up" ? 1 : 2) + 0x9e3779b9;
  for (let i = 0; i < BYTES; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[i] = x;
  }
  return bytes;
}

async function readExactly(conn: Deno.TcpConn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const n = await conn.read(bytes.subarray(at));
    if (n === null) throw new Error(`ended after ${at} of ${length} bytes`);
    at += n;
  }
  return bytes;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

interface Path extends AsyncDisposable {
  readonly local: LocalListener;
  readonly client: Promise<ClientBridgeEnd>;
  readonly daemon: Promise<DaemonBridgeEnd>;
  /** Stops the relay alone. */
  readonly relayStop: AbortController;
  connect(): Promise<Deno.TcpConn>;
}

interface PathOptions {
  readonly numbered: boolean;
  readonly target: number;
  readonly twin?: boolean;
  readonly timeoutMs?: number;
  readonly log?: Log;
}

async function openPath(options: PathOptions): Promise<Path> {
  const { numbered, target, log = silentLog, timeoutMs = 0 } = options;
  const auth = { sessionId: crypto.randomUUID(), clientNonce: "c", rvdNonce: "r" };
  const stop = new AbortController();
  const relayStop = new AbortController();
  const session = new RelaySession(new PortAllocator("127.0.0.1", null).openPair(), {
    auth,
    keys: { A: keyOf(CLIENT_KEYS), B: keyOf(DAEMON_KEYS) },
    clock: systemClock,
    log,
  });
  const relay = session.run(AbortSignal.any([stop.signal, relayStop.signal]));
  const keys = createSessionKeys(systemEntropy, { twin: options.twin ?? true });
  const common = { keys, numberedPairing: numbered, timeoutMs, clock: systemClock, log };
  const endpoint = (port: number, privateKey: string) => ({
    host: "127.0.0.1",
    port,
    authLines: createAuthLines(auth, signWith(privateKey)),
  });
  const daemonBridge = await connectDaemonBridge({
    ...common,
    relay: endpoint(session.portB, DAEMON_KEYS.privateKey),
    target: { host: "127.0.0.1", port: target },
    authorize: () => true,
  }, stop.signal);
  const daemon = daemonBridge.run(stop.signal);
  const clientBridge = await connectClientBridge({
    ...common,
    relay: endpoint(session.portA, CLIENT_KEYS.privateKey),
    settleMs: SETTLE_MS,
    entropy: systemEntropy,
  }, stop.signal);
  const local = openLocalListener({ port: 0 });
  const client = clientBridge.run(local, stop.signal);
  for (const running of [daemon, client]) running.catch(() => {});
  const users: Deno.TcpConn[] = [];
  return {
    local,
    client,
    daemon,
    relayStop,
    connect: async () => {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port: local.port });
      users.push(conn);
      return conn;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await Promise.allSettled([client, daemon, relay]);
      await local[Symbol.asyncDispose]();
      for (const conn of users) closeQuietly(conn);
    },
  };
}

/** A service on loopback: each connection goes to `serve`, which need not close it. */
function openService(serve: (conn: Deno.TcpConn) => Promise<void>) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const tasks = new TaskGroup(() => {});
  const conns = new Set<Deno.TcpConn>();
  tasks.run(async () => {
    for await (const conn of listener) {
      conns.add(conn);
      tasks.run(async () => {
        try {
          await serve(conn);
        } finally {
          closeQuietly(conn);
        }
      });
    }
  });
  return {
    port: listener.addr.port,
    [Symbol.asyncDispose]: async () => {
      closeQuietly(listener);
      for (const conn of conns) closeQuietly(conn);
      await tasks[Symbol.asyncDispose]();
    },
  };
}

/** Reads a connection's number and its bytes, and answers with the bytes of that number. */
async function serveSeeded(conn: Deno.TcpConn): Promise<void> {
  const header = await readExactly(conn, 4);
  const id = new DataView(header.buffer).getUint32(0);
  const [up] = await Promise.all([
    readExactly(conn, BYTES),
    writeAll(conn, seeded(id, "down")),
  ]);
  if (!equal(up, seeded(id, "up"))) throw new Error(`connection ${id} got another's bytes`);
  await writeAll(conn, new Uint8Array([1]));
  await conn.closeWrite();
  while (await conn.read(header) !== null);
}

/** What a user of the tunnel does: sends its number and bytes, and checks what comes back. */
async function useSeeded(conn: Deno.TcpConn, id: number): Promise<void> {
  const header = new Uint8Array(4);
  new DataView(header.buffer).setUint32(0, id);
  await writeAll(conn, header);
  const [down] = await Promise.all([
    readExactly(conn, BYTES),
    writeAll(conn, seeded(id, "up")),
  ]);
  assert(equal(down, seeded(id, "down")), `connection ${id} got another's bytes`);
  assertEquals([...await readExactly(conn, 1)], [1], "the service got this connection's bytes");
  await conn.closeWrite();
}

for (const numbered of [true, false]) {
  const kind = numbered ? "numbered" : "ordered";
  for (const twin of numbered ? [true] : [true, false]) {
    Deno.test(
      `${CONNECTIONS} connections at once, ${ABORTED} of more aborted before they are paired, all get their own bytes (${kind}, ${
        twin ? "twin keys" : "one key"
      })`,
      async () => {
        await using service = openService(serveSeeded);
        await using path = await openPath({ numbered, twin, target: service.port });
        const users = Array.from({ length: CONNECTIONS + ABORTED }, async (_, i) => {
          const conn = await path.connect();
          if (i % 6 === 5) return closeQuietly(conn);
          await useSeeded(conn, i);
        });
        await Promise.all(users);
      },
    );
  }

  Deno.test(`an answer that follows the end of stream comes through (${kind})`, async () => {
    await using service = openService(async (conn) => {
      const buffer = new Uint8Array(1000);
      let total = 0;
      for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) total += n;
      await writeAll(conn, new TextEncoder().encode(`${total} bytes`));
      await conn.closeWrite();
    });
    await using path = await openPath({ numbered, target: service.port });
    const conn = await path.connect();
    await writeAll(conn, new Uint8Array(123_456));
    await conn.closeWrite();
    const answer = await readExactly(conn, "123456 bytes".length);
    assertEquals(new TextDecoder().decode(answer), "123456 bytes");
    assertEquals(await conn.read(new Uint8Array(1)), null);
  });

  Deno.test(`a service that refuses one connection costs that one only (${kind})`, async () => {
    const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = closed.addr;
    closed.close();
    await using path = await openPath({ numbered, target: port });
    const refused = await path.connect();
    assertEquals(await refused.read(new Uint8Array(1)), null);
    const listener = Deno.listen({ hostname: "127.0.0.1", port });
    const user = await path.connect();
    const served = await listener.accept();
    await writeAll(served, new Uint8Array([42]));
    assertEquals([...await readExactly(user, 1)], [42]);
    closeQuietly(served);
    closeQuietly(listener);
  });

  Deno.test(`a relay that goes away ends the client within a second (${kind})`, async () => {
    await using service = openService(async (conn) => {
      const chunk = new Uint8Array(64 * 1024);
      for (;;) await writeAll(conn, chunk);
    });
    await using path = await openPath({ numbered, target: service.port });
    const user = await path.connect();
    await readExactly(user, 1_000_000);
    const start = performance.now();
    path.relayStop.abort();
    await assertRejects(() => path.client, NoportsError, { code: "session_lost" });
    assert(performance.now() - start < 1000);
    assertEquals((await path.daemon).kind, "control_closed");
  });
}
