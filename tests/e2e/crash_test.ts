/**
 * `kill -9` of the real server during a load of writes, again and again on one data folder: after each restart every
 * write that was acknowledged is there, nothing is half there, and the database is sound.
 * `NOPORTS_CRASH_ROUNDS` says how often; 50 on CI, 10 elsewhere.
 */

import { DatabaseSync } from "node:sqlite";
import { RoleProcess } from "../../src/demo/mod.ts";
import { assert, assertEquals } from "../assert.ts";
import { RawClient } from "./raw_client.ts";

const ROUNDS = Number(
  Deno.env.get("NOPORTS_CRASH_ROUNDS") ?? (Deno.env.get("CI") === "true" ? 50 : 10),
);
/** No round may take longer than a few seconds, so neither may all. */
const LIMIT_MS = 20_000 + ROUNDS * 4_000;
const BIN = new URL("../../bin/noports", import.meta.url).pathname;
const SENDER = "@alice";
const RECEIVER = "@bob";
/** Acknowledged writes after which the server is killed, the least and how many more at most. */
const LEAST_WRITES = 60;
const MORE_WRITES = 240;
/** So that all of them fit into the mailbox, which holds 10,000. */
const NOTIFICATIONS_PER_ROUND = 150;

interface Acknowledged {
  /** What each key holds. */
  readonly keys: Map<string, string>;
  readonly notifications: Set<string>;
  /** Of a key that is written again and again: what it held when the last acknowledgement came. */
  counter: number;
}

