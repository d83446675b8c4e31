/** Strangers against every listening port, while a session goes on: cut off at a cap and a deadline, and nobody else notices. */

import { type ByteConn, closeQuietly, writeAll } from "../../src/base/mod.ts";
import { connectTls } from "../../src/atprotocol/client/mod.ts";
import { listeningSockets } from "../../src/demo/mod.ts";
import { assert, assertEquals } from "../assert.ts";
import { Plane } from "./harness.ts";
import { hashAll, seededHash, startSeededService } from "./seeded_service.ts";

/** Longer than every deadline: 10 s for a line or a handshake, 5 s for a relay's auth line, with room for a busy machine. */
const CUT_OFF_WITHIN_MS = 20_000;
const encode = (text: string) => new TextEncoder().encode(text);

/** Runs `attack` and then reads until the other end closes; gives how long that took in all. */
async function timeUntilClosed(
  conn: ByteConn,
  attack: (conn: ByteConn) => Promise<void>,
): Promise<number> {
  const from = performance.now();
  const timer = setTimeout(() => closeQuietly(conn), CUT_OFF_WITHIN_MS);
  const attacking = attack(conn).catch(() => {});
  const buffer = new Uint8Array(65536);
  try {
    while ((await conn.read(buffer)) !== null);
  } catch {
    // a reset is an end too
  }
  const elapsed = performance.now() - from;
  clearTimeout(timer);
  closeQuietly(conn);
  await attacking;
  return elapsed;
}

const ATTACKS: Record<string, (conn: ByteConn) => Promise<void>> = {
  "garbage": async (conn) => {
    const bytes = crypto.getRandomValues(new Uint8Array(4096));
    await writeAll(conn, bytes);
    await writeAll(conn, encode("\n"));
    for (let i = 0; i < 40; i++) await writeAll(conn, encode(`nonsense ${i}\n`));
    await writeAll(conn, new Uint8Array(200_000).fill(0x41));
  },
  "a line without an end": async (conn) => {
    for (let i = 0; i < 64; i++) await writeAll(conn, new Uint8Array(16384).fill(0x61));
  },
  "a byte now and then": async (conn) => {
    for (let i = 0; i < 200; i++) {
      await writeAll(conn, encode("a"));
      // slowness is the attack
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  },
};

Deno.test("strangers on every port are cut off and disturb no session", async (t) => {
  await using plane = await Plane.start();
  await using service = startSeededService();
  const relay = await plane.relay();
  const daemon = await plane.daemon(`localhost:${service.port}`);
  const { tunnel, port } = await plane.tunnel(service.port);
  const caCerts = [await Deno.readTextFile(plane.ports.ca)];
  const portOf = (address: string) => Number(address.split(":").at(-1));
  const relayPorts = (await listeningSockets(relay.pid)).map((socket) => socket.port);
  assert(relayPorts.length >= 2);

  const tcp = (to: number) => Deno.connect({ hostname: "127.0.0.1", port: to });
  const tls = (to: number) =>
    connectTls({
      host: "localhost",
      port: to,
      caCerts,
      what: "port under attack",
      unreachable: "atserver_unreachable",
    });
  const doors: [string, () => Promise<ByteConn>][] = [
    ["atServer", () => tls(portOf(plane.ports.listen))],
    ["atServer, no TLS", () => tcp(portOf(plane.ports.listen))],
    ["atDirectory", () => tls(portOf(plane.ports.directory))],
    ["atDirectory, no TLS", () => tcp(portOf(plane.ports.directory))],
    ["relay, client side", () => tcp(relayPorts[0] ?? 0)],
    ["relay, device side", () => tcp(relayPorts[1] ?? 0)],
  ];
  let attacking = true;
  let transfers = 0;
  const session = (async () => {
    for (let seed = 1; attacking; seed++) {
      const conn = await tcp(port);
      await writeAll(conn, encode(`${seed} 300000\n`));
      await conn.closeWrite();
      assertEquals(await hashAll(conn), { hash: seededHash(seed, 300_000), bytes: 300_000 });
      closeQuietly(conn);
      transfers++;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  session.catch(() => {});
  const attacks = doors.flatMap(([door, open]) =>
    Object.entries(ATTACKS).map(async ([name, attack]) => ({
      name: `${door}: ${name}`,
      ms: await timeUntilClosed(await open(), attack),
    }))
  );
  const results = await Promise.all(attacks);
  attacking = false;
  await session;
  for (const { name, ms } of results) {
    await t.step(`${name} is cut off`, () => {
      assert(ms < CUT_OFF_WITHIN_MS - 100, `after ${Math.round(ms)} ms`);
    });
  }
  await t.step("the session went on meanwhile, and every role lives", async () => {
    assert(transfers > 10, `${transfers} transfers`);
    for (const role of [plane.server, relay, daemon, tunnel]) {
      await Deno.stat(`/proc/${role.pid}`);
    }
  });
});
