import { assert, assertEquals } from "../../../tests/assert.ts";
import { ManualClock, silentLog, systemClock } from "../../base/mod.ts";
import { type MemoryConn, memoryConnPair } from "../../../tests/memory_conn.ts";
import { parseAtSign } from "../../atprotocol/wire/mod.ts";
import { connectTestTls, makeTestCertificates } from "../../../tests/tls_client.ts";
import { DirectoryServer } from "./directory_server.ts";
import { openTlsListener } from "./tls_listener.ts";

const ALICE = parseAtSign("@alice");
const HIT = "at.example.org:6464\r\n@";
const MISS = "null\r\n@";
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

interface Setup {
  readonly directory: DirectoryServer;
  readonly clock: ManualClock;
  /** A new connection after its greeting. */
  readonly connect: (remoteAddress?: string) => Promise<Talk>;
}

async function withDirectory(
  test: (setup: Setup) => Promise<void>,
  limits: { maxConnections?: number; maxConnectionsPerAddress?: number } = {},
): Promise<void> {
  const clock = new ManualClock();
  const directory = new DirectoryServer({
    resolve: (atSign) => atSign === ALICE ? { host: "at.example.org", port: 6464 } : null,
    clock,
    log: silentLog,
    ...limits,
  });
  const talks: Talk[] = [];
  const connect = async (remoteAddress = "192.0.2.1") => {
    const [client, server] = memoryConnPair();
    const talk = new Talk(client, server, directory.serve(server, remoteAddress));
    talks.push(talk);
    assertEquals(await talk.reply(), "@");
    return talk;
  };
  await test({ directory, clock, connect });
  for (const talk of talks) await talk.end();
  assertEquals(directory.connections, 0);
}

/** The client's end of a connection. */
class Talk {
  constructor(
    readonly client: MemoryConn,
    readonly server: MemoryConn,
    readonly served: Promise<void>,
  ) {}

