import { ManualClock, NoportsError, silentLog } from "../../base/mod.ts";
import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { type MemoryConn, memoryConnPair } from "../../../tests/memory_conn.ts";
import { serveScript } from "../../../tests/scripted_at_server.ts";
import { type Notification, parseAtSign } from "../wire/mod.ts";
import { AtConnection } from "./connection.ts";
import { requirePkamSuccess } from "./login.ts";
import { Monitor } from "./monitor.ts";

/** A monitor against scripted servers: each connection attempt is an event that the test waits for. */
function setUp(answer: (line: string) => string | null = () => "data:ok\n") {
  const clock = new ManualClock();
  const delivered: Notification[] = [];
  const servers: { conn: MemoryConn; lines: Promise<string[]> }[] = [];
  let connected = Promise.withResolvers<void>();
  const state = { refuse: null as Error | null };
  const monitor = new Monitor({
    connect: (_signal, onNotification) => {
      if (state.refuse !== null) return Promise.reject(state.refuse);
      const [ours, theirs] = memoryConnPair();
      servers.push({
        conn: theirs,
        lines: serveScript(theirs, (line) => line.startsWith("monitor") ? null : answer(line)),
      });
      connected.resolve();
      connected = Promise.withResolvers();
      return Promise.resolve(new AtConnection(ours, onNotification));
    },
    deliver: (n) => delivered.push(n),
    clock,
    log: silentLog,
    random: () => 0.5,
  });
  return { clock, monitor, delivered, servers, state, nextConnection: () => connected.promise };
}

/** Lets every promise that can run do so. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

/** Advances the manual clock in steps until `done` settles. */
async function advanceUntil<T>(clock: ManualClock, stepMs: number, done: Promise<T>): Promise<T> {
  let finished = false;
  const watched = done.finally(() => finished = true);
  watched.catch(() => {});
  for (let i = 0; i < 200 && !finished; i++) {
    await settle();
    if (!finished) clock.advance(stepMs);
  }
  return await watched;
}

function line(id: string, epochMillis: number): string {
  return `notification: ${
    JSON.stringify({
      id,
      from: "@bob",
      to: "@alice",
      key: "@alice:x.y@bob",
      value: null,
      operation: "update",
      epochMillis,
      messageType: "MessageType.key",
      isEncrypted: false,
      metadata: null,
    })
  }\n`;
}

Deno.test("Monitor is ready only once the heartbeat after `monitor` was acknowledged", async () => {
  const { clock, monitor, servers } = setUp();
  const stop = new AbortController();
  const running = monitor.run(stop.signal);
  await advanceUntil(clock, 10, monitor.ready());
  assert(monitor.isUp);
  stop.abort(new Error("done"));
  await running;
  assertEquals(await servers[0]?.lines, ["monitor:selfNotifications", "noop:0"]);
  assert(!monitor.isUp);
});

Deno.test("Monitor gives up when its enrollment is revoked, and goes on after any other refusal", async () => {
  for (const [code, isOver] of [["AT0027", true], ["AT0028", true], ["AT0401", false]] as const) {
    const { clock, monitor, servers, state, nextConnection } = setUp();
    const stop = new AbortController();
    const running = monitor.run(stop.signal);
    running.catch(() => {});
    await advanceUntil(clock, 10, monitor.ready());
    const alice = parseAtSign("@alice");
    try {
      requirePkamSuccess({ kind: "error", code, text: "enrollment_id: e1 is no more" }, alice);
    } catch (error) {
      state.refuse = error as Error;
    }
    servers[0]?.conn.close();
    if (isOver) {
      const error = await assertRejects(() => advanceUntil(clock, 50, running), NoportsError);
      assertEquals(error, state.refuse);
      assertEquals(await assertRejects(() => monitor.ready(), NoportsError), state.refuse);
    } else {
      const again = nextConnection();
      for (let i = 0; i < 10; i++) {
        await settle();
        clock.advance(500);
      }
      state.refuse = null;
      await advanceUntil(clock, 500, again);
      stop.abort(new Error("done"));
      await running;
    }
    assert(!monitor.isUp);
  }
});

Deno.test("Monitor comes back after a loss, resumes where it was and drops what it has seen", async () => {
  const { clock, monitor, servers, delivered, nextConnection } = setUp();
  const stop = new AbortController();
  const running = monitor.run(stop.signal);
  await advanceUntil(clock, 10, monitor.ready());
  const first = servers[0];
  assert(first !== undefined);
  await first.conn.write(new TextEncoder().encode(line("n1", 5000) + line("-1", 6000)));
  await settle();
  const again = nextConnection();
  first.conn.close();
  await advanceUntil(clock, 50, again);
  await advanceUntil(clock, 10, monitor.ready());
  await servers[1]?.conn.write(new TextEncoder().encode(line("n1", 5000) + line("n2", 7000)));
  await settle();
  assertEquals(delivered.map((n) => n.id), ["n1", "n2"]);
  stop.abort(new Error("done"));
  await running;
  assertEquals((await servers[1]?.lines)?.[0], "monitor:selfNotifications:5999");
});

Deno.test("Monitor gives up only when its very first connection fails", async () => {
  const { clock, monitor, state, servers, nextConnection } = setUp();
  state.refuse = new Error("refused");
  const failing = monitor.run(AbortSignal.timeout(60_000));
  await assertRejects(() => failing, Error, { message: "refused" });
  await assertRejects(() => monitor.ready(), Error, { message: "refused" });

  const other = setUp();
  const stop = new AbortController();
  const running = other.monitor.run(stop.signal);
  await advanceUntil(other.clock, 10, other.monitor.ready());
  other.state.refuse = new Error("refused");
  other.servers[0]?.conn.close();
  await settle();
  other.clock.advance(60_000);
  await settle();
  other.state.refuse = null;
  await advanceUntil(other.clock, 1000, other.nextConnection());
  await advanceUntil(other.clock, 10, other.monitor.ready());
  stop.abort(new Error("done"));
  await running;
  assertEquals([servers.length, clock.now() > 0, nextConnection() instanceof Promise], [
    0,
    true,
    true,
  ]);
});
