import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { type ByteConn, NoportsError, silentLog, writeAll } from "../../base/mod.ts";
import { connectTestTls, makeTestCertificates, RecordProxy } from "../../../tests/tls_client.ts";
import {
  type AcceptedPeer,
  openTlsListener,
  type TlsListener,
  type TlsListenerOptions,
} from "./tls_listener.ts";
import type { TlsConn } from "./tls_conn.ts";

const certificates = await makeTestCertificates();
const encode = (text: string) => new TextEncoder().encode(text);

async function listen(
  serve: (conn: TlsConn, peer: AcceptedPeer) => Promise<void>,
  options: Partial<TlsListenerOptions> = {},
): Promise<{ listener: TlsListener; caPem: string; port: number }> {
  const { ca, leaf } = certificates;
  const listener = await openTlsListener({
    listen: { hostname: "127.0.0.1", port: 0 },
    purpose: "test",
    credentials: leaf,
    log: silentLog,
    serve,
    ...options,
  });
  return { listener, caPem: ca.certPem, port: listener.address.port };
}

async function echo(conn: ByteConn): Promise<void> {
  const buffer = new Uint8Array(1000);
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    await writeAll(conn, buffer.subarray(0, n));
  }
  await conn.closeWrite();
}

/** Connects without TLS; the caller closes. */
async function connectPlain(port: number): Promise<Deno.TcpConn> {
  return await Deno.connect({ hostname: "127.0.0.1", port });
}

Deno.test("TlsConn carries bytes both ways and passes the end of the stream on", async () => {
  const { listener, caPem, port } = await listen(echo);
  await using _listener = listener;
  using client = await connectTestTls(port, caPem);
  await client.send("hello");
  assertEquals(await client.until("hello"), "hello");
  await client.conn.closeWrite();
  assertEquals(await client.rest(), "");
});

Deno.test("TlsConn loses nothing of a large transfer read in small steps", async () => {
  const { listener, caPem, port } = await listen(echo);
  await using _listener = listener;
  using client = await connectTestTls(port, caPem);
  const text = Array.from({ length: 40_000 }, (_, i) => `line ${i}`).join("\n");
  const [, back] = await Promise.all([
    client.send(text).then(() => client.conn.closeWrite()),
    client.rest(),
  ]);
  assertEquals(back, text);
});

Deno.test("each write is one TLS record, with its prompt, and two replies are two", async () => {
  const replies = ["data:ok\n@alice@", "data:null\n@alice@", `data:${"x".repeat(9_000)}\n@`];
  const { listener, caPem, port } = await listen(async (conn) => {
    await conn.read(new Uint8Array(10));
    for (const reply of replies) await conn.write(encode(reply));
  });
  await using _listener = listener;
  await using proxy = new RecordProxy(port);
  using client = await connectTestTls(proxy.port, caPem);
  assertEquals(client.conn.constructor.name, "TlsConn");
  await client.send("go");
  assertEquals(await client.rest(), replies.join(""));
  // TLS 1.3 adds a type byte and a 16-byte tag to each record; the last one is the closing alert
  const sizes = replies.map((reply) => reply.length + 17);
  assertEquals(proxy.records.slice(-4, -1), sizes);
});

Deno.test("input that is not read stops the sender, and all of it comes when it is read", async () => {
  const start = Promise.withResolvers<void>();
  const total = 40 * 1024 * 1024;
  const received = Promise.withResolvers<number>();
  const { listener, caPem, port } = await listen(async (conn) => {
    await start.promise;
    const buffer = new Uint8Array(64 * 1024);
    let sum = 0;
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) sum += n;
    received.resolve(sum);
  });
  await using _listener = listener;
  using client = await connectTestTls(port, caPem);
  const block = new Uint8Array(256 * 1024);
  const blocked = Promise.withResolvers<void>();
  let sent = 0;
  const sending = (async () => {
    while (sent < total) {
      const waiting = setTimeout(() => blocked.resolve(), 200);
      sent += await client.conn.write(block.subarray(0, total - sent));
      clearTimeout(waiting);
    }
    await client.conn.closeWrite();
  })();
  await blocked.promise;
  assert(sent < total / 2, `${sent} bytes taken without a reader`);
  start.resolve();
  await sending;
  assertEquals(await received.promise, total);
});

