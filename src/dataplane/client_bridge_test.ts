import { assert, assertEquals, assertMatch, assertRejects } from "../../tests/assert.ts";
import type { MemoryConn } from "../../tests/memory_conn.ts";
import {
  closeQuietly,
  ManualClock,
  NoportsError,
  silentLog,
  systemEntropy,
  writeAll,
} from "../base/mod.ts";
import { CtrStream } from "../crypto/mod.ts";
import { encodeUtf8 } from "../encoding/mod.ts";
import { type DirectionKeys, parseControlMessage } from "../session/mod.ts";
import {
  ControlReader,
  FakeDial,
  FakeLocal,
  PLAIN_AUTH,
  readLine,
  sessionKeys,
  settle,
} from "./_fake_relay.ts";
import { type ClientBridgeOptions, connectClientBridge, SETTLE_MS } from "./client_bridge.ts";

const ENDLESS = new AbortController().signal;

/** A client bridge over a relay in memory, its control connection taken and its auth line read. */
async function open(overrides: Partial<ClientBridgeOptions> = {}) {
  const dial = new FakeDial();
  const local = new FakeLocal();
  const clock = new ManualClock();
  const stop = new AbortController();
  const keys = sessionKeys();
  const bridge = await connectClientBridge({
    relay: { host: "relay", port: 4000, authLines: PLAIN_AUTH },
    keys,
    numberedPairing: false,
    settleMs: SETTLE_MS,
    timeoutMs: 0,
    clock,
    entropy: systemEntropy,
    log: silentLog,
    dial: dial.dial,
    ...overrides,
  }, ENDLESS);
  const control = await dial.dialled.take();
  const controlAuth = await readLine(control);
  const running = bridge.run(local, stop.signal);
  running.catch(() => {});
  return {
    dial,
    local,
    clock,
    stop,
    keys,
    control,
    controlAuth,
    running,
    messages: new ControlReader(control, keys),
  };
}

function connectKeys(message: string): DirectionKeys {
  const parsed = parseControlMessage(message);
  assert(parsed.kind === "connect" && parsed.keys !== null);
  return parsed.keys;
}

async function text(conn: MemoryConn, keys: DirectionKeys, length: number): Promise<string> {
  const cipher = new CtrStream(keys.toDaemon.key, keys.toDaemon.iv);
  const buffer = new Uint8Array(length);
  let got = 0;
  while (got < length) got += await conn.read(buffer.subarray(got)) ?? length;
  return new TextDecoder().decode(cipher.transform(buffer));
}

Deno.test("a client bridge binds each connection's keys to its own relay connection", async () => {
  const { dial, local, clock, stop, messages, controlAuth, running } = await open();
  assertEquals(controlAuth, "auth -");
  const seen = new Set<string>();
  for (const word of ["first", "other"]) {
    const user = local.connect();
    await writeAll(user, encodeUtf8(word));
    const relay = await dial.dialled.take();
    assertEquals(await readLine(relay), "auth -");
    const keys = connectKeys(await messages.next());
    assertEquals(await text(relay, keys, 5), word);
    seen.add(keys.toDaemon.key.toHex());
    const back = new CtrStream(keys.toClient.key, keys.toClient.iv);
    await writeAll(relay, back.transform(encodeUtf8("answer")));
    const answer = new Uint8Array(20);
    const n = await user.read(answer);
    assertEquals(new TextDecoder().decode(answer.subarray(0, n ?? 0)), "answer");
    assertEquals(relay.writes.length, 1);
    await settle();
    assertEquals(clock.now(), 1_700_000_000_000, "the first byte ends the pause");
  }
  assertEquals(seen.size, 2);
  stop.abort();
  const end = await running;
  assertEquals(end, { kind: "aborted", connections: 2, bytesOut: 10, bytesIn: 12 });
});

Deno.test("a client bridge starts the next connection only when the last one must have been paired", async () => {
  const { dial, local, clock, stop, messages, running } = await open();
  local.connect();
  local.connect();
  const first = await dial.dialled.take();
  assertEquals(await readLine(first), "auth -");
  await messages.next();
  await settle();
  assertEquals(dial.dialled.count, 0);
  clock.advance(SETTLE_MS - 1);
  await settle();
  assertEquals(dial.dialled.count, 0);
  clock.advance(1);
  const second = await dial.dialled.take();
  assertEquals(await readLine(second), "auth -");
  await messages.next();
  stop.abort();
  await running;
});

Deno.test("a client bridge keeps the place of a local connection that is aborted before it is paired", async () => {
  const { dial, local, clock, stop, messages, running } = await open();
  const user = local.connect();
  closeQuietly(user);
  const relay = await dial.dialled.take();
  await readLine(relay);
  await messages.next();
  await settle();
  const read = relay.read(new Uint8Array(1));
  let ended = false;
  read.finally(() => ended = true);
  await settle();
  assert(!ended, "the relay's end stays open while it may be waiting");
  clock.advance(SETTLE_MS);
  assertEquals(await read, null);
  closeQuietly(relay);
  stop.abort();
  await running;
});

