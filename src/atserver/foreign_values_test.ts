import { assertEquals, assertMatch } from "../../tests/assert.ts";
import { World } from "../../tests/at_server_world.ts";
import { AtError, parseAtSign } from "../atprotocol/wire/mod.ts";

const alice = parseAtSign("@alice");

/** What @bob's own server would answer. */
function answer(key: string, data: string | null, metaData: Record<string, unknown> = {}): string {
  return JSON.stringify({ key, data, metaData: { createdBy: "@bob", ...metaData } });
}

Deno.test("lookup of a foreign atSign's key asks its server as the owner, and caches as its ttr says", async () => {
  await using world = new World();
  await world.activate("@alice");
  const client = await world.login("@alice");
  world.peers.onRequest = () =>
    answer("@alice:k.x@bob", "secret", { ttl: 100_000, ttr: 10, isEncrypted: true, ivNonce: "n" });
  assertEquals(await client.ask("lookup:k.x@bob"), "data:secret\n@alice@");
  assertEquals(world.peers.requests, [
    { peer: parseAtSign("@bob"), as: alice, line: "lookup:all:k.x@bob\n" },
  ]);
  assertMatch(
    await client.ask("lookup:all:k.x@bob"),
    /^data:\{"key":"cached:@alice:k.x@bob","data":"secret",.*"isEncrypted":true,"ivNonce":"n"\}\}\n/,
  );
  assertEquals(world.peers.requests.length, 1);
  assertMatch(
    await client.ask("lookup:bypassCache:true:all:k.x@bob"),
    /^data:\{"key":"@alice:k.x@bob"/,
  );
  assertEquals(world.peers.requests.length, 2);
  world.clock.advance(10_001);
  await client.ask("lookup:k.x@bob");
  assertEquals(world.peers.requests.length, 3, "the copy was due");
});

Deno.test("a foreign value without ttr is not kept; one that is gone takes its copy along", async () => {
  await using world = new World();
  await world.activate("@alice");
  const client = await world.login("@alice");
  world.peers.onRequest = () => answer("@alice:k.x@bob", "v");
  await client.ask("lookup:k.x@bob");
  assertEquals(await client.ask("scan cached"), "data:[]\n@alice@");
  world.peers.onRequest = () => answer("@alice:k.x@bob", "v", { ttr: -1 });
  await client.ask("lookup:k.x@bob");
  assertEquals(await client.ask("scan cached"), 'data:["cached:@alice:k.x@bob"]\n@alice@');
  world.peers.onRequest = () => "null";
  const gone =
    "error:AT0015-key not found : Exception: @alice:k.x@bob does not exist in keystore\n@alice@";
  assertEquals(await client.ask("lookup:bypassCache:true:k.x@bob"), gone);
  assertEquals(await client.ask("scan cached"), "data:[]\n@alice@");
});

Deno.test("a peer's refusal reaches the client with its code and leaves the connection open", async () => {
  await using world = new World();
  await world.activate("@alice");
  const client = await world.login("@alice");
  const refusals: [AtError, string][] = [
    [
      new AtError("AT0015", "Exception: @alice:k.x@bob does not exist in keystore"),
      "error:AT0015-key not found : Exception: @alice:k.x@bob does not exist in keystore\n@alice@",
    ],
    [
      new AtError("AT0007", "Unable to find secondary address for atSign:bob"),
      "error:AT0007-Secondary server not found : Unable to find secondary address for atSign:bob\n@alice@",
    ],
    [
      new AtError("AT0013", "Exception: Unable to connect"),
      "error:AT0013-Connection Exception : Exception: Unable to connect\n@alice@",
    ],
  ];
  for (const [refusal, expected] of refusals) {
    world.peers.onRequest = () => {
      throw refusal;
    };
    for (const verb of ["lookup:k.x@bob", "plookup:k.x@bob", "scan:@bob"]) {
      assertEquals(await client.ask(verb), expected);
    }
  }
  for (const unusable of ["no JSON", answer("k.x@bob", "two\nlines")]) {
    world.peers.onRequest = () => unusable;
    for (const verb of ["lookup:k.x@bob", "plookup:all:k.x@bob", "scan:@bob"]) {
      assertMatch(await client.ask(verb), /^error:AT0011-.*unusable answer/);
    }
  }
  world.peers.onRequest = () => '["a.x@bob", 5, "b.x@bob"]';
  assertEquals(await client.ask("scan:@bob x$"), 'data:["a.x@bob","b.x@bob"]\n@alice@');
  assertEquals(world.peers.requests.at(-1)?.line, "scan x$\n");
});