Deno.test("TlsConn.write() waits for a peer that does not read", async () => {
  let written = 0;
  const blocked = Promise.withResolvers<void>();
  const { listener, caPem, port } = await listen(async (conn) => {
    const block = new Uint8Array(256 * 1024);
    for (let i = 0; i < 200; i++) {
      const waiting = setTimeout(() => blocked.resolve(), 200);
      await conn.write(block).finally(() => clearTimeout(waiting));
      written += block.length;
    }
  });
  await using _listener = listener;
  using client = await connectTestTls(port, caPem);
  await blocked.promise;
  assert(written < 20_000_000, `${written} bytes taken without a reader`);
  assertEquals((await client.rest()).length, 200 * 256 * 1024);
});

Deno.test("a write to a peer that has gone fails, and serving ends", async () => {
  const ended = Promise.withResolvers<unknown>();
  const { listener, caPem, port } = await listen(async (conn) => {
    try {
      while (true) await conn.write(new Uint8Array(100_000));
    } catch (error) {
      ended.resolve(error);
    }
  });
  await using _listener = listener;
  const client = await connectTestTls(port, caPem);
  await client.chunk();
  client.conn.close();
  assert(await ended.promise instanceof Error);
});

Deno.test("a closed connection still delivers its last line to a peer that keeps sending", async () => {
  const { listener, caPem, port } = await listen(async (conn) => {
    await conn.read(new Uint8Array(10));
    await conn.write(encode("error:AT0005-too much\n"));
  });
  await using _listener = listener;
  using client = await connectTestTls(port, caPem);
  await client.send("x".repeat(100_000));
  assertEquals(await client.rest(), "error:AT0005-too much\n");
});

Deno.test("a connection whose client ended first is closed in order, not cut", async () => {
  const { listener, caPem, port } = await listen(async (conn) => {
    while (await conn.read(new Uint8Array(10)) !== null);
  });
  await using _listener = listener;
  using client = await connectTestTls(port, caPem);
  await client.send("bye");
  await client.conn.closeWrite();
  assertEquals(await client.chunk(), null); // a cut would be an error
});

Deno.test("the listener tells the address and the host name that the client asked for", async () => {
  const seen: AcceptedPeer[] = [];
  const { listener, caPem, port } = await listen((conn, peer) => {
    seen.push(peer);
    return echo(conn);
  }, { listen: { hostname: "::", port: 0 } });
  await using _listener = listener;
  for (const hostname of ["localhost", "127.0.0.1"]) {
    using client = await connectTestTls(port, caPem, { hostname });
    await client.send("x");
    await client.until("x");
  }
  assertEquals(seen, [
    { remoteAddress: "127.0.0.1", serverName: "localhost", certificateNames: null },
    { remoteAddress: "127.0.0.1", serverName: null, certificateNames: null },
  ]);
});

Deno.test("client certificates are optional; names count only when a known authority signed", async () => {
  const known = certificates;
  const stranger = await makeTestCertificates();
  const seen: (readonly string[] | null)[] = [];
  const { listener, caPem, port } = await listen(async (conn, peer) => {
    seen.push(peer.certificateNames);
    await echo(conn);
  }, { clientCas: [known.ca.certPem] });
  await using _listener = listener;
  for (const pair of [undefined, known.leaf, stranger.leaf]) {
    const conn = await Deno.connectTls({
      hostname: "localhost",
      port,
      caCerts: [caPem],
      ...(pair === undefined ? {} : { cert: pair.certPem, key: pair.keyPem }),
    });
    await conn.write(encode("x"));
    await conn.read(new Uint8Array(1));
    conn.close();
  }
  assertEquals(seen, [null, ["localhost", "localhost", "127.0.0.1", "::1"], null]);
});

