import { assert, assertEquals, assertMatch } from "../../tests/assert.ts";
import { settle, World } from "../../tests/at_server_world.ts";
import { AtError, parseAtSign } from "../atprotocol/wire/mod.ts";
import { openSqliteStore } from "./store/sqlite_store.ts";

const alice = parseAtSign("@alice");

Deno.test("a notification to a foreign atSign is stored, acknowledged, then delivered as upstream expects it", async () => {
  await using world = new World();
  await world.activate("@alice");
  let statusAtDelivery: string | undefined;
  world.peers.onRequest = () => {
    statusAtDelivery = world.store.getNotification(alice, "n1")?.status;
    return "success";
  };
  const client = await world.login("@alice");
  await client.ask(
    "notify:id:n1:update:messageType:key:priority:high:strategy:all:latestN:1:notifier:SYSTEM:ttln:60000:ttl:10000:" +
      "ttr:-1:dataSignature:D:isBinary:true:isEncrypted:true:sharedKeyEnc:AAA=:pubKeyCS:d41d:ivNonce:Zm9v:" +
      "@bob:Req.dev1.sshnp@alice:8f Xw:x@y",
  );
  assertEquals(world.peers.requests, [{
    peer: parseAtSign("@bob"),
    as: alice,
    line:
      "notify:id:n1:update:messageType:key:notifier:SYSTEM:ttln:60000:ttl:10000:ttr:-1:ccd:false:" +
      "isEncrypted:true:sharedKeyEnc:AAA=:pubKeyCS:d41d:ivNonce:Zm9v:@bob:Req.dev1.sshnp@alice:8f Xw:x@y\n",
  }]);
  assertEquals(statusAtDelivery, "queued");
  assertEquals(world.store.getNotification(alice, "n1")?.status, "delivered");
});

Deno.test("each form of notification, update and delete is delivered in its own form", async () => {
  await using world = new World();
  await world.activate("@alice");
  world.peers.onRequest = () => "success";
  const client = await world.login("@alice");
  await client.ask("notify:id:n1:messageType:text:@bob:hello you");
  await client.ask("notify:id:n2:@bob:public:shown.wavi@alice:v");
  await client.ask("update:ttl:5000:@bob:k.wavi@alice v");
  await client.ask("delete:@bob:k.wavi@alice");
  const lines = world.peers.requests.map(({ line }) => line.replace(/[0-9a-f-]{36}/, "<id>"));
  assertEquals(lines, [
    "notify:id:n1:update:messageType:text:notifier:SYSTEM:ttln:900000:isEncrypted:false:@bob:hello you\n",
    "notify:id:n2:update:messageType:key:notifier:SYSTEM:ttln:900000:isEncrypted:false:@bob:public:shown.wavi@alice:v\n",
    "notify:id:<id>:update:messageType:key:notifier:system:ttln:900000:ttl:5000:isEncrypted:false:@bob:k.wavi@alice:v\n",
    "notify:id:<id>:delete:messageType:key:notifier:system:ttln:900000:@bob:k.wavi@alice\n",
  ]);
});

Deno.test("a peer that is away gets everything in order when it returns", async () => {
  await using world = new World();
  await world.activate("@alice");
  world.core.start();
  const client = await world.login("@alice");
  for (const id of ["n1", "n2", "n3"]) await client.ask(`notify:id:${id}:@bob:k.x@alice:v`);
  assertEquals(world.peers.requests.length, 1, "one try for the queue, then a pause");
  assertEquals(world.store.getNotification(alice, "n3")?.status, "queued");
  world.clock.advance(5_000);
  await settle();
  assertEquals(world.peers.requests.length, 1);
  world.peers.onRequest = () => "success";
  await passMs(world, 8_000);
  assertEquals(deliveredIds(world).slice(1), ["n1", "n2", "n3"]);
  assertEquals(world.store.getNotification(alice, "n3")?.status, "delivered");
});

