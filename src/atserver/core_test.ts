import { assert, assertEquals, assertMatch, assertRejects } from "../../tests/assert.ts";
import { settle, SIGNING, World } from "../../tests/at_server_world.ts";
import { parseAtSign } from "../atprotocol/wire/mod.ts";
import { NoportsError } from "../base/mod.ts";
import { verifyRsa } from "../crypto/mod.ts";
import { openSqliteStore } from "./store/sqlite_store.ts";

const alice = parseAtSign("@alice");
const bob = parseAtSign("@bob");

Deno.test("addAtSign() gives a code of 128 hex digits, once, and makes no key pair", async () => {
  await using world = new World();
  const code = world.core.addAtSign(alice);
  assertMatch(code, /^[0-9a-f]{128}$/);
  assertEquals(world.entropy.pairs, 0);
  await assertRejects(() => world.core.addAtSign(alice), NoportsError, { code: "conflict" });
  assert(world.core.isHosted(alice));
  assert(!world.core.isHosted(bob));
  assertEquals(world.core.listAtSigns(), [
    { atSign: alice, activated: false, createdAt: world.clock.now() },
  ]);
});

Deno.test("atSigns, values and mailboxes outlive the process", async () => {
  using store = openSqliteStore(":memory:");
  {
    await using world = new World({ store });
    await world.activate("@alice", "@bob");
    const client = await world.login("@alice");
    await client.ask("update:x.wavi@alice kept");
    await client.ask("notify:id:n1:@bob:k.x@alice:v");
  }
  await using world = new World({ store });
  assertEquals(world.core.listAtSigns().map((record) => record.activated), [true, true]);
  assertEquals(
    await (await world.login("@alice")).ask("llookup:x.wavi@alice"),
    "data:kept\n@alice@",
  );
  const monitor = await world.login("@bob");
  await monitor.send("monitor:0\n");
  await settle();
  assertMatch(monitor.takeWrites().join(), /"id":"n1"/);
});

Deno.test("the activation code is gone from the store after delete:privatekey:at_secret", async () => {
  await using world = new World();
  await world.activate("@alice");
  assertEquals(world.store.getKey(alice, "privatekey:at_secret"), null);
  assertEquals(world.store.getKey(alice, "privatekey:at_secret_deleted")?.value, "true");
});

Deno.test("publishProof() signs with a key made once, and shows the proof for 60 s", async () => {
  await using world = new World();
  await world.activate("@alice");
  await Promise.all([
    world.core.publishProof(alice, "_S1@alice", "challenge-1"),
    world.core.publishProof(alice, "_S2@alice", "challenge-2\n"),
  ]);
  assertEquals(world.entropy.pairs, 1);
  const peer = await world.connect();
  const publicKey = (await peer.ask("lookup:signing_publickey@alice")).slice(5, -2);
  assertEquals(publicKey, SIGNING.publicKey);
  const proof = (await peer.ask("lookup:_S2@alice")).slice(5, -2);
  assert(verifyRsa(publicKey, "challenge-2", proof));
  world.clock.advance(60_001);
  assertEquals(await peer.ask("lookup:_S1@alice"), "data:null\n@");
  await assertRejects(() => world.core.publishProof(bob, "_S@bob", "c"), NoportsError, {
    code: "not_found",
  });
  const owner = await world.login("@alice");
  assertMatch(
    await owner.ask("scan:showhidden:true"),
    /^data:\["public:publickey@alice","public:signing_publickey@alice"\]/,
  );
  await world.core.publishProof(alice, "_S3@alice", "c");
  assertEquals(world.entropy.pairs, 1);
});