Deno.test("a handshake that does not come is cut off at its deadline", async () => {
  const { listener, port } = await listen(echo, { handshakeTimeoutMs: 50 });
  await using _listener = listener;
  const silent = await connectPlain(port);
  assertEquals(await silent.read(new Uint8Array(1)), null);
  silent.close();
  assertEquals(listener.open.handshakes, 0);
});

Deno.test("garbage, hang-ups and silent peers do not disturb others", async () => {
  const { listener, caPem, port } = await listen(echo);
  await using _listener = listener;
  const strangers: Deno.TcpConn[] = [];
  for (let i = 0; i < 20; i++) {
    const stranger = await connectPlain(port);
    if (i % 3 === 0) await stranger.write(encode("GET / HTTP/1.1\r\n\r\n"));
    if (i % 3 === 1) await stranger.write(new Uint8Array([22, 3, 1, 2])); // a hello cut off
    strangers.push(stranger);
    if (i % 4 === 0) stranger.close();
  }
  using client = await connectTestTls(port, caPem);
  await client.send("still here");
  assertEquals(await client.until("here"), "still here");
  for (const [i, stranger] of strangers.entries()) if (i % 4 !== 0) stranger.close();
});

Deno.test("too many handshakes from one address cost the oldest of them", async () => {
  const { listener, caPem, port } = await listen(echo, { maxHandshakesPerAddress: 3 });
  await using _listener = listener;
  const silent: Deno.TcpConn[] = [];
  for (let i = 0; i < 5; i++) silent.push(await connectPlain(port));
  using client = await connectTestTls(port, caPem); // the sixth is served
  await client.send("x");
  assertEquals(await client.until("x"), "x");
  for (const conn of silent.slice(0, 3)) {
    assertEquals(await conn.read(new Uint8Array(1)).catch(() => null), null);
  }
  assertEquals(listener.open, { connections: 1, handshakes: 2 });
  for (const conn of silent) conn.close();
});

Deno.test("too many connections are refused, those that are open go on", async () => {
  const { listener, caPem, port } = await listen(echo, { maxConnections: 1 });
  await using _listener = listener;
  using first = await connectTestTls(port, caPem);
  await first.send("x");
  await first.until("x");
  await assertRejects(() => connectTestTls(port, caPem), Error);
  await first.send("y");
  assertEquals(await first.until("y"), "y");
});

Deno.test("new connections get new credentials", async () => {
  const { listener, caPem, port } = await listen(echo);
  await using _listener = listener;
  const next = await makeTestCertificates();
  using old = await connectTestTls(port, caPem);
  listener.setCredentials(next.leaf);
  await assertRejects(() => connectTestTls(port, caPem), Deno.errors.InvalidData);
  using client = await connectTestTls(port, next.ca.certPem);
  for (const open of [client, old]) {
    await open.send("x");
    assertEquals(await open.until("x"), "x");
  }
});

Deno.test("stopAccepting() keeps what is open, disposing ends it", async () => {
  const { listener, caPem, port } = await listen(echo);
  using client = await connectTestTls(port, caPem);
  await client.send("x");
  await client.until("x");
  listener.stopAccepting();
  await assertRejects(() => connectPlain(port), Deno.errors.ConnectionRefused);
  await client.send("y");
  assertEquals(await client.until("y"), "y");
  await listener[Symbol.asyncDispose]();
  assertEquals(await client.rest(), "");
});

Deno.test("a port in use is named in the error", async () => {
  const { listener, port } = await listen(echo);
  await using _listener = listener;
  const error = await assertRejects(
    () => listen(echo, { listen: { hostname: "127.0.0.1", port } }),
    NoportsError,
    { code: "port_in_use" },
  );
  assert(error.message.includes(String(port)));
  await assertRejects(
    () => listen(echo, { listen: { hostname: "192.0.2.1", port: 0 } }),
    NoportsError,
    { code: "config_invalid" },
  );
});
