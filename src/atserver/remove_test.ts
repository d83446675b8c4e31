import { assert, assertEquals, assertMatch } from "../../tests/assert.ts";
import { World } from "../../tests/at_server_world.ts";
import { parseAtSign } from "../atprotocol/wire/mod.ts";
import { meterStore } from "./metered_store.ts";
import { openSqliteStore } from "./store/sqlite_store.ts";

const ALICE = parseAtSign("@alice");

Deno.test("removing an atSign ends every connection that has to do with it, and no other", async () => {
  await using world = new World();
  await world.activate("@alice", "@bob");
  const owner = await world.login("@alice");
  const named = await world.connect();
  await named.ask("from:@alice");
  const other = await world.login("@bob");
  const stranger = await world.connect();
  world.core.removeAtSign(ALICE);
  await world.settle();
  assertEquals([owner, named, other, stranger].map((client) => client.isServed), [
    false,
    false,
    true,
    true,
  ]);
  assertEquals(world.core.isHosted(ALICE), false);
  assertMatch(await stranger.ask("from:@alice"), /^data:proof:/, "a foreign atSign from now on");
  assertMatch(await other.ask("noop:0"), /^data:ok/);
});

Deno.test("a reset atSign is new: no keys, no mailbox, a new activation code", async () => {
  await using world = new World();
  await world.activate("@alice");
  const owner = await world.login("@alice");
  await owner.ask("update:phone.wavi@alice 555");
  assertEquals(world.core.activationCode(ALICE), null, "it was activated");
  const code = world.core.resetAtSign(ALICE);
  assertEquals(world.core.activationCode(ALICE), code);
  await world.settle();
  assertEquals(owner.isServed, false);
  assertEquals(world.store.listKeys(ALICE).map(({ key }) => key), ["privatekey:at_secret"]);
  assertEquals(world.core.listAtSigns()[0]?.activated, false);
});

Deno.test("what a removed atSign had queued for other servers is not delivered any more", async () => {
  await using world = new World();
  await world.activate("@alice");
  const answer = Promise.withResolvers<string>();
  world.peers.onRequest = () => answer.promise;
  const owner = await world.login("@alice");
  for (const id of ["n1", "n2"]) {
    await owner.ask(`notify:id:${id}:update:messageType:key:@far:x.wavi@alice:v`);
  }
  await world.settle();
  assertEquals(world.peers.requests.length, 1, "the first is under way");
  world.core.removeAtSign(ALICE);
  world.host("@alice");
  answer.resolve("success");
  await world.settle();
  assertEquals(world.peers.requests.length, 1);
  assertEquals(world.store.countNotifications(ALICE), 0);
});

Deno.test("connections are counted by kind", async () => {
  await using world = new World();
  await world.activate("@alice");
  const owner = await world.login("@alice");
  await owner.send("monitor\n");
  await world.settle();
  await world.connect();
  assertEquals(world.core.countConnections(), { strangers: 1, owners: 1, peers: 0, monitors: 1 });
});

Deno.test("a stranger far over the rate of commands is refused, an owner never", async () => {
  await using world = new World({
    limits: { strangerRequestsPerSecond: 1, strangerRequestBurst: 20, valueChars: 10 },
  });
  await world.activate("@alice");
  const owner = await world.login("@alice");
  for (let i = 0; i < 40; i++) assertMatch(await owner.ask("noop:0"), /^data:ok/);
  assertMatch(await owner.ask(`update:x.wavi@alice ${"v".repeat(11)}`), /^error:.*AT0005/);
  assertMatch(await owner.ask(`update:x.wavi@alice ${"v".repeat(10)}`), /^data:/);
  const strangers = await Promise.all(Array.from({ length: 30 }, () => world.connect()));
  for (const stranger of strangers) await stranger.send("noop:0\n");
  await world.settle();
  const answers = strangers.map((stranger) => stranger.takeWrites().join(""));
  assert(answers.some((text) => text.startsWith("data:ok")));
  assert(answers.some((text) => text.includes("AT0012")));
});

Deno.test("meterStore() counts a transaction as one operation, whatever happens in it", () => {
  let now = 0;
  const seconds: number[] = [];
  using opened = openSqliteStore(":memory:");
  const store = meterStore(opened, () => now += 1000, (value) => seconds.push(value));
  store.transaction(() => {
    store.addAtSign(ALICE, 1);
    store.countKeys(ALICE);
  });
  assertEquals(seconds, [1]);
  assertEquals(store.listAtSigns().length, 1);
  assertEquals(seconds, [1, 1]);
  assertEquals(store.schemaVersion, opened.schemaVersion);
  let caught = false;
  try {
    store.countKeys(parseAtSign("@nobody"));
  } catch {
    caught = true;
  }
  assertEquals([caught, seconds.length], [true, 3]);
});
