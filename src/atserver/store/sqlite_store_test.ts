import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { parseAtSign } from "../../atprotocol/wire/mod.ts";
import { NoportsError } from "../../base/mod.ts";
import { SCHEMA_STEPS } from "./_schema.ts";
import { openSqliteStore } from "./sqlite_store.ts";
import { testStore } from "./store_conformance.ts";

const alice = parseAtSign("@alice");

testStore("SqliteStore in memory", () => openSqliteStore(":memory:"), openSqliteStore);

const folder = Deno.makeTempDirSync();
let files = 0;
testStore(
  "SqliteStore in a file",
  () => openSqliteStore(`${folder}/${files++}.db`),
  openSqliteStore,
);

Deno.test("SqliteStore keeps what was committed when the process dies with the file open", () => {
  const path = `${folder}/crash.db`;
  using store = openSqliteStore(path);
  store.addAtSign(alice, 1);
  for (let i = 0; i < 100; i++) {
    store.putKey(alice, { key: `k${i}@alice`, value: "v", metadata: {} }, "*");
  }
  // a machine that lost its power has the files as they are now, the log not folded in
  const after = `${folder}/after.db`;
  let middle = 0;
  store.transaction(() => {
    store.putKey(alice, { key: "half@alice", value: "v", metadata: {} }, "*");
    Deno.copyFileSync(path, after);
    Deno.copyFileSync(`${path}-wal`, `${after}-wal`);
    middle = store.countKeys(alice);
  });
  assertEquals(middle, 101);
  using reopened = openSqliteStore(after);
  assertEquals(reopened.countKeys(alice), 100);
  assertEquals(reopened.lastCommitId(alice), 99);
});

Deno.test("SqliteStore keeps every acknowledged write of a process that is killed", async () => {
  const path = `${folder}/killed.db`;
  const module = new URL("./sqlite_store.ts", import.meta.url);
  const writer = `import { openSqliteStore } from ${JSON.stringify(module.href)};
    const store = openSqliteStore(Deno.args[0]);
    store.addAtSign("@alice", 1);
    for (let i = 0; ; i++) {
      store.putKey("@alice", { key: "k" + i, value: "v", metadata: {} }, "*");
      await Deno.stdout.write(new TextEncoder().encode(i + "\\n"));
    }`;
  const script = `${folder}/writer.ts`;
  Deno.writeTextFileSync(script, writer);
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", config, script, path],
    stdout: "piped",
  }).spawn();
  let said = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    said += decoder.decode(chunk, { stream: true });
    if (said.length > 200) child.kill("SIGKILL");
  }
  await child.status;
  const acknowledged = said.split("\n").slice(0, -1);
  using store = openSqliteStore(path);
  assert(acknowledged.length > 50);
  for (const i of acknowledged) assert(store.getKey(alice, `k${i}`) !== null, `k${i} is lost`);
});

Deno.test("SqliteStore opens what it closed, and makes the file private", () => {
  const path = `${folder}/again.db`;
  {
    using store = openSqliteStore(path);
    store.addAtSign(alice, 7);
  }
  using store = openSqliteStore(path);
  assertEquals(store.listAtSigns(), [{ atSign: alice, activated: false, createdAt: 7 }]);
  if (Deno.build.os !== "windows") assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
});

Deno.test("openSqliteStore() refuses a file that is open elsewhere, broken or of a later version", async () => {
  const open = `${folder}/open.db`;
  using _store = openSqliteStore(open);
  await assertRejects(() => openSqliteStore(open), NoportsError, { code: "already_running" });

  const broken = `${folder}/broken.db`;
  Deno.writeTextFileSync(broken, "this is no database, only a text of some length".repeat(20));
  await assertRejects(() => openSqliteStore(broken), NoportsError, { code: "storage_failed" });

  const later = `${folder}/later.db`;
  openSqliteStore(later)[Symbol.dispose]();
  const database = new DatabaseSync(later);
  database.exec("UPDATE schema_version SET version = 99");
  database.close();
  await assertRejects(() => openSqliteStore(later), NoportsError, { code: "storage_failed" });
  await assertRejects(() => openSqliteStore(`${folder}/none/x.db`), NoportsError, {
    code: "storage_failed",
  });
});

Deno.test("SqliteStore brings a store of the first version up to date with everything in it", () => {
  const path = `${folder}/first.db`;
  const old = new DatabaseSync(path);
  old.exec("CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT");
  old.exec(SCHEMA_STEPS[0] ?? "");
  old.exec(`
    INSERT INTO schema_version VALUES (1);
    INSERT INTO at_signs VALUES (7, '@alice', 1000, 2);
    INSERT INTO keys VALUES (1, 7, 'x@alice', 'one', '{"version":3}', NULL, NULL);
    INSERT INTO keys VALUES (2, 7, 'public:publickey@alice', 'KEY', '{}', NULL, 99);
    INSERT INTO commits VALUES (7, 'x@alice', 0, '*'), (7, 'gone@alice', 1, '-');
    INSERT INTO notifications VALUES (1, 7, 'n1', '@alice', '@bob', 'sent', 'queued', 2, 0, 5, 500, '@bob:k@alice',
      'v', '{"operation":"update","messageType":"key","priority":"low","strategy":"all","latestN":1,
      "isEncrypted":true,"metadata":null}', 'SYSTEM');
    INSERT INTO enrollments VALUES (7, 'e1', '{"id":"e1","state":"approved","createdAt":1,"expiresAt":null}');
  `);
  old.close();
  for (const _ of ["migrated", "opened again"]) {
    using store = openSqliteStore(path);
    assertEquals(store.listAtSigns(), [{ atSign: alice, activated: true, createdAt: 1000 }]);
    const found = store.getKey(alice, "x@alice");
    assertEquals([found?.value, found?.metadata.version], ["one", 3]);
    assertEquals(store.listExpiredKeys(100, 9).map(({ key }) => key), ["public:publickey@alice"]);
    assertEquals(store.listCommits(alice).map((commit) => commit.operation), ["*", "-"]);
    const note = store.getNotification(alice, "n1");
    assertEquals([note?.value, note?.tries, note?.strategy], ["v", 2, "all"]);
    assertEquals(store.listQueuedPairs().map(({ from, to }) => `${from} ${to}`), ["@alice @bob"]);
    assertEquals(store.getEnrollment(alice, "e1")?.state, "approved");
    assertEquals(store.checkIntegrity(), []);
    assertEquals(store.schemaVersion, SCHEMA_STEPS.length);
  }
});

Deno.test("SqliteStore syncs each commit to the disk", () => {
  const path = `${folder}/pragma.db`;
  using store = openSqliteStore(path);
  store.addAtSign(alice, 1);
  // WAL is in use, and the write is in the log before anything else happens
  assert(Deno.statSync(`${path}-wal`).size > 0);
});

Deno.test("SqliteStore says storage_failed when it is closed", async () => {
  const store = openSqliteStore(":memory:");
  store.addAtSign(alice, 1);
  store[Symbol.dispose]();
  await assertRejects(() => store.listAtSigns(), NoportsError, { code: "storage_failed" });
});

globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
