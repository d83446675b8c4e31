import { assert, assertEquals, assertMatch, assertRejects } from "../../tests/assert.ts";
import { silentLog, systemClock, systemEntropy } from "../base/mod.ts";
import { NoportsError } from "../base/mod.ts";
import { parseAtSign } from "../atprotocol/wire/mod.ts";
import { addAtSign, listAtSigns, removeAtSign, resetAtSign } from "./admin.ts";
import { backUp, isSecretKey } from "./backup.ts";
import { describeDataDir } from "./data_dir.ts";
import { restore } from "./restore.ts";
import { readStatus } from "./status.ts";
import { openSqliteStore } from "./store/sqlite_store.ts";

const ALICE = parseAtSign("@alice");
const BOB = parseAtSign("@bob");
const PASSPHRASE = "correct horse battery";
const admin = { log: silentLog, clock: systemClock, entropy: systemEntropy, version: "test" };

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A data folder with an authority and two atSigns, one of them with secrets of every kind. */
async function fill(dataDir: string): Promise<{ code: string }> {
  const code = await addAtSign({ dataDir, atSign: ALICE }, admin);
  await addAtSign({ dataDir, atSign: BOB }, admin);
  using store = openSqliteStore(describeDataDir(dataDir).databasePath);
  const put = (key: string, value: string) =>
    store.putKey(ALICE, { key, value, metadata: { version: 0 } }, null);
  put("privatekey:signing_privatekey", "SIGNING-SECRET");
  put("privatekey:at_pkam_publickey", "PKAM-PUBLIC");
  put("private:abc123.__otp@alice", "otp");
  put("private:spp.__otp@alice", "SPP-SECRET");
  put("private:blocklist@alice", "@eve");
  put("phone.wavi@alice", "555");
  await Deno.mkdir(`${dataDir}/tls`, { mode: 0o700 });
  await Deno.writeTextFile(`${dataDir}/tls/ca.key.pem`, "CA-KEY-SECRET");
  await Deno.writeTextFile(`${dataDir}/tls/ca.pem`, "CA");
  await Deno.writeTextFile(`${dataDir}/tls/server.pem`, "SERVER-KEY-SECRET");
  return { code };
}

/** Reads it as text that holds every byte. */
async function readBytes(path: string): Promise<string> {
  return new TextDecoder("latin1").decode(await Deno.readFile(path));
}

async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) names.push(name);
  return names.sort();
}

