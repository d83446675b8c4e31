import { assert, assertEquals, assertMatch } from "../../tests/assert.ts";
import { World } from "../../tests/at_server_world.ts";
import { AtError } from "../atprotocol/wire/mod.ts";
import { chooseRefreshHour, msUntilHour } from "./cache_refresh.ts";

const HOUR_MS = 3_600_000;

Deno.test("the refresh waits for its hour, a day at most", () => {
  const noon = Date.parse("2025-01-31T12:00:00Z");
  assertEquals(msUntilHour(13, noon), HOUR_MS);
  assertEquals(msUntilHour(12, noon), 24 * HOUR_MS);
  assertEquals(msUntilHour(11, noon), 23 * HOUR_MS);
  assertEquals(msUntilHour(12, noon - 1), 1);
  const hours = new Set(Array.from({ length: 24 }, (_, i) => chooseRefreshHour(noon + i * 1000)));
  assertEquals(hours.size, 24);
});

Deno.test("copies past their time are asked for again every day, or dropped", async () => {
  await using world = new World();
  await world.activate("@alice");
  const client = await world.login("@alice");
  const say = (data: string, ttr: number) =>
    world.peers.onRequest = () => JSON.stringify({ key: "", data, metaData: { ttr } });
  say("old", 60);
  await client.ask("lookup:replaced.x@bob");
  await client.ask("lookup:gone.x@bob");
  await client.ask("plookup:shown.x@bob");
  await client.ask("lookup:first.x@silent");
  await client.ask("lookup:second.x@silent");
  say("for ever", -1);
  await client.ask("lookup:kept.x@bob");
  say("old", 172_800);
  await client.ask("lookup:fresh.x@bob");
  world.core.start();
  await world.settle();
  world.peers.requests.length = 0;
  world.peers.onRequest = ({ peer, line }) => {
    if (peer === "@silent") throw new AtError("AT0021", "away");
    if (line.includes("gone")) throw new AtError("AT0015", "gone");
    return JSON.stringify({ key: "", data: "new", metaData: { ttr: 60 } });
  };
  world.clock.advance(24 * HOUR_MS);
  await world.settle();
  assertEquals(world.peers.requests.map(({ as, line }) => `${as} ${line.trim()}`), [
    "@alice lookup:all:first.x@silent",
    "@alice lookup:all:gone.x@bob",
    "@alice lookup:all:replaced.x@bob",
    "null lookup:all:shown.x@bob",
  ]);
  const again = await world.login("@alice");
  assertEquals(
    await again.ask("scan cached"),
    'data:["cached:@alice:first.x@silent","cached:@alice:fresh.x@bob","cached:@alice:kept.x@bob",' +
      '"cached:@alice:replaced.x@bob","cached:@alice:second.x@silent","cached:public:shown.x@bob"]' +
      "\n@alice@",
  );
  assertEquals(await again.ask("llookup:cached:@alice:replaced.x@bob"), "data:new\n@alice@");
  assertMatch(await again.ask("llookup:all:cached:public:shown.x@bob"), /"data":"new"/);
});

Deno.test("a refresh under way does not hold up the end of the server", async () => {
  const world = new World();
  await world.activate("@alice");
  const client = await world.login("@alice");
  world.peers.onRequest = () => JSON.stringify({ key: "", data: "old", metaData: { ttr: 60 } });
  await client.ask("lookup:k.x@bob");
  world.core.start();
  await world.settle();
  const never = Promise.withResolvers<string>();
  world.peers.onRequest = () => never.promise;
  world.clock.advance(24 * HOUR_MS);
  await world.settle();
  assert(world.peers.requests.length === 2);
  await world[Symbol.asyncDispose]();
});