Deno.test("the server loses no acknowledged write, however often it is killed", async () => {
  const folder = await Deno.makeTempDir({ prefix: "noports-crash-" });
  const timeout = AbortSignal.timeout(LIMIT_MS);
  try {
    const codes = new Map<string, string>();
    for (const atSign of [SENDER, RECEIVER]) codes.set(atSign, await addAtSign(folder, atSign));
    const all: Acknowledged = { keys: new Map(), notifications: new Set(), counter: -1 };
    for (let round = 0; round < ROUNDS; round++) {
      await killDuringWrites({ folder, codes, all, round, signal: timeout });
      await checkCopy(folder, all);
    }
    assert(all.keys.size > ROUNDS, `only ${all.keys.size} keys written`);
    assert(all.notifications.size > ROUNDS, `only ${all.notifications.size} notifications sent`);
    await using server = startServer(folder);
    await checkOverWire(await readyAt(server, timeout), codes, all);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** One life of the server, which first has to know what it acknowledged in its last one. */
async function killDuringWrites({ folder, codes, all, round, signal }: {
  folder: string;
  codes: ReadonlyMap<string, string>;
  all: Acknowledged;
  round: number;
  signal: AbortSignal;
}): Promise<void> {
  await using server = startServer(folder);
  const { listen, caPem } = await readyAt(server, signal);
  using clients = new DisposableStack();
  const connect = async (): Promise<RawClient> => {
    const client = clients.use(await RawClient.connect(listen, caPem));
    await client.logIn(SENDER, codes.get(SENDER) ?? "");
    return client;
  };
  const counted = await connect();
  const found = await counted.ask(`llookup:counter.crash${SENDER}`);
  if (all.counter >= 0) {
    // one more may have been written whose acknowledgement did not get through
    const value = Number(found.slice("data:".length));
    assert(value === all.counter || value === all.counter + 1, `${found}, not ${all.counter}`);
    all.counter = value;
  }

  const writers = [await connect(), await connect()];
  const notifier = await connect();
  let left = LEAST_WRITES + Math.floor(Math.random() * MORE_WRITES);
  const acknowledged = (): void => {
    if (--left === 0) server.kill("SIGKILL");
  };
  await Promise.all([
    untilKilled(async () => {
      const next = all.counter + 1;
      const answer = await askUntilKilled(counted, `update:counter.crash${SENDER} ${next}`);
      assert(/^data:\d+$/.test(answer), answer);
      all.counter = next;
      acknowledged();
    }),
    ...writers.map((client, n) => writeKeys(client, `r${round}_${n}`, all, acknowledged)),
    notifyOften(notifier, `r${round}`, all, acknowledged),
  ]);
  await server.ended();
}

async function writeKeys(
  client: RawClient,
  name: string,
  all: Acknowledged,
  acknowledged: () => void,
): Promise<void> {
  let n = 0;
  await untilKilled(async () => {
    const key = `${name}_${n++}.crash${SENDER}`;
    const value = `value of ${key} ${"x".repeat(n % 500)}`;
    assert(/^data:\d+$/.test(await askUntilKilled(client, `update:${key} ${value}`)));
    all.keys.set(key, value);
    acknowledged();
  });
}

async function notifyOften(
  client: RawClient,
  name: string,
  all: Acknowledged,
  acknowledged: () => void,
): Promise<void> {
  let n = 0;
  await untilKilled(async () => {
    if (n >= NOTIFICATIONS_PER_ROUND) throw new Killed();
    const id = `${name}_${n++}`;
    const line = `notify:id:${id}:ttln:86400000:${RECEIVER}:note.crash${SENDER}:${id}`;
    assertEquals(await askUntilKilled(client, line), `data:${id}`);
    all.notifications.add(id);
    acknowledged();
  });
}

/** The connection went with the server. */
class Killed extends Error {}

async function askUntilKilled(client: RawClient, line: string): Promise<string> {
  try {
    return await client.ask(line);
  } catch {
    throw new Killed();
  }
}

async function untilKilled(step: () => Promise<void>): Promise<void> {
  try {
    while (true) await step();
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
  }
}

/** Looks into a copy of what the dead server left: the server itself recovers the original. */
async function checkCopy(folder: string, all: Acknowledged): Promise<void> {
  const copy = `${folder}/copy`;
  await Deno.mkdir(copy, { recursive: true });
  for await (const { name } of Deno.readDir(`${folder}/data`)) {
    if (name.startsWith("atserver.db")) {
      await Deno.copyFile(`${folder}/data/${name}`, `${copy}/${name}`);
    }
  }
  using database = new DatabaseSync(`${copy}/atserver.db`);
  const column = (sql: string): unknown[] =>
    database.prepare(sql).all().map((row) => Object.values(row)[0]);
  assertEquals(column("PRAGMA integrity_check"), ["ok"]);
  assertEquals(column("PRAGMA foreign_key_check"), []);

  const stored = new Map(
    database.prepare("SELECT key, value FROM keys").all().map((row) => [row["key"], row["value"]]),
  );
  for (const [key, value] of all.keys) assertEquals(stored.get(key), value, key);
  for (const type of ["sent", "received"]) {
    const ids = new Set(column(`SELECT id FROM notifications WHERE type = '${type}'`));
    for (const id of all.notifications) assert(ids.has(id), `${type} notification ${id} is lost`);
  }
  // steps of one command that belong together
  assertEquals(
    column(`SELECT id FROM notifications AS sent WHERE type = 'sent' AND NOT EXISTS (
      SELECT 1 FROM notifications WHERE type = 'received' AND id = sent.id)`),
    [],
    "sent, but not received",
  );
  assertEquals(
    column(`SELECT key FROM keys AS stored WHERE key LIKE '%.crash@alice' AND NOT EXISTS (
      SELECT 1 FROM commits WHERE owner = stored.owner AND key = stored.key)`),
    [],
    "stored, but not in the commit log",
  );
  assertEquals(
    column(`SELECT at_sign FROM at_signs JOIN commits ON owner = at_signs.id
      WHERE commit_id >= next_commit_id`),
    [],
    "a commit id that will be used again",
  );
  database.close();
  await Deno.remove(copy, { recursive: true });
}

/** What a client sees of it. */
async function checkOverWire(
  { listen, caPem }: { listen: string; caPem: string },
  codes: ReadonlyMap<string, string>,
  all: Acknowledged,
): Promise<void> {
  using sender = await RawClient.connect(listen, caPem);
  await sender.logIn(SENDER, codes.get(SENDER) ?? "");
  const listed = new Set<string>(JSON.parse((await sender.ask("scan")).slice("data:".length)));
  for (const key of all.keys.keys()) assert(listed.has(key), `${key} is lost`);

  using receiver = await RawClient.connect(listen, caPem);
  await receiver.logIn(RECEIVER, codes.get(RECEIVER) ?? "");
  await sender.ask(`notify:id:end:${RECEIVER}:end.crash${SENDER}:end`);
  await receiver.send("monitor:strict:0");
  const missing = new Set(all.notifications);
  let previous = 0;
  for (let line = await receiver.next(); line !== null; line = await receiver.next()) {
    const { id, epochMillis } = JSON.parse(line.slice("notification: ".length));
    assert(epochMillis > previous, "out of order");
    previous = epochMillis;
    missing.delete(id);
    if (id === "end") break;
  }
  assertEquals([...missing], []);
}

async function addAtSign(folder: string, atSign: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(BIN, {
    args: ["server", "add", atSign, "--data-dir", `${folder}/data`],
    env: { HOME: folder },
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  assert(success, decode(stderr));
  return decode(stdout);
}

function startServer(folder: string): RoleProcess {
  return new RoleProcess({
    name: "server",
    command: [BIN],
    args: ["server", "run", "--data-dir", `${folder}/data`, "--hostname", "localhost"]
      .concat("--listen", "127.0.0.1:0", "--directory-listen", "127.0.0.1:0"),
    env: { HOME: folder },
  });
}

async function readyAt(
  server: RoleProcess,
  signal: AbortSignal,
): Promise<{ listen: string; caPem: string }> {
  const { listen, ca } = JSON.parse(await server.line(/"ready":true/, signal));
  return { listen, caPem: await Deno.readTextFile(ca) };
}