  async send(bytes: string | Uint8Array): Promise<void> {
    await this.client.write(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
  }

  /** One chunk, null at the end. */
  async reply(): Promise<string | null> {
    const buffer = new Uint8Array(1000);
    const n = await this.client.read(buffer);
    return n === null ? null : decode(buffer.subarray(0, n));
  }

  async ask(line: string): Promise<string | null> {
    await this.send(line);
    return await this.reply();
  }

  async end(): Promise<void> {
    if (!this.client.closed) this.client.close();
    await this.served;
  }
}

Deno.test("the directory answers byte for byte", () =>
  withDirectory(async ({ connect }) => {
    const rows = [
      ["alice\n", HIT],
      ["nobody\n", MISS],
      ["\n", MISS],
      ["\r\n", MISS],
      ["ALICE\r\n", HIT],
      ["@alice\n", HIT],
      ["  alice \n", HIT],
      ["@@alice\n", MISS],
      ["al!ce\n", MISS],
      ["🐈\n", MISS],
    ] as const;
    const talk = await connect();
    for (const [asked, answer] of rows) assertEquals(await talk.ask(asked), answer);
    const greetingAndReplies = talk.server.writes.map(decode);
    assertEquals(greetingAndReplies, ["@", ...rows.map(([, answer]) => answer)]);
  }));

Deno.test("the directory answers a request in pieces, and two in one piece in order", () =>
  withDirectory(async ({ connect }) => {
    const talk = await connect();
    for (const piece of ["a", "li", "ce"]) await talk.send(piece);
    assertEquals(await talk.ask("\n"), HIT);
    await talk.send("nobody\nalice\n");
    assertEquals([await talk.reply(), await talk.reply()], [MISS, HIT]);
    assertEquals(talk.server.writes.length, 4);
  }));

Deno.test("the directory closes on @exit with and without a line end", () =>
  withDirectory(async ({ connect }) => {
    for (const exit of ["@exit", "@exit\n", "@EXIT\r\n"]) {
      const talk = await connect();
      assertEquals(await talk.ask("alice\n"), HIT);
      assertEquals(await talk.ask(exit), null);
    }
  }));

Deno.test("the directory closes on over-long requests and on bytes that are not UTF-8", () =>
  withDirectory(async ({ connect }) => {
    for (
      const bytes of [
        new Uint8Array(300).fill(0x61),
        new TextEncoder().encode("a".repeat(256) + "\n"),
        new Uint8Array([0xff, 0xfe, 0x0a]),
        new Uint8Array([0x16, 0x03, 0x01]).fill(0xc0, 1),
      ]
    ) {
      const talk = await connect();
      await talk.send(bytes);
      assertEquals(await talk.reply(), null);
    }
    const talk = await connect();
    assertEquals(await talk.ask("a".repeat(255) + "\n"), MISS);
  }));

Deno.test("the directory allows so many misses, and does not count blank lines and hits", () =>
  withDirectory(async ({ connect }) => {
    const talk = await connect();
    for (let i = 0; i < 19; i++) {
      assertEquals(await talk.ask(`nobody${i}\n`), MISS);
      assertEquals(await talk.ask("\r\n"), MISS);
      assertEquals(await talk.ask("alice\n"), HIT);
    }
    assertEquals(await talk.ask("the last miss\n"), MISS);
    assertEquals(await talk.reply(), null);
  }));

Deno.test("the directory ends a connection that is idle for ten minutes, not before", () =>
  withDirectory(async ({ connect, clock }) => {
    const talk = await connect();
    clock.advance(9 * 60_000);
    assertEquals(await talk.ask("alice\n"), HIT);
    clock.advance(9 * 60_000);
    assertEquals(await talk.ask("alice\n"), HIT);
    await settled();
    clock.advance(10 * 60_000);
    assertEquals(await talk.reply(), null);
  }));

Deno.test("the directory ends a request that drips for more than ten seconds", () =>
  withDirectory(async ({ connect, clock }) => {
    const talk = await connect();
    for (const drop of ["a", "l", "i"]) {
      await talk.send(drop);
      await settled();
      clock.advance(3_000);
    }
    await talk.send("c");
    await settled();
    clock.advance(1_000);
    assertEquals(await talk.reply(), null);
  }));

Deno.test("the directory ends a connection whose client does not read", async () => {
  const clock = new ManualClock();
  const directory = new DirectoryServer({ resolve: () => null, clock, log: silentLog });
  const stuck = Promise.withResolvers<never>();
  const conn = {
    read: () => Promise.resolve(null),
    write: () => stuck.promise,
    closeWrite: () => Promise.resolve(),
    close: () => stuck.reject(new Deno.errors.BadResource("closed")),
  };
  const served = directory.serve(conn, "192.0.2.1");
  await settled();
  clock.advance(10_000);
  await served;
});

Deno.test("one connection too many costs the longest idle one, of the same address first", () =>
  withDirectory(async ({ connect, clock, directory }) => {
    const a = await connect("192.0.2.1");
    clock.advance(1);
    const b = await connect("192.0.2.2");
    clock.advance(1);
    const c = await connect("192.0.2.2");
    clock.advance(1);
    const d = await connect("192.0.2.2"); // the third of that address: b goes
    assertEquals(await b.reply(), null);
    clock.advance(1);
    assertEquals(await a.ask("alice\n"), HIT); // now c is the longest idle one
    clock.advance(1);
    const e = await connect("192.0.2.3");
    assertEquals(await c.reply(), null);
    for (const talk of [a, d, e]) assertEquals(await talk.ask("alice\n"), HIT);
    assertEquals(directory.connections, 3);
  }, { maxConnections: 3, maxConnectionsPerAddress: 2 }));

Deno.test("the directory is served over TLS while strangers hold connections", async () => {
  const { ca, leaf } = await makeTestCertificates();
  const directory = new DirectoryServer({
    resolve: (atSign) => atSign === ALICE ? { host: "localhost", port: 1 } : null,
    clock: systemClock,
    log: silentLog,
  });
  await using listener = await openTlsListener({
    listen: { hostname: "127.0.0.1", port: 0 },
    purpose: "atDirectory",
    credentials: leaf,
    log: silentLog,
    serve: (conn, peer) => directory.serve(conn, peer.remoteAddress),
  });
  const { port } = listener.address;
  using dripping = await connectTestTls(port, ca.certPem);
  await dripping.send("al");
  const plain = await Deno.connect({ hostname: "127.0.0.1", port });
  await plain.write(new TextEncoder().encode("alice\n"));
  using client = await connectTestTls(port, ca.certPem);
  assertEquals(await client.chunk(), "@");
  await client.send("\r\n");
  assertEquals(await client.chunk(), MISS);
  await client.send("alice\n");
  assertEquals(await client.chunk(), "localhost:1\r\n@");
  await client.send("@exit");
  assertEquals(await client.chunk(), null);
  assert(directory.connections >= 1);
  plain.close();
});

/** Lets everything that can go on without time passing go on. */
async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}