Deno.test("start() removes what has expired, with a commit, and reports it to monitors", async () => {
  await using world = new World({ limits: { statsIntervalMs: 1e9 } });
  await world.activate("@alice");
  world.core.start();
  const client = await world.login("@alice");
  const monitor = await world.login("@alice");
  await client.ask("update:ttl:1000:gone.wavi@alice v");
  await client.ask("update:kept.wavi@alice v");
  await client.ask("notify:id:n1:ttln:1000:@alice:k.x@alice:v");
  await monitor.send("monitor\n");
  world.clock.advance(180_000);
  await settle();
  assertEquals(world.store.getKey(alice, "gone.wavi@alice"), null);
  assert(world.store.getKey(alice, "kept.wavi@alice") !== null);
  assertEquals(world.store.getNotification(alice, "n1"), null);
  assertMatch(monitor.takeWrites().join(), /"value":"3","operation":"delete"/);
  assertMatch(await client.ask("llookup:gone.wavi@alice"), /^error:AT0015/);
});

Deno.test("start() shows every monitor that the server lives, every 15 s", async () => {
  await using world = new World();
  await world.activate("@alice");
  world.core.start();
  const monitor = await world.login("@alice");
  await monitor.send("monitor nothing-like-it\n");
  for (let i = 0; i < 2; i++) {
    world.clock.advance(15_000);
    await settle();
    const lines = monitor.takeWrites();
    assertEquals(lines.length, 1);
    assertMatch(lines[0] ?? "", /^notification: \{"id":"-1",.*"metadata":null\}\n$/);
  }
});

Deno.test("a mailbox that is full drops the oldest, and keeps taking", async () => {
  await using world = new World({ limits: { notificationsPerAtSign: 10 } });
  await world.activate("@alice", "@bob");
  const client = await world.login("@alice");
  for (let i = 0; i < 25; i++) {
    assertMatch(await client.ask(`notify:id:n${i}:@bob:k.x@alice:v`), /^data:n/);
  }
  assert(world.store.countNotifications(bob) <= 10);
  assert(world.store.countNotifications(alice) <= 10);
  const monitor = await world.login("@bob");
  await monitor.send("monitor:strict:0\n");
  await settle();
  assertMatch(monitor.takeWrites().at(-1) ?? "", /"id":"n24"/);
});

Deno.test("an atSign has room for so many keys, of which others may fill half", async () => {
  await using world = new World({ limits: { keysPerAtSign: 10 } });
  await world.activate("@alice", "@bob");
  const bobs = await world.login("@bob");
  for (let i = 0; i < 8; i++) await bobs.ask(`notify:ttr:-1:@alice:k${i}.x@bob:v`);
  assert(world.store.listKeys(alice, "cached:").length < 5);
  const client = await world.login("@alice");
  const answers: string[] = [];
  for (let i = 0; i < 8; i++) answers.push(await client.ask(`update:k${i}.x@alice v`));
  assertMatch(answers[0] ?? "", /^data:/);
  assertMatch(answers.at(-1) ?? "", /^error:AT0011-.*too many keys\n@alice@$/);
  assertMatch(await client.ask("update:k0.x@alice again"), /^data:/);
  await client.ask("delete:k0.x@alice");
  assertMatch(await client.ask("update:new.x@alice v"), /^data:/);
});

Deno.test("times never go back within a mailbox, even when the clock does", async () => {
  await using world = new World();
  await world.activate("@alice");
  const client = await world.login("@alice");
  await client.ask("notify:id:n1:@alice:k.x@alice:v");
  world.clock.advance(-60_000);
  await client.ask("notify:id:n2:@alice:k.x@alice:v");
  const [first, second] = ["n1", "n2"].map((id) => world.store.getNotification(alice, id));
  assert((second?.epochMillis ?? 0) > (first?.epochMillis ?? 0));
});

Deno.test("a store that fails is AT0002 to the client, and ends the connection", async () => {
  await using world = new World();
  await world.activate("@alice");
  const client = await world.login("@alice");
  world.store[Symbol.dispose]();
  await client.send("update:x.y@alice v\n");
  await settle();
  assertEquals(client.takeWrites(), ["error:AT0002-DataStore exception : storage failed\n@alice@"]);
  assert(!client.isServed);
});
