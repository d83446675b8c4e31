import { assert, assertEquals, assertMatch } from "../../tests/assert.ts";
import { type Client, PKAM, settle, World } from "../../tests/at_server_world.ts";
import { parseAtSign } from "../atprotocol/wire/mod.ts";
import { signRsaSha256 } from "../crypto/mod.ts";

const OVERFLOW =
  "error:AT0005-Exception: InboundBuffer overflow: server received request which exceeded the buffer size limit. " +
  "Terminating the connection.\n@";

Deno.test("a connection answers each of several commands in one chunk, in order, each by its own write", async () => {
  await using world = new World();
  await world.activate("@alice");
  const client = await world.connect();
  await client.send("noop:0\ninfo:brief\r\nlookup:publickey@alice\nnono\nnoop:0\n");
  await settle();
  assertEquals(client.takeWrites(), [
    "data:ok\n@",
    `data:{"version":"3.0.52","uptimeAsMillis":0}\n@`,
    "data:publickey-of-alice\n@",
    "error:AT0003-Exception: invalid command\n@",
    "data:ok\n@",
  ]);
});

Deno.test("a connection runs one command after the other, however long one takes", async () => {
  await using world = new World();
  const client = await world.connect();
  await client.send("noop:5000\ninfo:brief\n");
  await settle();
  assertEquals(client.takeWrites(), []);
  world.clock.advance(5000);
  await settle();
  assertEquals(client.takeWrites(), [
    "data:ok\n@",
    `data:{"version":"3.0.52","uptimeAsMillis":5000}\n@`,
  ]);
});

Deno.test("a connection answers bytes that are no text, and a NUL, with AT0003", async () => {
  await using world = new World();
  const client = await world.connect();
  await client.send(new Uint8Array([0x6e, 0xff, 0xfe, 0x0a]));
  await client.send("noop:0\0\nnoop:0\n");
  await settle();
  const refused = "error:AT0003-Exception: invalid command\n@";
  assertEquals(client.takeWrites(), [refused, refused, "data:ok\n@"]);
});

Deno.test("a half-closed client still gets its answers, then the end", async () => {
  await using world = new World();
  const client = await world.connect();
  await client.send("noop:0\nno line end");
  await client.halfClose();
  await settle();
  assertEquals(client.takeWrites(), ["data:ok\n@"]);
  assert(!client.isServed);
});

Deno.test("a stranger's line may have 64 KB, complete or not", async () => {
  await using world = new World();
  const fits = await world.connect();
  await fits.send("x".repeat(64 * 1024) + "\n");
  await settle();
  assertEquals(fits.takeWrites(), ["error:AT0003-Exception: invalid command\n@"]);
  for (const tail of ["", "\nnoop:0\n"]) {
    const client = await world.connect();
    await client.send("x".repeat(64 * 1024 + 1) + tail);
    await settle();
    assertEquals(client.takeWrites(), [OVERFLOW]);
    assert(client.isServed, "it reads on for a moment, so that the error arrives");
    await client.send("noop:0\n");
    world.clock.advance(3000);
    await settle();
    assertEquals(client.takeWrites(), []);
    assert(!client.isServed);
  }
});

Deno.test("an owner's line may have 10,240,000 bytes", async () => {
  await using world = new World();
  await world.activate("@alice");
  const client = await world.login("@alice");
  const value = "v".repeat(10_000_000);
  await client.send(`update:big.wavi@alice ${value}\n`);
  await settle();
  assertEquals(client.takeWrites(), ["data:1\n@alice@"]);
  await client.send(`update:big.wavi@alice ${value}${value}`);
  await settle();
  assertMatch(client.takeWrites().join(), /^error:AT0005-Buffer limit exceeded : InboundBuffer/);
  await client.halfClose();
  await settle();
  assert(!client.isServed);
});

Deno.test("a stranger that sends a line drop by drop is cut 10 s after its first byte", async () => {
  await using world = new World();
  const client = await world.connect();
  world.clock.advance(60_000);
  for (let second = 0; second < 9; second++) {
    await client.send("n");
    await settle();
    world.clock.advance(1000);
    await settle();
    assert(client.isServed);
  }
  await client.send("n");
  world.clock.advance(1000);
  await settle();
  assert(!client.isServed);
  assertEquals(client.takeWrites(), []);
});

