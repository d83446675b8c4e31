/** Two control planes that know each other's directory: a person of one reaches a device of the other. */

import { closeQuietly, writeAll } from "../../src/base/mod.ts";
import { assertEquals, assertMatch } from "../assert.ts";
import { CLIENT, DEVICE, Plane, RELAY } from "./harness.ts";
import { hashAll, seededHash, startSeededService } from "./seeded_service.ts";

Deno.test("a client and a relay of one control plane reach a device of another", async (t) => {
  await using home = await Plane.start([CLIENT, RELAY]);
  const trust = (plane: Plane) => {
    const port = plane.ports.directory.split(":").at(-1);
    return ["--peer-directory", `localhost:${port}`, "--root-ca", plane.ports.ca];
  };
  await using away = await Plane.start([DEVICE], ...trust(home));
  await home.stopServer();
  await home.startServer(...trust(away));
  await using service = startSeededService();
  await home.relay();
  const daemon = await away.daemon(`localhost:${service.port}`);

  await t.step("a tunnel across both carries its bytes", async () => {
    const { port } = await home.tunnel(service.port);
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await writeAll(conn, new TextEncoder().encode("7 500000\n"));
    await conn.closeWrite();
    assertEquals(await hashAll(conn), { hash: seededHash(7, 500_000), bytes: 500_000 });
    closeQuietly(conn);
    await daemon.line(/session started/, away.signal);
  });

  await t.step("an atSign that neither knows is said at once", async () => {
    const args = home.tunnelArgs(service.port);
    args[args.indexOf(DEVICE)] = "@nobody";
    const result = await home.run(CLIENT, args);
    assertEquals(result.code, 3, result.stderr);
    assertMatch(result.stderr, /Cannot find @nobody/);
  });

  await t.step("a restart of the device's control plane is survived", async () => {
    const upAgain = daemon.lineCount(/monitor started/, 2, away.signal);
    await away.stopServer();
    await away.startServer();
    await upAgain;
    const { port } = await home.tunnel(service.port);
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await writeAll(conn, new TextEncoder().encode("8 1000\n"));
    await conn.closeWrite();
    assertEquals((await hashAll(conn)).bytes, 1000);
    closeQuietly(conn);
  });
});
