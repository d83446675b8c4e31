/** What every `Store` must do; run by the tests of each implementation. */

import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { type AtSign, parseAtSign } from "../../atprotocol/wire/mod.ts";
import { NoportsError } from "../../base/mod.ts";
import type { Store, StoredKey, StoredNotification } from "./store.ts";

const alice = parseAtSign("@alice");
const bob = parseAtSign("@bob");
const carol = parseAtSign("@carol");

/**
 * Registers the conformance tests for the stores that `open` makes; each test disposes its own. `reopen` opens what
 * `backupTo` wrote.
 */
export function testStore(
  name: string,
  open: () => Store,
  reopen: (path: string) => Store,
): void {
  const test = (what: string, run: (store: Store) => void | Promise<void>): void =>
    Deno.test(`${name} ${what}`, async () => {
      using store = open();
      store.addAtSign(alice, 1000);
      await run(store);
    });

  test("hosts atSigns, each once", async (store) => {
    store.addAtSign(bob, 2000);
    await assertRejects(() => store.addAtSign(bob, 3000), NoportsError, { code: "conflict" });
    store.putKey(bob, key("public:publickey@bob"), "*");
    assertEquals(store.listAtSigns(), [
      { atSign: alice, activated: false, createdAt: 1000 },
      { atSign: bob, activated: true, createdAt: 2000 },
    ]);
    await assertRejects(() => store.getKey(carol, "x@carol"), NoportsError, { code: "not_found" });
  });

  test("keeps keys and numbers their commits", (store) => {
    assertEquals(store.getKey(alice, "a@alice"), null);
    assertEquals(store.lastCommitId(alice), null);
    assertEquals(store.putKey(alice, key("a@alice", "1"), "*"), 0);
    assertEquals(store.putKey(alice, key("b@alice", "2"), "*"), 1);
    assertEquals(store.putKey(alice, key("a@alice", "3"), "#"), 2);
    assertEquals(store.putKey(alice, key("private:x@alice", "4"), null), -1);
    assertEquals(store.getKey(alice, "a@alice"), key("a@alice", "3"));
    assertEquals(store.deleteKey(alice, "b@alice", true), { existed: true, commitId: 3 });
    assertEquals(store.deleteKey(alice, "b@alice", true), { existed: false, commitId: 4 });
    assertEquals(store.deleteKey(alice, "private:x@alice", false), { existed: true, commitId: -1 });
    assertEquals(store.lastCommitId(alice), 4);
    assertEquals(store.lastCommitId(alice, (k) => k === "a@alice"), 2);
    assertEquals(store.lastCommitId(alice, () => false), null);
    assertEquals(store.listCommits(alice), [
      { key: "a@alice", commitId: 2, operation: "#" },
      { key: "b@alice", commitId: 4, operation: "-" },
    ]);
    assertEquals([store.countKeys(alice), store.storedChars(alice)], [1, 1]);
  });

  test("separates atSigns", (store) => {
    store.addAtSign(bob, 0);
    store.putKey(alice, key("x@alice", "1"), "*");
    assertEquals(store.getKey(bob, "x@alice"), null);
    assertEquals(store.putKey(bob, key("x@bob", "2"), "*"), 0);
    assertEquals(store.listKeys(bob).map((entry) => entry.key), ["x@bob"]);
  });

  test("lists keys in order, by prefix and by expiry", (store) => {
    store.putKey(alice, key("@bob:x@alice", "1", 500), "*");
    store.putKey(alice, key("@bobby:x@alice", "2"), "*");
    store.putKey(alice, key("public:x@alice", null), "*");
    assertEquals(store.listKeys(alice).map((entry) => entry.key), [
      "@bob:x@alice",
      "@bobby:x@alice",
      "public:x@alice",
    ]);
    assertEquals(store.listKeys(alice, "@bob:"), [
      { key: "@bob:x@alice", availableAt: null, expiresAt: 500 },
    ]);
    assertEquals(store.listExpiredKeys(500, 10), []);
    assertEquals(store.listExpiredKeys(501, 10), [{ atSign: alice, key: "@bob:x@alice" }]);
    assertEquals(store.listExpiredKeys(501, 0), []);
  });

  test("undoes a transaction that throws, and only that", async (store) => {
    store.putKey(alice, key("kept@alice", "1"), "*");
    await assertRejects(
      () =>
        store.transaction(() => {
          store.putKey(alice, key("lost@alice", "2"), "*");
          store.transaction(() => store.addAtSign(bob, 0));
          throw new RangeError("no");
        }),
      RangeError,
    );
    assertEquals(store.listKeys(alice).map((entry) => entry.key), ["kept@alice"]);
    assertEquals(store.lastCommitId(alice), 0);
    await assertRejects(() => store.listKeys(bob), NoportsError, { code: "not_found" });
    store.transaction(() => store.putKey(alice, key("next@alice"), "*"));
    assertEquals(store.lastCommitId(alice), 1);
  });

  test("keeps texts of any script, and long ones", (store) => {
    const long = "ä€😀'\"\\".repeat(50_000);
    store.putKey(alice, key("ключ.😀@alice", long), "*");
    assertEquals(store.getKey(alice, "ключ.😀@alice")?.value, long);
  });

  test("takes a notification once for each sender", (store) => {
    assert(store.addNotification(alice, note("n1", bob, 1)));
    assert(!store.addNotification(alice, note("n1", bob, 2)));
    assert(store.addNotification(alice, note("n1", carol, 3)));
    assertEquals(store.countNotifications(alice), 2);
    assertEquals(store.getNotification(alice, "n1"), note("n1", bob, 1));
    assertEquals(store.getNotification(alice, "n2"), null);
    assertEquals(store.lastEpochMillis(alice), 3);
  });

  test("replays strictly after a time, oldest first, in pages", (store) => {
    for (const at of [5, 3, 4, 1, 2]) store.addNotification(alice, note(`n${at}`, bob, at));
    store.addNotification(alice, { ...note("s", alice, 6), type: "sent" });
    store.addNotification(alice, { ...note("self", alice, 7), type: "self" });
    store.addNotification(alice, { ...note("old", bob, 8), expiresAt: 100 });
    const ids = (afterEpochMs: number, includeSelf = false, maxRecords = 10, maxChars = 1e6) =>
      store.listReceived(alice, { afterEpochMs, nowMs: 100, includeSelf, maxRecords, maxChars })
        .map((record) => record.id);
    assertEquals(ids(0), ["n1", "n2", "n3", "n4", "n5"]);
    assertEquals(ids(3), ["n4", "n5"]);
    assertEquals(ids(4, true), ["n5", "self"]);
    assertEquals(ids(0, false, 2), ["n1", "n2"]);
    assertEquals(ids(0, false, 10, 5), ["n1", "n2"]);
    assertEquals(ids(0, false, 2), ["n1", "n2"], "a page that ended early leaves nothing behind");
  });

  test("purges expired notifications and makes room", (store) => {
    for (let at = 1; at <= 4; at++) store.addNotification(alice, note(`b${at}`, bob, at));
    for (let at = 5; at <= 6; at++) store.addNotification(alice, note(`c${at}`, carol, at));
    store.addNotification(alice, { ...note("out", alice, 7), type: "sent", status: "delivered" });
    store.addNotification(alice, { ...note("due", alice, 8), type: "sent", status: "queued" });
    const left = () =>
      ["b1", "b2", "b3", "b4", "c5", "c6", "out", "due"].filter((id) =>
        store.getNotification(alice, id) !== null
      );
    store.evictNotifications(alice, carol, 2);
    assertEquals(left(), ["b1", "b2", "b3", "b4", "c6", "due"]);
    store.evictNotifications(alice, carol, 2);
    assertEquals(left(), ["b2", "b3", "b4", "due"]);
    assertEquals(store.purgeNotifications(1002), 1);
    assertEquals(left(), ["b3", "b4", "due"]);
  });

  test("queues what is sent, and counts what fails", (store) => {
    const sent = (id: string, to: AtSign, at: number, strategy: "all" | "latest" = "all") =>
      store.addNotification(alice, {
        ...note(id, alice, at),
        to,
        type: "sent",
        status: "queued",
        strategy,
      });
    const triesOf = (id: string) => store.getNotification(alice, id)?.tries;
    assertEquals(store.nextTryAt(alice, bob), null);
    sent("q1", bob, 1);
    sent("q2", bob, 2);
    sent("q3", carol, 3);
    assertEquals(store.listQueuedPairs().map(({ from, to }) => `${from} ${to}`).sort(), [
      "@alice @bob",
      "@alice @carol",
    ]);
    assertEquals(store.nextQueued(alice, bob, 5)?.id, "q1");
    store.countRefusal(alice, bob, "q1", 100, 3);
    assertEquals(store.nextQueued(alice, bob, 5)?.id, "q2");
    assertEquals(store.nextTryAt(alice, bob), 0);
    assertEquals(store.nextQueued(alice, bob, 100)?.id, "q1");
    store.countAbsence(alice, bob, 3);
    assertEquals([triesOf("q1"), triesOf("q2"), triesOf("q3")], [2, 1, 0]);
    store.countAbsence(alice, bob, 3);
    assertEquals(store.getNotification(alice, "q1")?.status, "errored");
    store.countRefusal(alice, bob, "q2", 200, 4);
    assertEquals(store.nextQueued(alice, bob, 199), null);
    assertEquals(store.nextTryAt(alice, bob), 200);
    store.setNotificationStatus(alice, "q2", "delivered");
    assertEquals(store.nextTryAt(alice, bob), null);
    for (let at = 10; at < 14; at++) sent(`l${at}`, bob, at, "latest");
    store.trimQueue(alice, bob, "SYSTEM", 2);
    assertEquals(
      [10, 11, 12, 13].map((at) => store.getNotification(alice, `l${at}`)?.status),
      ["errored", "errored", "queued", "queued"],
    );
  });

  test("removes an atSign with everything of it, and nothing of others", async (store) => {
    store.addAtSign(bob, 0);
    for (const owner of [alice, bob]) {
      store.putKey(owner, key(`x${owner}`, "1"), "*");
      store.addNotification(owner, { ...note("n1", owner, 1), type: "sent", status: "queued" });
    }
    store.removeAtSign(alice);
    await assertRejects(() => store.getKey(alice, "x@alice"), NoportsError, { code: "not_found" });
    await assertRejects(() => store.removeAtSign(alice), NoportsError, { code: "not_found" });
    assertEquals(store.listQueuedPairs(), [{ from: bob, to: alice }]);
    assertEquals(store.countKeys(bob), 1);
    store.addAtSign(alice, 5);
    assertEquals([store.countKeys(alice), store.countNotifications(alice)], [0, 0]);
    assertEquals(store.putKey(alice, key("y@alice"), "*"), 0, "commits begin anew");
  });

  test("keeps an atSign whose removal was undone", async (store) => {
    store.putKey(alice, key("x@alice", "1"), "*");
    await assertRejects(
      () =>
        store.transaction(() => {
          store.removeAtSign(alice);
          store.addAtSign(alice, 7);
          throw new RangeError("no");
        }),
      RangeError,
    );
    assertEquals(store.getKey(alice, "x@alice"), key("x@alice", "1"));
  });

  test("is sound, and says what it holds", (store) => {
    store.addAtSign(bob, 0);
    store.addNotification(bob, { ...note("n1", bob, 1), type: "sent", status: "queued" });
    store.addNotification(bob, note("n2", alice, 2));
    const { atSigns, notificationsQueued } = store.totals();
    assertEquals([atSigns, notificationsQueued], [2, 1]);
    assertEquals(store.checkIntegrity(), []);
    assert(store.schemaVersion >= 1);
  });

  test("copies itself to a file without what was deleted", (store) => {
    const folder = Deno.makeTempDirSync();
    try {
      store.putKey(alice, key("kept@alice", "kept"), "*");
      store.putKey(alice, key("gone@alice", "SECRET".repeat(2000)), "*");
      store.deleteKey(alice, "gone@alice", true);
      const path = `${folder}/copy`;
      store.backupTo(path);
      store.putKey(alice, key("later@alice"), "*");
      assert(!Deno.readTextFileSync(path).includes("SECRET"));
      using copy = reopen(path);
      assertEquals(copy.listKeys(alice).map((entry) => entry.key), ["kept@alice"]);
      assertEquals(copy.lastCommitId(alice), 2);
      assertEquals(copy.checkIntegrity(), []);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });

  test("keeps enrollments", (store) => {
    const enrollment = {
      id: "e1",
      sessionId: "_s",
      appName: "app",
      deviceName: "dev",
      namespaces: { sshnp: "rw" },
      apkamPublicKey: "KEY",
      encryptedApkamSymmetricKey: null,
      state: "approved",
      createdAt: 1,
      expiresAt: null,
    } as const;
    store.putEnrollment(alice, enrollment);
    assertEquals(store.getEnrollment(alice, "e1"), enrollment);
    assertEquals(store.getEnrollment(alice, "e2"), null);
    store.putEnrollment(alice, { ...enrollment, state: "revoked" });
    assertEquals(store.listEnrollments(alice), [{ ...enrollment, state: "revoked" }]);
    const ends = (id: string, expiresAt: number) => ({ ...enrollment, id, expiresAt });
    store.addAtSign(bob, 0);
    store.putEnrollment(bob, ends("late", 200));
    store.putEnrollment(alice, ends("soon", 100));
    assertEquals(store.listExpiredEnrollments(99, 10), []);
    assertEquals(store.listExpiredEnrollments(200, 10), [
      { atSign: alice, enrollment: ends("soon", 100) },
      { atSign: bob, enrollment: ends("late", 200) },
    ]);
    assertEquals(store.listExpiredEnrollments(200, 1).length, 1);
    store.putEnrollment(alice, { ...enrollment, id: "soon" });
    store.deleteEnrollment(bob, "late");
    store.deleteEnrollment(bob, "late");
    assertEquals(store.listExpiredEnrollments(200, 10), []);
    assertEquals(store.listEnrollments(alice).map(({ id }) => id), ["e1", "soon"]);
  });

  test("gives commits by pages, and forgets old deletions", (store) => {
    for (const name of ["a", "b", "c", "d"]) store.putKey(alice, key(`${name}@alice`), "*");
    store.deleteKey(alice, "b@alice", true);
    const all = store.listCommitsAfter(alice, -1, 10, () => true);
    assertEquals(all.map(({ key, commitId, operation }) => `${commitId}${operation}${key}`), [
      "0*a@alice",
      "2*c@alice",
      "3*d@alice",
      "4-b@alice",
    ]);
    const page = store.listCommitsAfter(alice, 0, 2, (name) => name !== "c@alice");
    assertEquals(page, all.slice(2));
    assertEquals(store.listCommitsAfter(alice, 4, 2, () => true), []);
    store.deleteKey(alice, "c@alice", true);
    store.deleteKey(alice, "e@alice", true);
    assertEquals(store.countDeletions(alice), 3);
    assertEquals(store.forgetDeletions(alice, 3), 0);
    assertEquals(store.forgetDeletions(alice, 1), 2);
    assertEquals(store.listCommits(alice).map(({ key }) => key), ["a@alice", "d@alice", "e@alice"]);
    assertEquals(store.lastCommitId(alice), 6);
    assertEquals(store.putKey(alice, key("f@alice"), "*"), 7);
  });

  test("finds who stores a key", (store) => {
    store.addAtSign(bob, 0);
    store.putKey(bob, key("cached:x@carol"), "*");
    store.putKey(alice, key("cached:x@carol"), "*");
    assertEquals(store.listHolders("cached:x@carol"), [alice, bob]);
    assertEquals(store.listHolders("x@carol"), []);
  });

  test("finds notifications by id, removes and counts them", (store) => {
    store.addNotification(alice, note("n1", bob, 1));
    store.addNotification(alice, note("n1", carol, 2));
    store.addNotification(alice, { ...note("n2", bob, 3), messageType: "text", type: "self" });
    assertEquals(store.listNotificationsById(alice, "n1").map(({ from }) => from), [bob, carol]);
    assertEquals(store.listNotificationsById(alice, "n3"), []);
    assertEquals(store.countNotificationKinds(alice), [
      {
        ...{ type: "received", status: "delivered", operation: "update", messageType: "key" },
        count: 2,
      },
      {
        ...{ type: "self", status: "delivered", operation: "update", messageType: "text" },
        count: 1,
      },
    ]);
    assertEquals(store.countExpiredNotifications(1000), []);
    assertEquals(store.countExpiredNotifications(1002), [{ atSign: alice, count: 2 }]);
    store.removeNotification(alice, "n1", bob);
    store.removeNotification(alice, "n1", bob);
    assertEquals(store.listNotificationsById(alice, "n1").map(({ from }) => from), [carol]);
  });

  test("keeps texts about an atSign", (store) => {
    assertEquals(store.getStatistic(alice, "lastLogin"), null);
    store.putStatistic(alice, "lastLogin", "1");
    store.putStatistic(alice, "lastLogin", "2");
    assertEquals(store.getStatistic(alice, "lastLogin"), "2");
    store.addAtSign(bob, 0);
    assertEquals(store.getStatistic(bob, "lastLogin"), null);
    assertEquals(store.countKeys(alice), 0);
  });
}

function key(name: string, value: string | null = "v", expiresAt?: number): StoredKey {
  return {
    key: name,
    value,
    metadata: {
      createdBy: "@alice",
      version: 0,
      ...(expiresAt === undefined ? {} : { expiresAt }),
    },
  };
}

function note(id: string, from: AtSign, epochMillis: number): StoredNotification {
  return {
    id,
    from,
    to: alice,
    key: `@alice:K.x${from}`,
    value: "four",
    type: "received",
    operation: "update",
    messageType: "key",
    priority: "low",
    strategy: "all",
    latestN: 1,
    notifier: "SYSTEM",
    status: "delivered",
    tries: 0,
    epochMillis,
    expiresAt: epochMillis + 1000,
    isEncrypted: true,
    metadata: { ttl: 5, ivNonce: "n" },
  };
}
