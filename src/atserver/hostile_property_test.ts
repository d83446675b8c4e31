import fc from "fast-check";
import { assert, assertEquals } from "../../tests/assert.ts";
import { type Client, KEYS, PKAM, SIGNING, World } from "../../tests/at_server_world.ts";
import { hostileLine } from "../../tests/hostile_lines.ts";
import { type AtSign, parseAtSign } from "../atprotocol/wire/mod.ts";
import { createLog } from "../base/mod.ts";
import { cramDigest, signRsaSha256 } from "../crypto/mod.ts";
import type { Store } from "./mod.ts";

/** More for a long search: `NOPORTS_FUZZ_RUNS=5000`. */
const RUNS = Number(Deno.env.get("NOPORTS_FUZZ_RUNS") ?? 60);
const ALICE = parseAtSign("@alice");
const BOB = parseAtSign("@bob");
const NEW = parseAtSign("@new");
const HOSTED = [ALICE, BOB, NEW];

/** PROTOCOL.md, Replies and errors. */
const CODES = "0001|0002|0003|0004|0005|0006|0007|0008|0009|0011|0012|0013|0015|0016|0021|0022" +
  "|0023|0024|0025|0026|0027|0028|0031|0401";
const FORMS = [
  /^data:[^\n]*$/,
  new RegExp(`^error:AT(?:${CODES})-[^\\n]+$`),
  new RegExp(`^error:\\{"errorCode":"AT(?:${CODES})","errorDescription":"[^\\n]*"\\}$`),
  /^error:AT00(?:25|26|27|28):[^\n]+$/,
  /^error:null:[^\n]+$/, // stats
];
/** Errors after which the connection ends; AT0011 may go either way. */
const CLOSING = /^error:(?:\{"errorCode":")?AT00(?:01|02|05|11|12|13|24)/;

/** Every kind of login that there is. */
const LOGINS: Readonly<Record<string, (world: World) => Promise<Client>>> = {
  stranger: (world) => world.connect(),
  peer: async (world) => {
    const client = await world.connect();
    const challenge = (await client.ask("from:@carol")).split("\n")[0]?.split(":").at(-1) ?? "";
    world.peers.onProof = () =>
      Promise.resolve({
        signature: signRsaSha256(SIGNING.privateKey, challenge),
        signingPublicKey: SIGNING.publicKey,
      });
    assertEquals(await client.ask("pol"), "@carol@");
    return client;
  },
  cram: async (world) => {
    const client = await world.connect();
    const challenge = (await client.ask("from:@new")).split("\n")[0]?.slice("data:".length) ?? "";
    await client.ask(`cram:${cramDigest(world.secretOf("@new"), challenge)}`);
    return client;
  },
  "legacy pkam": (world) => world.login("@alice"),
  "an enrollment that reads": (world) => world.login("@alice", "ro"),
  "an enrollment that writes": (world) => world.login("@alice", "rw"),
  "an enrollment with *": (world) => world.login("@alice", "all"),
  "a manager": (world) => world.login("@alice", "mgr"),
};

async function openWorld(log: string[]): Promise<World> {
  const world = new World({
    limits: { freeLoginFailures: 1e9, loginFailures: 1e9, strangersPerAddress: 1e9 },
    log: createLog({
      level: "debug",
      format: "json",
      write: (line) => log.push(line),
      now: () => new Date(0),
    }),
  });
  await world.activate("@alice", "@bob");
  world.host("@new");
  makeLoginsWork(world);
  return world;
}

/** What the lines may have made useless, which is their right: logins, keys and enrollments. */
function makeLoginsWork(world: World): void {
  const put = (atSign: AtSign, key: string, value: string): void => {
    world.store.putKey(atSign, { key, value, metadata: {} }, null);
  };
  put(ALICE, "privatekey:at_pkam_publickey", PKAM.publicKey);
  put(NEW, "privatekey:at_secret", world.secretOf(NEW));
  world.enroll("@alice", "ro", { wavi: "r" });
  world.enroll("@alice", "rw", { wavi: "rw" });
  world.enroll("@alice", "all", { "*": "rw" });
  world.enroll("@alice", "mgr", { __manage: "rw", "*": "rw" });
  world.enroll("@alice", "e1", { wavi: "rw" });
  world.enroll("@alice", "pending", { wavi: "rw" });
  const pending = world.store.getEnrollment(ALICE, "pending");
  assert(pending !== null);
  world.store.putEnrollment(ALICE, { ...pending, state: "pending" });
}

for (const [level, logIn] of Object.entries(LOGINS)) {
  Deno.test(`each line of ${level} gets one reply of a documented form, and nothing is half done`, async () => {
    const log: string[] = [];
    await using world = await openWorld(log);
    await fc.assert(
      fc.asyncProperty(fc.array(hostileLine(), { minLength: 1, maxLength: 12 }), async (lines) => {
        makeLoginsWork(world);
        const client = await logIn(world);
        for (const line of lines) {
          await checkLine(world, client, line);
          if (!client.isServed) break;
        }
        await client.end();
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
    checkStore(world.store, world.clock.now());
    checkLog(log, world);
  });
}

Deno.test("lines on several connections at once get their replies and leave the store consistent", async () => {
  const log: string[] = [];
  await using world = await openWorld(log);
  const turn = fc.tuple(fc.nat(7), hostileLine());
  await fc.assert(
    fc.asyncProperty(fc.array(turn, { minLength: 4, maxLength: 24 }), async (turns) => {
      makeLoginsWork(world);
      const clients: Client[] = [];
      for (const logIn of Object.values(LOGINS)) clients.push(await logIn(world));
      const sent = clients.map(() => 0);
      for (const [to, line] of turns) {
        await clients[to]?.send(`${line}\n`); // not waiting for the answer
        sent[to] = (sent[to] ?? 0) + 1;
      }
      await passTime(world, 70);
      for (const [i, client] of clients.entries()) {
        const writes = client.takeWrites().filter((write) => !write.startsWith("notification:"));
        if (client.isServed) assert(writes.length <= (sent[i] ?? 0), JSON.stringify(writes));
        for (const write of writes) assert(isReply(write), write);
        await client.end();
      }
      checkStore(world.store, world.clock.now());
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
  checkLog(log, world);
});

/** Sends one line and checks all that the specification says of its answer. */
async function checkLine(world: World, client: Client, line: string): Promise<void> {
  const shown = JSON.stringify(line.slice(0, 200));
  await client.send(`${line}\n`);
  await world.settle();
  let writes = client.takeWrites();
  // a command that waits for a clock: noop, a wrong passcode, a silent peer
  for (let i = 0; i < 80 && writes.length === 0 && client.isServed; i++) {
    await passTime(world, 1);
    writes = client.takeWrites();
  }
  const isExit = /^\s*@exit\s*$/i.test(line);
  if (writes.length === 0) {
    // an enrollment that just lost its rights ends without a word
    assert(!client.isServed || isExit, `${shown} has no answer`);
    return;
  }
  assertEquals(writes.length, 1, `${shown} has answers ${JSON.stringify(writes)}`);
  const [write = ""] = writes;
  assert(isReply(write), `${shown} is answered ${JSON.stringify(write)}`);
  assert(!write.slice(6).includes("data:") || write.startsWith("data:"), `${shown}: ${write}`);
  // some answers end the connection a moment later
  if (!client.isServed) assert(CLOSING.test(write), `${shown} closes after ${write}`);
}

/** A line and its prompt; a prompt alone is what `pol` says. */
function isReply(write: string): boolean {
  const lf = write.indexOf("\n");
  if (lf < 0) return /^@[^@\n]+@$/.test(write);
  const prompt = write.slice(lf + 1);
  return FORMS.some((form) => form.test(write.slice(0, lf))) &&
    /^(?:@(?:[^@\n]+@)?)?$/.test(prompt);
}

async function passTime(world: World, seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    world.clock.advance(1_000);
    await world.settle();
  }
}

/** What belongs together is there together. */
function checkStore(store: Store, nowMs: number): void {
  for (const atSign of HOSTED) {
    const commits = store.listCommits(atSign);
    const known = new Map(commits.map((commit) => [commit.key, commit]));
    assertEquals(new Set(commits.map(({ commitId }) => commitId)).size, commits.length);
    const stored = new Set(store.listKeys(atSign).map(({ key }) => key));
    for (const key of stored) {
      if (/^(?:private:|privatekey:|local:|public:_(?!_))/.test(key)) {
        assert(!known.has(key), `${key} is in the commit log`);
      }
    }
    for (const { key, operation } of commits) {
      if (operation === "-") assert(!stored.has(key), `${key} is deleted and stored`);
      else if (operation !== "+") assert(stored.has(key), `${key} is committed and not stored`);
    }
    checkMailbox(store, atSign, nowMs);
  }
}

function checkMailbox(store: Store, atSign: AtSign, nowMs: number): void {
  const received = store.listReceived(atSign, {
    afterEpochMs: 0,
    nowMs,
    includeSelf: true,
    maxRecords: 100_000,
    maxChars: 1e9,
  });
  let previous = 0;
  for (const record of received) {
    assert(record.epochMillis > previous, "times ascend");
    previous = record.epochMillis;
    if (record.type !== "received" || !HOSTED.includes(record.from) || record.from === atSign) {
      continue;
    }
    assert(store.getNotification(record.from, record.id) !== null, `${record.id} was never sent`);
  }
}

/** No fault of ours, and nothing that must stay secret. */
function checkLog(log: readonly string[], world: World): void {
  const text = log.join("\n");
  const faults = log.filter((line) => /"event":"(?:command failed|connection failed)"/.test(line));
  assertEquals(faults.filter((line) => line.includes('"level":"error"')), []);
  const secrets = [
    world.secretOf("@new"),
    world.secretOf("@alice"),
    PKAM.privateKey.slice(100, 160),
    SIGNING.privateKey.slice(100, 160),
    KEYS.alicePkam.publicKeySpkiBase64.slice(100, 160),
    "A1B2C3",
    "ABC123",
    "xxxxxxxxxx",
  ];
  for (const secret of secrets) assert(!text.includes(secret), `the log has ${secret}`);
}