Deno.test("a stranger is cut after 10 minutes of silence, an owner is not", async () => {
  await using world = new World();
  await world.activate("@alice");
  const stranger = await world.connect();
  const owner = await world.login("@alice");
  world.clock.advance(599_000);
  await settle();
  assert(stranger.isServed);
  world.clock.advance(2_000);
  await settle();
  assert(!stranger.isServed);
  assertEquals(await owner.ask("noop:0"), "data:ok\n@alice@");
});

Deno.test("a client that does not read its answers is cut", async () => {
  await using world = new World();
  await world.activate("@alice");
  const owner = await world.login("@alice");
  await owner.ask(`update:public:big@alice ${"v".repeat(60_000)}`);
  const client = world.open({}, 1000);
  client.stall();
  await client.send("lookup:big@alice\n");
  await settle();
  world.clock.advance(29_000);
  await settle();
  assert(client.isServed);
  world.clock.advance(3_000);
  await settle();
  assert(!client.isServed);
});

Deno.test("a monitor that does not read is closed when its queue is full, and disturbs nobody", async () => {
  await using world = new World({ limits: { monitorQueueBytes: 10_000 } });
  await world.activate("@alice", "@bob");
  const alice = await world.login("@alice");
  const healthy = await world.login("@bob");
  await healthy.send("monitor\n");
  const stalled = world.open({}, 1000);
  await stalled.login("@bob");
  stalled.stall();
  await stalled.send("monitor\n");
  await settle();
  for (let i = 0; i < 20; i++) {
    assertMatch(await alice.ask(`notify:@bob:k.x@alice:${"v".repeat(1000)}`), /^data:/);
  }
  assert(!stalled.isServed);
  assertEquals(healthy.takeWrites().length, 20);
});

Deno.test("a monitor answers noop before the notifications that wait", async () => {
  await using world = new World();
  await world.activate("@alice", "@bob");
  const alice = await world.login("@alice");
  const bob = world.open({}, 1000);
  await bob.login("@bob");
  bob.stall();
  await bob.send("monitor\n");
  await settle();
  for (let i = 0; i < 10; i++) await alice.ask(`notify:id:n${i}:@bob:k.x@alice:${"v".repeat(500)}`);
  await bob.send("noop:0\n");
  await settle();
  bob.takeWrites();
  bob.resume();
  await settle();
  const order = bob.takeWrites().map((write) => /"id":"(\w+)"/.exec(write)?.[1] ?? write);
  const answered = order.indexOf("data:ok\n");
  assert(answered >= 0 && answered < 3, `order: ${order}`);
  assertEquals(order.filter((what) => what !== "data:ok\n").at(-1), "n9");
});

Deno.test("connections have caps: in all, and for each address until login", async () => {
  await using world = new World({ limits: { connections: 5, strangersPerAddress: 2 } });
  await world.activate("@alice");
  const first = await world.connect();
  const second = await world.connect();
  const third = world.open();
  await settle();
  assertEquals(third.takeWrites(), ["error:AT0012-Inbound connection limit exceeded\n"]);
  assert(!third.isServed);
  await world.connect({ remoteAddress: "192.0.2.2" });
  await first.login("@alice");
  const fourth = await world.connect();
  await fourth.login("@alice");
  await world.connect();
  const sixth = world.open({ remoteAddress: "192.0.2.3" });
  await settle();
  assertEquals(sixth.takeWrites(), ["error:AT0012-Inbound connection limit exceeded\n"]);
  await second.end();
  await world.connect({ remoteAddress: "192.0.2.3" });
});

Deno.test("one atSign's logins have a cap; idle ones make room", async () => {
  await using world = new World({ limits: { connectionsPerAtSign: 2 } });
  await world.activate("@alice");
  const idle = await world.login("@alice");
  const busy = await world.login("@alice");
  const third = await world.connect();
  const refused = await logInByHand(third);
  assertEquals(refused, "error:AT0012-Inbound connection limit exceeded\n");
  assert(!third.isServed);
  world.clock.advance(61_000);
  await busy.ask("noop:0");
  const fourth = await world.connect();
  assertEquals(await logInByHand(fourth), "data:success\n@alice@");
  assert(!idle.isServed);
  assertEquals(await busy.ask("noop:0"), "data:ok\n@alice@");

  async function logInByHand(client: Client): Promise<string> {
    const challenge = (await client.ask("from:@alice")).split("\n")[0]?.slice(5) ?? "";
    return await client.ask(`pkam:${signRsaSha256(PKAM.privateKey, challenge)}`);
  }
});

