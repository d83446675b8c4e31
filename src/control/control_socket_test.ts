import { assert, assertEquals, assertRejects } from "../../tests/assert.ts";
import { NoportsError, silentLog } from "../base/mod.ts";
import { callControl, type ControlHandler, openControlSocket } from "./control_socket.ts";

async function withSocket(
  handlers: Record<string, ControlHandler>,
  test: (path: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/control.sock`;
    await using _socket = await openControlSocket({ path, handlers, log: silentLog });
    await test(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const timeoutMs = 5_000;

Deno.test("a control call gets the handler's result", () =>
  withSocket({ add: (params) => ({ got: params }) }, async (path) => {
    assertEquals(await callControl(path, "add", { params: { atSign: "@a" }, timeoutMs }), {
      got: { atSign: "@a" },
    });
  }));

Deno.test("a control call throws what the handler threw, code and hint included", () =>
  withSocket({
    add: () => {
      throw new NoportsError("conflict", "Cannot add @a: it is here", { hint: "list them" });
    },
    burst: () => {
      throw new TypeError("a bug");
    },
  }, async (path) => {
    await assertRejects(() => callControl(path, "add", { timeoutMs }), NoportsError, {
      code: "conflict",
      message: "Cannot add @a: it is here",
      hint: "list them",
    });
    await assertRejects(() => callControl(path, "burst", { timeoutMs }), NoportsError, {
      code: "internal",
    });
  }));

Deno.test("a control call of an unknown method is refused, names of Object's own included", () =>
  withSocket({}, async (path) => {
    for (const method of ["nothing", "toString", "__proto__"]) {
      await assertRejects(() => callControl(path, method, { timeoutMs }), NoportsError, {
        code: "usage",
      });
    }
  }));

Deno.test("the control socket is for its owner only", () =>
  withSocket({}, async (path) => {
    assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  }));

Deno.test("the control socket survives garbage, over-long lines and callers that hang up", () =>
  withSocket({ ping: () => "pong" }, async (path) => {
    for (const bytes of [[0xff, 0xfe, 10], [0x7b, 10], new Array(100_000).fill(0x61), []]) {
      const conn = await Deno.connect({ transport: "unix", path });
      await conn.write(new Uint8Array(bytes));
      conn.close();
    }
    assertEquals(await callControl(path, "ping", { timeoutMs }), "pong");
  }));

Deno.test("a long answer arrives whole", () =>
  withSocket({ list: () => "x".repeat(300_000) }, async (path) => {
    assertEquals(await callControl(path, "list", { timeoutMs }), "x".repeat(300_000));
  }));

Deno.test("a control call gives up when the answer does not come", async () => {
  const answer = Promise.withResolvers<string>();
  await withSocket({ stuck: () => answer.promise }, async (path) => {
    await assertRejects(() => callControl(path, "stuck", { timeoutMs: 20 }), NoportsError, {
      code: "timeout",
    });
    answer.resolve("too late");
  });
});

Deno.test("nobody listening is `not_found`, and a stale socket file is replaced", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/control.sock`;
  try {
    await assertRejects(() => callControl(path, "ping", { timeoutMs }), NoportsError, {
      code: "not_found",
    });
    await Deno.writeTextFile(path, "left over");
    await assertRejects(() => callControl(path, "ping", { timeoutMs }), NoportsError, {
      code: "not_found",
    });
    {
      await using _socket = await openControlSocket({
        path,
        handlers: { ping: () => "pong" },
        log: silentLog,
      });
      assertEquals(await callControl(path, "ping", { timeoutMs }), "pong");
    }
    assert(!(await Deno.readDir(folder)[Symbol.asyncIterator]().next()).value, "file removed");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
