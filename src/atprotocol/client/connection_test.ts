import { NoportsError } from "../../base/mod.ts";
import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { memoryConnPair } from "../../../tests/memory_conn.ts";
import { serveScript } from "../../../tests/scripted_at_server.ts";
import { AtConnection, ConnectionLost } from "./connection.ts";

const NOOP = { verb: "noop", durationMs: 0 } as const;
const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("AtConnection answers commands in order, however the replies' prompts are glued", async () => {
  const [ours, theirs] = memoryConnPair();
  const serving = serveScript(theirs, (line) => `data:${line}\n@alice@`);
  {
    using conn = new AtConnection(ours);
    const replies = await Promise.all([
      conn.request(NOOP),
      conn.request({ verb: "info", brief: false }),
      conn.request({ verb: "info", brief: true }),
    ]);
    assertEquals(replies.map((r) => r.kind === "data" && r.value), [
      "noop:0",
      "info",
      "info:brief",
    ]);
  }
  assertEquals(await serving, ["noop:0", "info", "info:brief"]);
});

Deno.test("AtConnection hands notifications over while a command waits", async () => {
  const [ours, theirs] = memoryConnPair();
  const seen: string[] = [];
  const serving = serveScript(theirs, () => 'notification: {"id":"1"}\ndata:ok\n');
  {
    using conn = new AtConnection(ours, (json) => seen.push(json));
    assertEquals(await conn.request(NOOP), { kind: "data", value: "ok" });
  }
  assertEquals(seen, ['{"id":"1"}']);
  await serving;
});

Deno.test("AtConnection fails what waits when the server closes, and whatever comes after", async () => {
  const [ours, theirs] = memoryConnPair();
  using conn = new AtConnection(ours);
  const waiting = conn.request(NOOP);
  await theirs.read(new Uint8Array(100));
  theirs.close();
  await assertRejects(() => waiting, ConnectionLost);
  await assertRejects(() => conn.request(NOOP), ConnectionLost);
  assert(!conn.isOpen);
  await conn.ended;
});

Deno.test("AtConnection closes after a time-out, because a late reply would answer the next command", async () => {
  const [ours, theirs] = memoryConnPair();
  const serving = serveScript(theirs, () => null);
  using conn = new AtConnection(ours);
  await assertRejects(() => conn.request(NOOP, { timeoutMs: 5 }), NoportsError, {
    code: "timeout",
  });
  assert(!conn.isOpen);
  await serving;
});

Deno.test("AtConnection ends an aborted wait with the signal's reason", async () => {
  const [ours, theirs] = memoryConnPair();
  const asked = Promise.withResolvers<void>();
  const serving = serveScript(theirs, () => {
    asked.resolve();
    return null;
  });
  using conn = new AtConnection(ours);
  const stop = new AbortController();
  const waiting = conn.request(NOOP, { signal: stop.signal });
  await asked.promise;
  const reason = new NoportsError("interrupted", "stop");
  stop.abort(reason);
  assert(await assertRejects(() => waiting, NoportsError) === reason);
  assert(!conn.isOpen);
  await serving;
});

Deno.test("AtConnection closes when the server leaves the protocol", async () => {
  for (const bytes of ["HTTP/1.1 400 Bad Request\n", "data:unasked\n", "\xff\xfe\n"]) {
    const [ours, theirs] = memoryConnPair();
    using conn = new AtConnection(ours);
    await theirs.write(encode(bytes));
    await conn.ended;
    assert(!conn.isOpen, bytes);
    theirs.close();
  }
});