Deno.test("a backup with a passphrase holds everything, and shows nothing", () =>
  withFolder(async (folder) => {
    const { code } = await fill(`${folder}/a`);
    const file = `${folder}/backup`;
    const result = await backUp({ dataDir: `${folder}/a`, file, passphrase: PASSPHRASE }, admin);
    assertEquals([result.encrypted, result.atSigns, result.leftOut], [true, 2, []]);
    assertEquals(result.bytes, (await Deno.stat(file)).size);
    assertEquals(((await Deno.stat(file)).mode ?? 0) & 0o777, 0o600);
    const bytes = await readBytes(file);
    for (const text of [code, "SECRET", "@alice", "SQLite"]) assert(!bytes.includes(text), text);
    assertMatch(bytes, /^noports-backup\n[^]{4}\{"version":1,.*"complete":true/);

    const dataDir = `${folder}/b`;
    const options = { dataDir, file, force: false };
    await assertRejects(() => restore({ ...options, passphrase: null }, admin), NoportsError, {
      code: "usage",
    });
    await assertRejects(
      () => restore({ ...options, passphrase: "wrong one" }, admin),
      NoportsError,
      {
        code: "auth_failed",
      },
    );
    assertEquals(await namesIn(dataDir), ["lock"], "nothing is left of the attempts");
    await restore({ ...options, passphrase: PASSPHRASE }, admin);
    assertEquals(await namesIn(dataDir), ["atserver.db", "lock", "tls"]);
    assertEquals(await readBytes(`${dataDir}/tls/ca.key.pem`), "CA-KEY-SECRET");
    using store = openSqliteStore(`${dataDir}/atserver.db`);
    assertEquals(store.getKey(ALICE, "privatekey:at_secret")?.value, code);
    assertEquals(store.getKey(ALICE, "phone.wavi@alice")?.value, "555");
  }));

Deno.test("a backup without a passphrase has no secrets in any byte, and says what is missing", () =>
  withFolder(async (folder) => {
    const { code } = await fill(`${folder}/a`);
    const file = `${folder}/backup`;
    const result = await backUp({ dataDir: `${folder}/a`, file, passphrase: null }, admin);
    assertEquals([result.encrypted, result.leftOut.length], [false, 4]);
    const bytes = await readBytes(file);
    for (const text of [code, "SECRET", "abc123"]) assert(!bytes.includes(text), text);
    assertMatch(bytes, /"complete":false,"leftOut":\["activation codes/);

    const dataDir = `${folder}/b`;
    const { head, atSigns } = await restore(
      { dataDir, file, force: false, passphrase: null },
      admin,
    );
    assertEquals([head.complete, atSigns.length], [false, 2]);
    assertEquals(await namesIn(dataDir), ["atserver.db", "lock"]);
    {
      using store = openSqliteStore(`${dataDir}/atserver.db`);
      assertEquals(store.listKeys(ALICE).map((entry) => entry.key), [
        "phone.wavi@alice",
        "private:blocklist@alice",
        "privatekey:at_pkam_publickey",
      ]);
    }
    assertMatch(await resetAtSign({ dataDir, atSign: BOB }, admin), /^[0-9a-f]{128}$/);
  }));

Deno.test("a backup is never overwritten, and one of nothing is an error", () =>
  withFolder(async (folder) => {
    const file = `${folder}/backup`;
    const backup = (dataDir: string) => backUp({ dataDir, file, passphrase: null }, admin);
    await assertRejects(() => backup(`${folder}/none`), NoportsError, { code: "not_found" });
    await Deno.mkdir(`${folder}/empty`, { mode: 0o700 });
    await assertRejects(() => backup(`${folder}/empty`), NoportsError, { code: "not_found" });
    await addAtSign({ dataDir: `${folder}/a`, atSign: ALICE }, admin);
    await backup(`${folder}/a`);
    await assertRejects(() => backup(`${folder}/a`), NoportsError, { code: "file_exists" });
    await assertRejects(
      () => backUp({ dataDir: `${folder}/a`, file: "-", passphrase: "short" }, admin),
      NoportsError,
      { code: "usage" },
    );
    assertEquals(await namesIn(folder), ["a", "backup", "empty"]);
    assertEquals(await namesIn(`${folder}/a`), ["atserver.db", "lock"]);
  }));

Deno.test("a backup that is cut or changed anywhere is refused, and nothing is changed", () =>
  withFolder(async (folder) => {
    await fill(`${folder}/a`);
    for (const passphrase of [null, PASSPHRASE]) {
      const file = `${folder}/${passphrase === null ? "plain" : "secret"}`;
      await backUp({ dataDir: `${folder}/a`, file, passphrase }, admin);
      const good = await Deno.readFile(file);
      const bad: Uint8Array[] = [new Uint8Array(), new Uint8Array([...good, 0])];
      for (const share of [0.001, 0.5, 0.999]) bad.push(good.slice(0, good.length * share));
      bad.push(good.slice(0, -20)); // the last chunk is missing
      for (const at of [3, 17, 60, 400, good.length >> 1, good.length - 1]) {
        const changed = good.slice();
        changed[at] = (changed[at] ?? 0) ^ 1;
        bad.push(changed);
      }
      const dataDir = `${folder}/b`;
      // a key takes half a second to derive
      for (const bytes of passphrase === null ? bad : bad.slice(3, 7)) {
        await Deno.writeFile(`${file}.bad`, bytes);
        const error = await assertRejects(
          () => restore({ dataDir, file: `${file}.bad`, force: false, passphrase }, admin),
          NoportsError,
        );
        assert(["config_invalid", "auth_failed"].includes(error.code), error.message);
        assertEquals(await namesIn(dataDir), ["lock"]);
      }
    }
  }));

Deno.test("a restore replaces data only by force", () =>
  withFolder(async (folder) => {
    const file = `${folder}/backup`;
    await fill(`${folder}/a`);
    await backUp({ dataDir: `${folder}/a`, file, passphrase: PASSPHRASE }, admin);
    const dataDir = `${folder}/b`;
    await addAtSign({ dataDir, atSign: parseAtSign("@carol") }, admin);
    const options = { dataDir, file, passphrase: PASSPHRASE };
    await assertRejects(() => restore({ ...options, force: false }, admin), NoportsError, {
      code: "conflict",
    });
    await restore({ ...options, force: true }, admin);
    const names = (await listAtSigns({ dataDir }, admin)).map((row) => row.atSign);
    assertEquals(names, [ALICE, BOB]);
  }));

Deno.test("an interrupted restore is finished by whoever comes next, from any point", () =>
  withFolder(async (folder) => {
    await fill(`${folder}/a`);
    const source = describeDataDir(`${folder}/a`);
    /** Each prepares the folder as it is when the process died at that point. */
    const points: ((dataDir: string) => Promise<void>)[] = [
      async () => {},
      (dataDir) => Deno.remove(`${dataDir}/tls`, { recursive: true }),
      async (dataDir) => {
        await Deno.remove(`${dataDir}/tls`, { recursive: true });
        await Deno.rename(`${dataDir}/restored/tls`, `${dataDir}/tls`);
      },
      async (dataDir) => {
        await Deno.remove(`${dataDir}/tls`, { recursive: true });
        await Deno.rename(`${dataDir}/restored/tls`, `${dataDir}/tls`);
        await Deno.remove(`${dataDir}/atserver.db`);
      },
      async (dataDir) => {
        await Deno.remove(`${dataDir}/tls`, { recursive: true });
        await Deno.rename(`${dataDir}/restored/tls`, `${dataDir}/tls`);
        await Deno.rename(`${dataDir}/restored/atserver.db`, `${dataDir}/atserver.db`);
      },
    ];
    for (const [i, interrupt] of points.entries()) {
      const dataDir = `${folder}/b${i}`;
      await addAtSign({ dataDir, atSign: parseAtSign("@carol") }, admin);
      await Deno.writeTextFile(`${dataDir}/atserver.db-wal`, "of the old database");
      await Deno.mkdir(`${dataDir}/tls`);
      await Deno.writeTextFile(`${dataDir}/tls/ca.pem`, "OLD");
      await Deno.mkdir(`${dataDir}/restored/tls`, { recursive: true });
      await Deno.copyFile(source.databasePath, `${dataDir}/restored/atserver.db`);
      await Deno.writeTextFile(`${dataDir}/restored/tls/ca.pem`, "NEW");
      if (i === 4) await Deno.remove(`${dataDir}/atserver.db-wal`); // went before the rename
      await interrupt(dataDir);
      await Deno.mkdir(`${dataDir}/restore-${crypto.randomUUID()}.tmp`);
      const names = (await listAtSigns({ dataDir }, admin)).map((row) => row.atSign);
      assertEquals(names, [ALICE, BOB], `interrupted at ${i}`);
      assertEquals(await namesIn(dataDir), ["atserver.db", "lock", "tls"], `interrupted at ${i}`);
      assertEquals(await Deno.readTextFile(`${dataDir}/tls/ca.pem`), "NEW");
    }
  }));

Deno.test("remove, reset and status work on a folder whose server does not run", () =>
  withFolder(async (folder) => {
    const dataDir = `${folder}/a`;
    for (const change of [removeAtSign, resetAtSign]) {
      await assertRejects(() => change({ dataDir, atSign: ALICE }, admin), NoportsError, {
        code: "not_found",
      });
    }
    const empty = await readStatus({ dataDir }, admin);
    assertEquals([empty.running, empty.atSigns], [false, 0]);
    await assertRejects(() => Deno.stat(dataDir), Deno.errors.NotFound);
    const { code } = await fill(dataDir);
    const again = await resetAtSign({ dataDir, atSign: ALICE }, admin);
    assert(again !== code);
    await removeAtSign({ dataDir, atSign: BOB }, admin);
    await assertRejects(() => removeAtSign({ dataDir, atSign: BOB }, admin), NoportsError, {
      code: "not_found",
    });
    const status = await readStatus({ dataDir }, admin);
    assertEquals([status.running, status.atSigns, status.version], [false, 1, 1]);
    using store = openSqliteStore(describeDataDir(dataDir).databasePath);
    assertEquals(store.listKeys(ALICE).map((entry) => entry.key), ["privatekey:at_secret"]);
  }));

Deno.test("isSecretKey() names what must not be readable, and nothing else", () => {
  const secrets = [
    "privatekey:at_secret",
    "privatekey:signing_privatekey",
    "privatekey:self_encryption_key",
    "@alice:signing_privatekey@alice",
    "private:a1b2c3.__otp@alice",
    "private:spp@alice",
  ];
  for (const key of secrets) assert(isSecretKey(key), key);
  const others = ["privatekey:at_pkam_publickey", "public:publickey@alice", "private:blocklist@a"];
  for (const key of others) assert(!isSecretKey(key), key);
});
