import { assert, assertEquals, assertRejects } from "../../tests/assert.ts";
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
import { createSessionKeys, type DirectionKeys, encodeConnectMessage } from "../session/mod.ts";
import { FakeDial, PLAIN_AUTH, readLine, sessionKeys, settle } from "./_fake_relay.ts";
import { connectDaemonBridge, type DaemonBridgeOptions } from "./daemon_bridge.ts";

const ENDLESS = new AbortController().signal;
const TARGET = { host: "localhost", port: 22 };

/** A daemon bridge over a relay and a target in memory, its control connection taken and its auth line read. */
async function open(overrides: Partial<DaemonBridgeOptions> = {}) {
  const relay = new FakeDial();
  const target = new FakeDial();
  const clock = new ManualClock();
  const stop = new AbortController();
  const keys = sessionKeys();
  const asked: string[] = [];
  const bridge = await connectDaemonBridge({
    relay: { host: "relay", port: 4001, authLines: PLAIN_AUTH },
    target: TARGET,
    keys,
    numberedPairing: false,
    timeoutMs: 0,
    authorize: (host, port) => {
      asked.push(`${host}:${port}`);
      return true;
    },
    clock,
    log: silentLog,
    dial: (host, port) => (host === "relay" ? relay : target).dial(host, port),
    ...overrides,
  }, ENDLESS);
  const control = await relay.dialled.take();
  const controlAuth = await readLine(control);
  const cipher = new CtrStream(keys.toDaemon.key, keys.toDaemon.iv);
  const running = bridge.run(stop.signal);
  running.catch(() => {});
  const sendRaw = (message: string) => writeAll(control, cipher.transform(encodeUtf8(message)));
  /** Asks for a connection; gives its keys. */
  const connect = async (twin = false): Promise<DirectionKeys> => {
    const own = createSessionKeys(systemEntropy, { twin });
    await sendRaw(encodeConnectMessage(own));
    return own;
  };
  return { relay, target, clock, stop, control, controlAuth, running, sendRaw, connect, asked };
}

/** Sends `word` from the client's side and gives what the target gets, and the same back. */
async function exchange(
  relay: MemoryConn,
  target: MemoryConn,
  keys: DirectionKeys,
): Promise<[string, string]> {
  const out = new CtrStream(keys.toDaemon.key, keys.toDaemon.iv);
  const back = new CtrStream(keys.toClient.key, keys.toClient.iv);
  const buffer = new Uint8Array(5);
  await writeAll(relay, out.transform(encodeUtf8("hello")));
  await target.read(buffer);
  const there = new TextDecoder().decode(buffer);
  await writeAll(target, encodeUtf8("world"));
  await relay.read(buffer);
  return [there, new TextDecoder().decode(back.transform(buffer))];
}

Deno.test("a daemon bridge serves one message after the other, each with its own keys", async () => {
  const { relay, target, stop, running, connect, controlAuth, asked } = await open();
  assertEquals(controlAuth, "auth -");
  for (const twin of [false, true]) {
    const keys = await connect(twin);
    const data = await relay.dialled.take();
    assertEquals(await readLine(data), "auth -");
    assertEquals(
      await exchange(data, await target.dialled.take(), keys),
      ["hello", "world"],
    );
  }
  assertEquals(asked, ["localhost:22", "localhost:22"]);
  stop.abort();
  assertEquals(await running, { kind: "aborted", connections: 2, bytesOut: 10, bytesIn: 10 });
});

Deno.test("a daemon bridge closes only the connection whose target refuses", async () => {
  for (const numberedPairing of [false, true]) {
    const { relay, target, stop, running, connect } = await open({ numberedPairing });
    target.failures.push(new Deno.errors.ConnectionRefused("refused"));
    await connect();
    const refused = await relay.dialled.take();
    assertEquals(await readLine(refused), numberedPairing ? "auth 1" : "auth -");
    assertEquals(await refused.read(new Uint8Array(1)), null);
    const keys = await connect();
    const data = await relay.dialled.take();
    assertEquals(await readLine(data), numberedPairing ? "auth 2" : "auth -");
    assertEquals(await exchange(data, await target.dialled.take(), keys), ["hello", "world"]);
    stop.abort();
    await running;
  }
});

