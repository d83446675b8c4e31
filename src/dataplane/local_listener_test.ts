import { assert, assertEquals, assertRejects } from "../../tests/assert.ts";
import { closeQuietly, NoportsError } from "../base/mod.ts";
import { openLocalListener } from "./local_listener.ts";

const ENDLESS = new AbortController().signal;

Deno.test("openLocalListener() binds loopback, with one port number for IPv4 and IPv6", async () => {
  await using local = openLocalListener({ port: 0 });
  assert(local.port > 0);
  assert(local.hosts.every((host) => host === "127.0.0.1" || host === "::1"));
  for (const hostname of local.hosts) {
    const [user, conn] = await Promise.all([
      Deno.connect({ hostname, port: local.port }),
      local.next(ENDLESS),
    ]);
    await user.write(new Uint8Array([7]));
    const buffer = new Uint8Array(1);
    await conn.read(buffer);
    assertEquals(buffer[0], 7);
    closeQuietly(user);
    closeQuietly(conn);
  }
});

Deno.test("openLocalListener() says which port is taken", async () => {
  await using local = openLocalListener({ port: 0 });
  const error = await assertRejects(() => openLocalListener({ port: local.port }), NoportsError, {
    code: "port_in_use",
  });
  assertEquals(error.message, `Cannot listen on 127.0.0.1:${local.port}: in use`);
  await assertRejects(() => openLocalListener({ port: 0, host: "192.0.2.1" }), NoportsError, {
    code: "usage",
  });
});

Deno.test("a local connection waits for whoever asks next, over an aborted ask", async () => {
  await using local = openLocalListener({ port: 0, host: "127.0.0.1" });
  const stop = new AbortController();
  const asked = local.next(stop.signal);
  stop.abort(new Error("session over"));
  await assertRejects(() => asked, Error, { message: "session over" });
  const user = await Deno.connect({ hostname: "127.0.0.1", port: local.port });
  const conn = await local.next(ENDLESS);
  closeQuietly(user);
  assertEquals(await conn.read(new Uint8Array(1)), null);
  closeQuietly(conn);
});

Deno.test("a closed local port ends whoever asks, and connections that nobody took", async () => {
  const local = openLocalListener({ port: 0, host: "127.0.0.1" });
  const asked = local.next(ENDLESS);
  asked.catch(() => {});
  await local[Symbol.asyncDispose]();
  await assertRejects(() => asked, NoportsError, { code: "interrupted" });
  await assertRejects(() => local.next(ENDLESS), NoportsError, { code: "interrupted" });

  const other = openLocalListener({ port: 0, host: "127.0.0.1" });
  const user = await Deno.connect({ hostname: "127.0.0.1", port: other.port });
  await other[Symbol.asyncDispose]();
  const read = await user.read(new Uint8Array(1)).catch(() => null);
  assertEquals(read, null);
  closeQuietly(user);
});