Deno.test("a foreign public key is cached for a day; a new one puts the shared key aside", async () => {
  await using world = new World();
  await world.activate("@alice");
  const client = await world.login("@alice");
  world.peers.onRequest = () => answer("public:publickey@bob", "KEY-1");
  assertEquals(await client.ask("plookup:publickey@bob"), "data:KEY-1\n@alice@");
  assertEquals(world.peers.requests[0]?.as, null);
  assertMatch(await client.ask("plookup:all:publickey@bob"), /"key":"cached:public:publickey@bob"/);
  assertEquals(world.peers.requests.length, 1);
  await client.ask("update:shared_key.bob@alice AES");
  world.peers.onRequest = () => answer("public:publickey@bob", "KEY-2");
  assertEquals(await client.ask("plookup:publickey@bob"), "data:KEY-1\n@alice@");
  world.clock.advance(24 * 3_600_000 + 1);
  assertEquals(await client.ask("plookup:publickey@bob"), "data:KEY-2\n@alice@");
  assertMatch(await client.ask("llookup:shared_key.bob@alice"), /^error:AT0015/);
  assertMatch(await client.ask("scan shared_key"), /\["shared_key\.bob\.until\.\d+@alice"\]/);
});

Deno.test("a limited enrollment sees of a foreign scan only what it may read", async () => {
  await using world = new World();
  await world.activate("@alice");
  world.enroll("@alice", "e1", { sshnp: "r" });
  const client = await world.login("@alice", "e1");
  world.peers.onRequest = () => '["a.sshnp@bob","a.other@bob","shared_key@bob"]';
  assertEquals(await client.ask("scan:@bob"), 'data:["a.sshnp@bob","shared_key@bob"]\n@alice@');
});

Deno.test("each new connection to a peer tells of its public key", async () => {
  await using world = new World();
  await world.activate("@alice", "@carol");
  const client = await world.login("@alice");
  const bob = parseAtSign("@bob");
  const tell = (as: typeof alice | null, data: string | null): void =>
    world.peers.onPublicKey?.(bob, as, answer("public:publickey@bob", data));
  tell(null, "KEY-0");
  assertEquals(await client.ask("scan cached"), "data:[]\n@alice@");
  tell(alice, "KEY-1");
  assertEquals(await client.ask("llookup:cached:public:publickey@bob"), "data:KEY-1\n@alice@");
  await client.ask("update:shared_key.bob@alice AES");
  const before = await client.ask("stats:3");
  tell(alice, "KEY-1");
  world.peers.onPublicKey?.(bob, alice, "no JSON");
  tell(alice, null);
  tell(alice, "two\nlines");
  tell(alice, "K".repeat(20_000));
  assertEquals(await client.ask("stats:3"), before);
  tell(null, "KEY-2");
  assertEquals(await client.ask("llookup:cached:public:publickey@bob"), "data:KEY-2\n@alice@");
  assertMatch(await client.ask("llookup:shared_key.bob@alice"), /^error:AT0015/);
  const name = `shared_key.bob.until.${world.clock.now()}@alice`;
  assertEquals(await client.ask("scan shared_key"), `data:["${name}"]\n@alice@`);
  assertEquals(await client.ask(`llookup:${name}`), "data:AES\n@alice@");
  const other = await world.login("@carol");
  assertEquals(await other.ask("scan cached"), "data:[]\n@carol@");
});

Deno.test("a value that its owner shares without ttr from now on is no longer kept", async () => {
  await using world = new World();
  await world.activate("@alice");
  const client = await world.login("@alice");
  world.peers.onRequest = () => answer("@alice:k.x@bob", "v", { ttr: -1, ttl: 60_000 });
  await client.ask("lookup:k.x@bob");
  world.peers.onRequest = () => answer("@alice:k.x@bob", "v", { ttr: 5 });
  await client.ask("lookup:bypassCache:true:k.x@bob");
  const copy = await client.ask("llookup:meta:cached:@alice:k.x@bob");
  assertMatch(copy, /"version":1,"ttr":5,"isBinary"/);
  world.peers.onRequest = () => answer("@alice:k.x@bob", "v");
  await client.ask("lookup:bypassCache:true:k.x@bob");
  assertEquals(await client.ask("scan cached"), "data:[]\n@alice@");
});