Deno.test("a daemon bridge asks before each dial and never dials what is not permitted", async () => {
  const answers = [false, true];
  const { relay, target, stop, running, connect } = await open({
    authorize: () => answers.shift() === true,
  });
  await connect();
  const refused = await relay.dialled.take();
  await readLine(refused);
  assertEquals(await refused.read(new Uint8Array(1)), null);
  assertEquals(target.targets, []);
  await connect();
  await readLine(await relay.dialled.take());
  await target.dialled.take();
  assertEquals(target.targets, ["localhost:22"]);
  stop.abort();
  await running;
});

Deno.test("a daemon bridge tries the relay again before it gives up, because a missing connection shifts the others", async () => {
  const { relay, clock, running, connect } = await open();
  relay.failures.push(new Error("1"), new Error("2"), new Error("3"), null);
  await connect();
  for (let i = 0; i < 3; i++) {
    await settle();
    clock.advance(1000);
  }
  await readLine(await relay.dialled.take());
  assertEquals(relay.targets.length, 5);
  relay.failures.push(...Array.from({ length: 4 }, () => new Error("gone")));
  await connect();
  for (let i = 0; i < 3; i++) {
    await settle();
    clock.advance(1000);
  }
  await assertRejects(() => running, NoportsError, { code: "relay_unreachable" });
});

Deno.test("a daemon bridge with numbered pairing loses only the connection that cannot reach the relay", async () => {
  const { relay, target, clock, stop, running, connect } = await open({ numberedPairing: true });
  relay.failures.push(...Array.from({ length: 4 }, () => new Error("gone")));
  await connect();
  for (let i = 0; i < 3; i++) {
    await settle();
    clock.advance(1000);
  }
  await settle();
  assertEquals(await (await target.dialled.take()).read(new Uint8Array(1)), null);
  const keys = await connect();
  const data = await relay.dialled.take();
  assertEquals(await readLine(data), "auth 2");
  assertEquals(await exchange(data, await target.dialled.take(), keys), ["hello", "world"]);
  stop.abort();
  await running;
});

Deno.test("a daemon bridge ends when the control connection does, and closes what was open", async () => {
  const { relay, target, control, running, connect } = await open();
  const keys = await connect();
  const data = await relay.dialled.take();
  await readLine(data);
  const service = await target.dialled.take();
  await exchange(data, service, keys);
  closeQuietly(control);
  assertEquals((await running).kind, "control_closed");
  assertEquals(await service.read(new Uint8Array(1)), null);
  assertEquals(await data.read(new Uint8Array(1)), null);
});

Deno.test("a daemon bridge ends at a control stream out of format", async () => {
  for (const message of ["connect:abc\n", "connect:no:encrypt\n", "x".repeat(20_000)]) {
    const { sendRaw, running } = await open();
    await sendRaw(message);
    await assertRejects(() => running, NoportsError, { code: "protocol_violation" });
  }
});

Deno.test("a daemon bridge ignores heartbeats and words that it does not know", async () => {
  const { sendRaw, relay, stop, running, connect } = await open();
  await sendRaw("heartbeat:1\nfuture:1:2\n\n");
  await connect();
  await readLine(await relay.dialled.take());
  stop.abort();
  assertEquals((await running).connections, 1);
});

Deno.test("a daemon bridge refuses connections over its cap without shifting the others", async () => {
  const { relay, target, stop, running, connect } = await open({ maxConnections: 1 });
  const keys = await connect();
  const first = await relay.dialled.take();
  await readLine(first);
  const service = await target.dialled.take();
  await connect();
  const second = await relay.dialled.take();
  assertEquals(await readLine(second), "auth -");
  assertEquals(await second.read(new Uint8Array(1)), null);
  assertEquals(await exchange(first, service, keys), ["hello", "world"]);
  assertEquals(target.targets.length, 1);
  stop.abort();
  await running;
});

Deno.test("a daemon bridge ends when it is idle after its limit, and not before", async () => {
  const { relay, target, clock, running, connect } = await open({ timeoutMs: 60_000 });
  const keys = await connect();
  const data = await relay.dialled.take();
  await readLine(data);
  const service = await target.dialled.take();
  await exchange(data, service, keys);
  clock.advance(60_000);
  await settle();
  assert(!service.closed);
  closeQuietly(service);
  closeQuietly(data);
  assertEquals((await running).kind, "idle");
});
