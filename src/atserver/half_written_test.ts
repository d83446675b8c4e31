import { assert, assertEquals, assertMatch } from "../../tests/assert.ts";
import { type Client, World } from "../../tests/at_server_world.ts";
import { parseAtSign } from "../atprotocol/wire/mod.ts";
import { NoportsError } from "../base/mod.ts";
import { cramDigest } from "../crypto/mod.ts";
import { openSqliteStore, type Store } from "./mod.ts";

const HOSTED = ["@alice", "@bob", "@new"].map((text) => parseAtSign(text));
/** Store methods that only look. */
const READS =
  /^(?:get|list|count(?:Keys|Notifications)$|last|next|stored|check|backup|size|is|has)/;

interface Case {
  readonly line: string;
  /** Lines that make the line possible. */
  readonly first?: readonly string[];
  readonly answer?: RegExp;
  readonly login?: "cram" | "manager";
}

/** Commands of several steps. What each may leave behind when a step fails: nothing. */
const CASES: readonly Case[] = [
  { line: "update:ttl:60000:k.wavi@alice v" },
  { line: "update:public:k.wavi@alice v" },
  { line: "update:ttr:-1:@bob:k.wavi@alice v" },
  { line: "update:@zoe:k.wavi@alice v" },
  { line: "update:privatekey:at_pkam_publickey K" },
  {
    line:
      'update:json:{"atKey":"k.wavi","value":"v","sharedBy":"@alice","sharedWith":"@bob","metadata":{}}',
  },
  { line: "update:meta:@bob:k.wavi@alice:ttl:1000", first: ["update:@bob:k.wavi@alice v"] },
  { line: "delete:@bob:k.wavi@alice", first: ["update:ttr:-1:ccd:true:@bob:k.wavi@alice v"] },
  { line: "delete:privatekey:at_secret" },
  { line: "notify:ttr:-1:@bob:k.wavi@alice:v" },
  { line: "notify:@alice:k.wavi@alice:v" },
  {
    line: "notify:strategy:latest:notifier:n:@zoe:k.wavi@alice:v",
    first: ["notify:strategy:latest:notifier:n:@zoe:k.wavi@alice:u"],
  },
  { line: "notify:all:update:@bob,@zoe:k.wavi@alice:v", answer: /^data: \{/ },
  { line: "notify:remove:n-1", first: ["notify:id:n-1:@bob:k.wavi@alice:v"] },
  { line: "plookup:publickey@bob", first: ["update:shared_key.bob@alice AES"] },
  { line: "config:block:add:@zoe @carol" },
  { line: "config:block:remove:@zoe", first: ["config:block:add:@zoe"] },
  { line: "otp:get", login: "manager" },
  { line: "otp:put:ABC123", login: "manager" },
  {
    line:
      'enroll:request:{"appName":"a","deviceName":"d","apkamPublicKey":"K","encryptedDefaultEncryptionPrivateKey":"p","encryptedDefaultSelfEncryptionKey":"s"}',
    login: "cram",
  },
  {
    line:
      'enroll:request:{"appName":"a","deviceName":"d","apkamPublicKey":"K","namespaces":{"wavi":"rw"}}',
  },
  {
    line:
      'enroll:approve:{"enrollmentId":"pending","encryptedDefaultEncryptionPrivateKey":"p","encryptedDefaultSelfEncryptionKey":"s"}',
    login: "manager",
  },
  { line: 'enroll:deny:{"enrollmentId":"pending"}', login: "manager" },
  { line: 'enroll:revoke:{"enrollmentId":"e1"}', login: "manager" },
  { line: 'enroll:unrevoke:{"enrollmentId":"revoked"}', login: "manager" },
  { line: 'enroll:delete:{"enrollmentId":"revoked"}', login: "manager" },
  {
    line:
      "keys:put:self:namespace:__global:appName:a:deviceName:d:keyType:t:encryptionKeyName:e:keyName:k v",
    login: "manager",
  },
];

for (const { line, first = [], answer = /^data:/, login } of CASES) {
  const who = login === "cram" ? " after cram" : "";
  Deno.test(`${line.split(/[{\s]/)[0]}${who} leaves nothing behind when any of its steps fails`, async () => {
    let steps = 0;
    for (let failing = 1;; failing++) {
      const { store, faults } = faultyStore();
      using _store = store;
      await using world = new World({ store });
      // a delivery's failure would be written too, after the answer
      world.peers.onRequest = () => new Promise(() => {});
      await prepare(world);
      const client = await logIn(world, login);
      for (const each of first) assertMatch(await client.ask(each), /^data:/);
      const before = dump(store);
      faults.left = failing;
      await client.send(`${line}\n`);
      await world.settle();
      const [write = ""] = client.takeWrites();
      const hasFailed = faults.left === 0;
      faults.left = Infinity;
      if (!hasFailed) {
        assertMatch(write, answer);
        assert(steps > 0, "nothing was written at all");
        return;
      }
      steps++;
      assertMatch(write, /^error:AT0002-/);
      assert(!client.isServed, "the connection goes on");
      assertEquals(dump(store), before);
      const again = await logIn(world, login);
      assertMatch(await again.ask(line), answer);
    }
  });
}

async function prepare(world: World): Promise<void> {
  await world.activate("@alice", "@bob");
  world.host("@new");
  world.enroll("@alice", "mgr", { __manage: "rw", "*": "rw" });
  for (const id of ["e1", "pending", "revoked"]) world.enroll("@alice", id, { wavi: "rw" });
  for (const state of ["pending", "revoked"] as const) {
    const found = world.store.getEnrollment(parseAtSign("@alice"), state);
    assert(found !== null);
    world.store.putEnrollment(parseAtSign("@alice"), { ...found, state });
  }
}

async function logIn(world: World, login: Case["login"]): Promise<Client> {
  if (login === "manager") return await world.login("@alice", "mgr");
  if (login === undefined) return await world.login("@alice");
  const client = await world.connect();
  const challenge = (await client.ask("from:@new")).split("\n")[0]?.slice("data:".length) ?? "";
  await client.ask(`cram:${cramDigest(world.secretOf("@new"), challenge)}`);
  return client;
}

/** A store whose writing methods fail once `left` of them have been called. */
function faultyStore(): { store: Store; faults: { left: number } } {
  const inner = openSqliteStore(":memory:");
  const faults = { left: Infinity };
  const store = new Proxy(inner, {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      const isRead = typeof name === "symbol" || name === "transaction" || READS.test(name);
      return (...args: unknown[]) => {
        if (!isRead && --faults.left <= 0) {
          faults.left = 0;
          throw new NoportsError("storage_failed", "Cannot use the store: the disk is full");
        }
        return Reflect.apply(member, target, args);
      };
    },
  });
  return { store, faults };
}

/** All that the atSigns have. */
function dump(store: Store): unknown {
  return HOSTED.map((atSign) => ({
    keys: store.listKeys(atSign).map(({ key }) => store.getKey(atSign, key)),
    commits: store.listCommits(atSign),
    notifications: store.countNotifications(atSign),
    received: store.listReceived(atSign, {
      afterEpochMs: 0,
      nowMs: 0,
      includeSelf: true,
      maxRecords: 1_000,
      maxChars: 1e9,
    }),
    enrollments: store.listEnrollments(atSign),
    queued: store.listQueuedPairs(),
  }));
}
