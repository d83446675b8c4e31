/** What a tunnel must survive: many connections, a stalled reader, half-close, a dying relay, a restarted control plane. */

import { closeQuietly, writeAll } from "../../src/base/mod.ts";
import { listeningSockets } from "../../src/demo/mod.ts";
import { assert, assertEquals, assertMatch } from "../assert.ts";
import { CLIENT, Plane } from "./harness.ts";
import { hashAll, seededHash, sendSeeded, startSeededService } from "./seeded_service.ts";

const MB = 1024 * 1024;
const encode = (text: string) => new TextEncoder().encode(text);

async function connect(port: number, greeting: string): Promise<Deno.TcpConn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await writeAll(conn, encode(greeting));
  return conn;
}

/** The largest resident size that a process ever had, in MB. */
async function peakMemoryMb(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

Deno.test("a tunnel carries what it is given, whole and unmixed", async (t) => {
  await using plane = await Plane.start();
  await using service = startSeededService();
  const relay = await plane.relay();
  const daemon = await plane.daemon(`localhost:${service.port}`);
  const { tunnel, port } = await plane.tunnel(service.port);

  await t.step(
    "the tunnel prints its port alone on stdout and listens on loopback only",
    async () => {
      assertEquals(tunnel.stdout, [String(port)]);
      const sockets = await listeningSockets(tunnel.pid);
      assertEquals([...new Set(sockets.map((s) => s.port))], [port]);
    },
  );

  await t.step(
    "the daemon has no TCP or UDP listener; the same check finds the relay's ports",
    async () => {
      assertEquals(await listeningSockets(daemon.pid), []);
      assertEquals((await listeningSockets(relay.pid)).length >= 2, true);
    },
  );

  await t.step(
    "50 connections at once keep their bytes apart, also with ten aborted before they are paired",
    async () => {
      const aborted = Array.from({ length: 10 }, async () => {
        const conn = await Deno.connect({ hostname: "127.0.0.1", port });
        conn.close();
      });
      const sound = Array.from({ length: 50 }, async (_, i) => {
        const seed = i + 1;
        const size = 100_000 + i * 7919;
        const conn = await connect(port, `${seed} ${size}\n`);
        try {
          const [got] = await Promise.all([
            hashAll(conn),
            sendSeeded(conn, seed + 1000, size).then(() => conn.closeWrite()),
          ]);
          assertEquals(got, { hash: seededHash(seed, size), bytes: size }, `connection ${seed}`);
        } finally {
          closeQuietly(conn);
        }
        return { seed, size };
      });
      await Promise.all(aborted);
      for (const { seed, size } of await Promise.all(sound)) {
        const expected = { hash: seededHash(seed + 1000, size), bytes: size };
        assertEquals(service.received.get(seed), expected, `at the service, connection ${seed}`);
      }
    },
  );

  await t.step("half-close is carried: the answer after our FIN arrives whole", async () => {
    const conn = await connect(port, `77 ${3 * MB}\n`);
    await conn.closeWrite();
    assertEquals(await hashAll(conn), { hash: seededHash(77, 3 * MB), bytes: 3 * MB });
    closeQuietly(conn);
  });

  await t.step(
    "1 GB whose reader stops for 30 s after 50 MB costs bounded memory and arrives whole",
    async () => {
      const total = 1024 * MB;
      const conn = await connect(port, `4242 ${total}\n`);
      await conn.closeWrite();
      let stalled = false;
      const got = await hashAll(conn, async (bytes) => {
        if (stalled || bytes < 50 * MB) return;
        stalled = true;
        // the stall itself is what is tested: there is no event to wait for
        await new Promise((resolve) => setTimeout(resolve, 30_000));
      });
      closeQuietly(conn);
      assertEquals(got, { hash: seededHash(4242, total), bytes: total });
      const roles = { server: plane.server, relay, daemon, tunnel };
      for (const [name, role] of Object.entries(roles)) {
        const peak = await peakMemoryMb(role.pid);
        assert(peak < 150, `${name} used ${Math.round(peak)} MB`);
      }
    },
  );

  await t.step("a target that refuses closes that connection; the next one works", async () => {
    const { tunnel: other, port: refused } = await plane.tunnel(service.port, "-h", "localhost");
    const conn = await connect(refused, `5 1000\n`);
    await conn.closeWrite();
    assertEquals((await hashAll(conn)).bytes, 1000);
    closeQuietly(conn);
    other.kill("SIGTERM");
    assertEquals(await other.ended(), 130);
  });
});

for (const dying of ["relay", "daemon"] as const) {
  Deno.test(`a ${dying} that dies in mid-transfer ends the tunnel with status 6 and one line`, async () => {
    await using plane = await Plane.start();
    await using service = startSeededService();
    const roles = {
      relay: await plane.relay(),
      daemon: await plane.daemon(`localhost:${service.port}`),
    };
    const { tunnel, port } = await plane.tunnel(service.port, "-q");
    const conn = await connect(port, `1 ${1000 * MB}\n`);
    await conn.read(new Uint8Array(65536));
    const before = performance.now();
    roles[dying].kill("SIGKILL");
    assertEquals(await tunnel.ended(), 6);
    assert(performance.now() - before < 10_000);
    closeQuietly(conn);
    const [line, hint, ...more] = tunnel.stderr;
    assertMatch(line ?? "", /^noports: Cannot /);
    assertMatch(hint ?? "  hint: ", /^ {2}hint: /);
    assertEquals(more, []);
  });
}

Deno.test("a daemon that waits survives a restart of the control plane and serves the next session", async () => {
  await using plane = await Plane.start();
  await using service = startSeededService();
  const relay = await plane.relay();
  const daemon = await plane.daemon(`localhost:${service.port}`);
  const pid = daemon.pid;
  const upAgain = [daemon, relay].map((role) => {
    const seen = role.stderr.filter((line) => /monitor started/.test(line)).length;
    return role.lineCount(/monitor started/, seen + 1, plane.signal);
  });
  await plane.stopServer();
  await plane.startServer();
  await Promise.all(upAgain);
  const { port } = await plane.tunnel(service.port);
  const conn = await connect(port, "9 5000\n");
  await conn.closeWrite();
  assertEquals(await hashAll(conn), { hash: seededHash(9, 5000), bytes: 5000 });
  closeQuietly(conn);
  assertEquals(daemon.pid, pid);
});

Deno.test("a tunnel with -T ends by itself, with status 0, once it is idle; an interrupted one ends with 130", async () => {
  await using plane = await Plane.start();
  await using service = startSeededService();
  await plane.relay();
  const daemon = await plane.daemon(`localhost:${service.port}`);
  const { tunnel, port } = await plane.tunnel(service.port, "-T", "2s");
  const conn = await connect(port, "3 1000\n");
  await conn.closeWrite();
  assertEquals((await hashAll(conn)).bytes, 1000);
  closeQuietly(conn);
  assertEquals(await tunnel.ended(), 0, tunnel.stderr.join("\n"));
  await daemon.line(/session ended/, plane.signal);
  const { tunnel: other } = await plane.tunnel(service.port);
  other.kill("SIGINT");
  assertEquals(await other.ended(), 130);
});

Deno.test("the tunnel listens where it is told, and a port that is taken is said at once", async () => {
  await using plane = await Plane.start();
  await using service = startSeededService();
  await plane.relay();
  await plane.daemon(`localhost:${service.port}`);
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const result = await plane.run(
    CLIENT,
    plane.tunnelArgs(service.port, "-l", `${taken.addr.port}`),
  );
  taken.close();
  assertEquals(result.code, 8);
  assertMatch(result.stderr, new RegExp(`Cannot listen on .*${taken.addr.port}`));
});