Deno.test("after 30 tries a notification is errored and asked for no more", async () => {
  await using world = new World();
  await world.activate("@alice");
  world.core.start();
  const client = await world.login("@alice");
  await client.ask("notify:id:n1:ttln:86400000:@bob:k.x@alice:v");
  await passMs(world, 400_000);
  assertEquals(world.peers.requests.length, 30);
  assertEquals(world.store.getNotification(alice, "n1")?.status, "errored");
});

Deno.test("an expired notification is dropped unsent", async () => {
  await using world = new World();
  await world.activate("@alice");
  world.core.start();
  const client = await world.login("@alice");
  await client.ask("notify:id:n1:ttln:5000:@bob:k.x@alice:v");
  world.peers.onRequest = () => "success";
  await passMs(world, 15_000);
  assertEquals(world.peers.requests.length, 1);
  assertEquals(world.store.getNotification(alice, "n1")?.status, "expired");
});

Deno.test("one notification that the peer refuses does not stop the others", async () => {
  await using world = new World();
  await world.activate("@alice");
  world.core.start();
  let refusing = true;
  world.peers.onRequest = ({ line }) => {
    if (refusing && line.includes(":n1:")) throw new AtError("AT0009", "no");
    return refusing && line.includes(":n2:") ? "something else" : "success";
  };
  const client = await world.login("@alice");
  await client.send(["n1", "n2", "n3"].map((id) => `notify:id:${id}:@bob:k.x@alice:v\n`).join(""));
  await settle();
  assertEquals(world.store.getNotification(alice, "n3")?.status, "delivered");
  assertEquals(world.store.getNotification(alice, "n1")?.status, "queued");
  refusing = false;
  await passMs(world, 13_000);
  assertEquals(world.store.getNotification(alice, "n1")?.status, "delivered");
  assertEquals(world.store.getNotification(alice, "n2")?.status, "delivered");
});

Deno.test("strategy latest keeps the newest of a notifier", async () => {
  await using world = new World();
  await world.activate("@alice");
  world.core.start();
  const client = await world.login("@alice");
  for (let i = 0; i < 5; i++) {
    await client.ask(`notify:id:n${i}:strategy:latest:latestN:2:notifier:app:@bob:k.x@alice:v`);
  }
  world.peers.onRequest = () => "success";
  await passMs(world, 13_000);
  assertEquals(deliveredIds(world).slice(1), ["n3", "n4"]);
});

Deno.test("what was queued is delivered after a restart", async () => {
  using store = openSqliteStore(":memory:");
  {
    await using world = new World({ store });
    await world.activate("@alice");
    await (await world.login("@alice")).ask("notify:id:n1:@bob:k.x@alice:v");
  }
  await using world = new World({ store });
  world.peers.onRequest = () => "success";
  world.core.start();
  await settle();
  assertEquals(deliveredIds(world), ["n1"]);
});

Deno.test("deliveries to different peers run side by side, within a cap; a silent one holds up nobody", async () => {
  await using world = new World({ limits: { parallelDeliveries: 2 } });
  await world.activate("@alice");
  const answers = new Map<string, (answer: string) => void>();
  world.peers.onRequest = ({ peer }) => new Promise((resolve) => answers.set(peer, resolve));
  const client = await world.login("@alice");
  for (const peer of ["@b", "@c", "@d"]) {
    await client.ask(`notify:id:n${peer.slice(1)}:${peer}:k.x@alice:v`);
  }
  assertEquals([...answers.keys()], ["@b", "@c"]);
  answers.get("@c")?.("success");
  await settle();
  assertEquals([...answers.keys()], ["@b", "@c", "@d"]);
  assertMatch(await client.ask("noop:0"), /^data:ok/);
  assert(answers.has("@b"));
});

function deliveredIds(world: World): string[] {
  return world.peers.requests.flatMap(({ line }) => /^notify:id:(\w+):/.exec(line)?.[1] ?? []);
}

async function passMs(world: World, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1000) {
    world.clock.advance(1000);
    for (let i = 0; i < 30; i++) await Promise.resolve();
  }
  await settle();
}