Deno.test("a client bridge sends each message in one write, also with keys for each direction", async () => {
  for (const twin of [false, true]) {
    const { dial, local, stop, control, running } = await open(
      twin ? { keys: { toDaemon: sessionKeys().toDaemon, toClient: sessionKeys().toClient } } : {},
    );
    local.connect();
    await readLine(await dial.dialled.take());
    const buffer = new Uint8Array(1000);
    assertEquals(await control.read(buffer), twin ? 148 : 78);
    stop.abort();
    await running;
  }
});

Deno.test("a client bridge without encryption says so on the control connection", async () => {
  const { dial, local, control, stop, running } = await open({ keys: null });
  const user = local.connect();
  await writeAll(user, encodeUtf8("clear"));
  const relay = await dial.dialled.take();
  await readLine(relay);
  assertEquals(await readLine(control), "connect:no:encrypt");
  const buffer = new Uint8Array(5);
  await relay.read(buffer);
  assertEquals(new TextDecoder().decode(buffer), "clear");
  stop.abort();
  await running;
});

Deno.test("a client bridge with numbered pairing starts connections at once and numbers them", async () => {
  const { dial, local, clock, stop, messages, controlAuth, running } = await open({
    numberedPairing: true,
  });
  assertEquals(controlAuth, "auth 0");
  const users = [local.connect(), local.connect(), local.connect()];
  const keys: DirectionKeys[] = [];
  for (const user of users) {
    await writeAll(user, encodeUtf8("x".repeat(9_000)));
    keys.push(connectKeys(await messages.next()));
  }
  for (let i = 1; i <= 3; i++) {
    const relay = await dial.dialled.take();
    assertEquals(await readLine(relay), `auth ${i}`);
    const own = keys[i - 1];
    assert(own !== undefined);
    assertEquals(await text(relay, own, 9_000), "x".repeat(9_000));
  }
  assertEquals(clock.now(), 1_700_000_000_000);
  stop.abort();
  await running;
});

Deno.test("a client bridge loses one connection when the relay cannot be reached for it", async () => {
  for (const numberedPairing of [false, true]) {
    const { dial, local, stop, messages, running } = await open({ numberedPairing });
    dial.failures.push(new Error("refused"));
    const unlucky = local.connect();
    assertEquals(await unlucky.read(new Uint8Array(1)), null);
    if (numberedPairing) await messages.next();
    local.connect();
    const relay = await dial.dialled.take();
    assertEquals(await readLine(relay), numberedPairing ? "auth 2" : "auth -");
    await messages.next();
    stop.abort();
    await running;
  }
});

Deno.test("a client bridge ends with session_lost when the control connection ends", async () => {
  const { dial, local, clock, control, messages, running } = await open();
  const user = local.connect();
  const relay = await dial.dialled.take();
  await readLine(relay);
  await messages.next();
  clock.advance(SETTLE_MS);
  closeQuietly(control);
  await settle();
  clock.advance(500);
  const error = await assertRejects(() => running, NoportsError, { code: "session_lost" });
  assertEquals(error.exitStatus, 6);
  assertMatch(error.message, /^Cannot keep session open: /);
  assertEquals(await user.read(new Uint8Array(1)), null);
});

Deno.test("a client bridge ends quietly when the daemon's idle limit ends the session", async () => {
  const { clock, control, running } = await open({ timeoutMs: 30_000 });
  await settle();
  clock.advance(29_000);
  closeQuietly(control);
  assertEquals((await running).kind, "idle");
});

Deno.test("a client bridge applies the idle limit itself, also one of a year", async () => {
  for (const timeoutMs of [30_000, 365 * 24 * 3600 * 1000]) {
    const { dial, local, clock, messages, running, control } = await open({ timeoutMs });
    await settle();
    const user = local.connect();
    const relay = await dial.dialled.take();
    await readLine(relay);
    await messages.next();
    for (let ms = 0; ms < timeoutMs; ms += 2 ** 30) {
      clock.advance(Math.min(2 ** 30, timeoutMs - ms));
      await settle();
    }
    closeQuietly(user);
    await relay.closeWrite();
    assertEquals((await running).kind, "idle");
    assertEquals(await control.read(new Uint8Array(1)), null);
  }
});

Deno.test("a client bridge sends heartbeats when the daemon takes them", async () => {
  const { clock, messages, stop, running } = await open({ heartbeats: true });
  await settle();
  for (const n of [1, 2]) {
    clock.advance(5 * 60_000);
    assertEquals(await messages.next(), `heartbeat:${n}`);
    await settle();
  }
  stop.abort();
  await running;
});

Deno.test("connectClientBridge() says that the relay cannot be reached", async () => {
  const dial = new FakeDial();
  dial.failures.push(new Deno.errors.ConnectionRefused("refused"));
  const error = await assertRejects(
    () =>
      connectClientBridge({
        relay: { host: "relay", port: 4000, authLines: PLAIN_AUTH },
        keys: null,
        numberedPairing: false,
        settleMs: 0,
        timeoutMs: 0,
        clock: new ManualClock(),
        entropy: systemEntropy,
        log: silentLog,
        dial: dial.dial,
      }, ENDLESS),
    NoportsError,
    { code: "relay_unreachable" },
  );
  assertEquals(error.message, "Cannot connect to relay relay:4000: refused");
});
