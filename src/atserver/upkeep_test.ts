/** Pages of `sync`, caps of `batch`, and what is kept over a restart: block list, statistics, marks of deletions. */

import { assert, assertEquals, assertMatch } from "../../tests/assert.ts";
import { World } from "../../tests/at_server_world.ts";
import { parseAtSign } from "../atprotocol/wire/mod.ts";
import { silentLog } from "../base/mod.ts";
import { openSqliteStore } from "./mod.ts";
import { batchWith } from "./verbs/batch.ts";
import type { Command } from "./verbs/command.ts";
import { takePage } from "./verbs/sync.ts";

interface Entry {
  readonly atKey: string;
  readonly commitId: number;
}

async function syncAll(client: { ask(line: string): Promise<string> }): Promise<Entry[][]> {
  const pages: Entry[][] = [];
  for (let from = -1;;) {
    const reply = await client.ask(`sync:from:${from}:limit:1000`);
    const page = JSON.parse(reply.split("\n")[0]?.slice("data:".length) ?? "") as Entry[];
    const last = page.at(-1);
    if (last === undefined) return pages;
    pages.push(page);
    from = last.commitId;
  }
}

Deno.test("sync gives 25 entries at a time, every one once, in order", async () => {
  await using world = new World();
  await world.activate("@alice");
  const client = await world.login("@alice");
  for (let i = 0; i < 60; i++) await client.ask(`update:k${i}.x@alice ${i}`);
  const pages = await syncAll(client);
  assertEquals(pages.map((page) => page.length), [25, 25, 11]);
  assertEquals(
    pages.flat().map(({ commitId }) => commitId),
    Array.from({ length: 61 }, (_, i) => i),
  );
});

Deno.test("a page of sync ends before it is too long, but has one entry at least", () => {
  assertEquals(takePage(["aaa", "bb", "c", "dddddd", "e"], 6), ["aaa", "bb", "c"]);
  assertEquals(takePage(["dddddd€", "e"], 6), ["dddddd€"]);
  assertEquals(takePage(["dd€", "e"], 5), ["dd€"]);
  assertEquals(takePage([], 6), []);
});

Deno.test("batch runs nothing more once its results are too long", async () => {
  const ran: string[] = [];
  const batch = batchWith((_, verb) => {
    ran.push(verb.verb);
    return Promise.resolve({ kind: "data", text: verb.verb === "scan" ? "x".repeat(40_000) : "1" });
  }, 106_000);
  const command = {
    services: { basics: { log: silentLog } },
    session: { login: { kind: "owner" }, connection: { signal: new AbortController().signal } },
  } as unknown as Command;
  const texts = ["scan", "scan", "info", "info"];
  const outcome = await batch(command, {
    verb: "batch",
    commands: texts.map((text, id) => ({ id, command: text })),
  });
  assert(outcome.kind === "data");
  const results = JSON.parse(outcome.text) as { response: Record<string, string> }[];
  assertEquals(results.map(({ response }) => response["error_code"] ?? "ok"), [
    "ok",
    "ok",
    "AT0005",
    "AT0005",
  ]);
  assertEquals(ran, ["scan", "scan"]);
});

Deno.test("batch refuses more commands than it may have", async () => {
  await using world = new World();
  await world.activate("@alice");
  const client = await world.login("@alice");
  const commands = (count: number) =>
    JSON.stringify(Array.from({ length: count }, (_, id) => ({ id, command: "info:brief" })));
  assertMatch(await client.ask(`batch:${commands(501)}`), /^error:AT0003/);
  assertMatch(await client.ask(`batch:${commands(500)}`), /^data:\[\{"id":0,/);
});

Deno.test("a batch of an enrollment that ends meanwhile closes without a word", async () => {
  await using world = new World();
  await world.activate("@alice");
  world.enroll("@alice", "e1", { "*": "rw", __manage: "rw" });
  const client = await world.login("@alice", "e1");
  const other = await world.login("@alice");
  world.peers.onRequest = async () => {
    await other.send('enroll:revoke:{"enrollmentId":"e1"}\n');
    return "null";
  };
  const batch = ["lookup:k.x@bob", "update:late.x@alice 1"].map((command, id) => ({ id, command }));
  await client.send(`batch:${JSON.stringify(batch)}\n`);
  await world.settle();
  assertEquals(client.takeWrites(), []);
  assert(!client.isServed);
  assertEquals(world.store.getKey(parseAtSign("@alice"), "late.x@alice"), null);
});

Deno.test("block list, times of logins and what was cleared away outlive the process", async () => {
  using store = openSqliteStore(":memory:");
  {
    await using world = new World({ store });
    await world.activate("@alice", "@bob");
    world.core.start();
    const client = await world.login("@alice");
    await client.ask("config:block:add:@carol");
    const bob = await world.login("@bob");
    await bob.ask("notify:ttln:1000:@alice:k.x@bob:v");
    world.clock.advance(180_000);
    await world.settle();
  }
  await using world = new World({ store });
  world.clock.advance(600_000);
  const client = await world.login("@alice");
  assertEquals(await client.ask("config:block:show"), 'data:["@carol"]\n@alice@');
  assertEquals(
    await client.ask("stats:8,14"),
    'data: [{"id":"8","name":"LastLoggedInDatetime","value":"2023-11-14 22:23:20.000Z"}, ' +
      '{"id":"14","name":"NotificationCompactionStats","value":"{\\"lastCompactionRun\\":\\"2023-11-14 22:16:20.000Z\\",' +
      '\\"compactionDurationInMills\\":\\"0\\",\\"preCompactionEntriesCount\\":\\"1\\",\\"postCompactionEntriesCount\\":\\"0\\",' +
      '\\"deletedKeysCount\\":\\"1\\"}"}]\n@alice@',
  );
});

Deno.test("marks of deleted keys do not grow without end", async () => {
  await using world = new World({ limits: { keysPerAtSign: 100 } });
  await world.activate("@alice");
  const client = await world.login("@alice");
  for (let i = 0; i < 1_000; i++) await client.send(`delete:k${i}.x@alice\n`);
  await world.settle();
  client.takeWrites();
  assertEquals(
    await client.ask("stats:12"),
    'data: [{"id":"12","name":"CommitLogCompactionStats","value":"{\\"lastCompactionRun\\":\\"2023-11-14 22:13:20.000Z\\",' +
      '\\"compactionDurationInMills\\":\\"0\\",\\"preCompactionEntriesCount\\":\\"1000\\",\\"postCompactionEntriesCount\\":\\"100\\",' +
      '\\"deletedKeysCount\\":\\"900\\"}"}]\n@alice@',
  );
  const [first = []] = await syncAll(client);
  assertEquals(first.slice(0, 2).map(({ atKey }) => atKey), [
    "public:publickey@alice",
    "k900.x@alice",
  ]);
});