Deno.test("failed logins of one address are answered ever later, others at once", async () => {
  await using world = new World();
  world.host("@alice");
  const client = await world.connect();
  await client.ask("from:@alice");
  for (let i = 0; i < 3; i++) assertMatch(await client.ask("cram:00"), /AT0401/);
  for (const delayMs of [250, 500, 1000, 2000, 2000]) {
    await client.send("cram:00\n");
    world.clock.advance(delayMs - 1);
    await settle();
    assertEquals(client.takeWrites(), []);
    await settle();
    world.clock.advance(1);
    await settle();
    assertEquals(client.takeWrites(), ["error:AT0401-Exception: Authentication Failed\n@"]);
  }
  const other = await world.connect({ remoteAddress: "192.0.2.9" });
  await other.ask("from:@alice");
  assertMatch(await other.ask("cram:00"), /AT0401/);
});

Deno.test("a connection whose enrollment is revoked or expires ends at its next command, and hears nothing", async () => {
  await using world = new World();
  await world.activate("@alice", "@bob");
  world.enroll("@alice", "e1", { "*": "rw" });
  world.enroll("@alice", "e2", { "*": "rw" });
  const revoked = await world.login("@alice", "e1");
  const monitor = await world.login("@alice", "e1");
  const expired = await world.login("@alice", "e2");
  const bob = await world.login("@bob");
  await monitor.send("monitor\n");
  const alice = parseAtSign("@alice");
  for (const [id, change] of [["e1", { state: "revoked" }], ["e2", { expiresAt: 1 }]] as const) {
    const enrollment = world.store.getEnrollment(alice, id);
    assert(enrollment !== null);
    world.store.putEnrollment(alice, { ...enrollment, ...change });
  }
  await bob.ask("notify:@alice:k.x@bob:v");
  assertEquals(monitor.takeWrites(), []);
  for (const client of [revoked, expired]) {
    await client.send("noop:0\n");
    await settle();
    assertEquals(client.takeWrites(), []);
    assert(!client.isServed);
  }
});

Deno.test("a monitor ends with its login: another atSign's notifications do not reach it", async () => {
  await using world = new World();
  await world.activate("@alice", "@bob", "@carol");
  const client = await world.login("@bob");
  await client.send("monitor\n");
  await settle();
  await client.login("@carol");
  const alice = await world.login("@alice");
  await alice.ask("notify:@bob:k.x@alice:v");
  assertEquals(client.takeWrites(), []);
  assertEquals(await client.ask("noop:0"), "data:ok\n");
});

Deno.test("a long replay is complete, in order, and what comes meanwhile follows it once", async () => {
  await using world = new World({ limits: { monitorQueueBytes: 200_000 } });
  await world.activate("@alice", "@bob");
  const alice = await world.login("@alice");
  for (let i = 0; i < 350; i++) {
    await alice.send(`notify:id:n${i}:@bob:k.x@alice:${"v".repeat(2000)}\n`);
  }
  await settle();
  const bob = world.open({}, 1000);
  await bob.login("@bob");
  bob.stall();
  await bob.send("monitor:strict:0\n");
  await settle();
  for (let i = 350; i < 400; i++) await alice.send(`notify:id:n${i}:@bob:k.x@alice:v\n`);
  await settle();
  bob.takeWrites();
  bob.resume();
  for (let turn = 0; turn < 50; turn++) await settle();
  const lines = new TextDecoder().decode(bob.received()).split("\n");
  const ids = lines.flatMap((line) => /"id":"n(\d+)"/.exec(line)?.[1] ?? []).map(Number);
  assertEquals(ids, Array.from({ length: 400 }, (_, i) => i));
});

Deno.test("serve() ends when the core is disposed, whatever its connections do", async () => {
  const world = new World();
  await world.activate("@alice");
  const waiting = await world.connect();
  await waiting.send("noop:5000\n");
  const stalled = world.open({}, 10);
  stalled.stall();
  await stalled.send("info\n");
  const monitor = await world.login("@alice");
  await monitor.send("monitor\n");
  await settle();
  await world[Symbol.asyncDispose]();
  assert(!waiting.isServed && !stalled.isServed && !monitor.isServed);
});
