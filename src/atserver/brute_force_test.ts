import { assert, assertEquals, assertMatch } from "../../tests/assert.ts";
import { type Client, World } from "../../tests/at_server_world.ts";

/** As many guesses as one address gets answered in this time, however it goes about it. */
const HOUR_MS = 3_600_000;

const LOGINS = {
  cram: { from: "from:@new", guess: "cram:00ff" },
  pkam: { from: "from:@alice", guess: "pkam:AAAA" },
  "pkam with an enrollment": { from: "from:@alice", guess: "pkam:enrollmentId:e1:AAAA" },
} as const;

async function openWorld(strangersPerAddress = 100): Promise<World> {
  const world = new World({ limits: { strangersPerAddress } });
  await world.activate("@alice");
  world.host("@new");
  world.enroll("@alice", "e1", { wavi: "rw" });
  return world;
}

for (const [name, { from, guess }] of Object.entries(LOGINS)) {
  Deno.test(`who guesses ${name} waits longer and longer for each answer`, async () => {
    await using world = await openWorld();
    const client = await world.connect();
    const waits: number[] = [];
    for (let i = 0; i < 9; i++) {
      await client.ask(from);
      waits.push(await waitForAnswer(world, client, guess));
    }
    assertEquals(waits, [0, 0, 0, 250, 500, 1_000, 2_000, 2_000, 2_000]);
  });

  Deno.test(`who guesses ${name} without waiting for answers gets 200 looks, then none for a minute`, async () => {
    // by default an address has 100 connections, which last until their delay is over
    await using world = await openWorld(1_000);
    const leaving: Promise<void>[] = [];
    let looks = 0;
    let refusals = 0;
    for (let i = 0; i < 300; i++) {
      const client = await world.connect();
      await client.ask(from);
      await client.send(`${guess}\n`);
      await world.settle();
      const [write = ""] = client.takeWrites();
      if (write.startsWith("error:AT0012-")) {
        refusals++;
        assert(!client.isServed);
      } else {
        looks++;
      }
      leaving.push(client.end()); // hangs up in the middle of the delay
    }
    assertEquals([looks, refusals], [200, 100]);

    // even the right one is not looked at from there, and is from elsewhere
    const owner = await world.connect();
    const challenge = await owner.ask("from:@alice");
    assertMatch(challenge, /^data:_/);
    assertMatch(await owner.ask("pkam:AAAA"), /^error:AT0012-/);
    const elsewhere = await world.connect({ remoteAddress: "198.51.100.7" });
    await elsewhere.login("@alice");
    world.clock.advance(60_000);
    await world.login("@alice");
    await Promise.all(leaving);
  });
}

Deno.test("one address's guesses do not slow down another address or a right login", async () => {
  await using world = await openWorld();
  const attacker = await world.connect();
  for (let i = 0; i < 8; i++) {
    await attacker.ask("from:@alice");
    await waitForAnswer(world, attacker, "pkam:AAAA");
  }
  await world.login("@alice"); // the same address: not delayed
  const other = await world.connect({ remoteAddress: "198.51.100.7" });
  await other.ask("from:@alice");
  assertEquals(await waitForAnswer(world, other, "pkam:AAAA"), 0);
});

Deno.test("addresses of one IPv6 network count as one", async () => {
  await using world = await openWorld();
  for (let i = 0; i < 3; i++) {
    const client = await world.connect({ remoteAddress: `2001:db8::${i + 1}` });
    await client.ask("from:@alice");
    assertEquals(await waitForAnswer(world, client, "pkam:AAAA"), 0);
  }
  const client = await world.connect({ remoteAddress: "2001:db8::ffff" });
  await client.ask("from:@alice");
  assertEquals(await waitForAnswer(world, client, "pkam:AAAA"), 250);
});

Deno.test("an hour of guessing passcodes from one address, hanging up and on many connections, is few guesses", async () => {
  await using world = await openWorld(1_000);
  const owner = await world.login("@alice");
  const passcode = (await owner.ask("otp:get:ttl:9999999")).slice(
    "data:".length,
    -"\n@alice@".length,
  );
  assertMatch(passcode, /^[A-Z1-9]{6}$/);
  let answers = 0;
  let clients: Client[] = [];
  const leaving: Promise<void>[] = [];
  const end = world.clock.now() + HOUR_MS;
  for (let n = 0; world.clock.now() < end; n++) {
    if (n % 20 === 0) {
      for (const client of clients) leaving.push(client.end());
      clients = [];
      for (let i = 0; i < 6; i++) clients.push(await world.connect());
      for (const client of clients) await client.ask("from:@alice");
    }
    for (const client of clients) await client.send(`${enrollRequest(`WRONG${n % 10}`)}\n`);
    await world.settle();
    world.clock.advance(5_000);
    await world.settle();
    for (const client of clients) {
      answers += client.takeWrites().filter((write) => write.includes("invalid otp")).length;
    }
  }
  for (const client of clients) leaving.push(client.end());
  for (let i = 0; i < 20; i++) {
    world.clock.advance(55_000);
    await world.settle();
  }
  await Promise.all(leaving);
  assert(answers > 5 && answers < 90, `${answers} guesses in an hour`);
});

function enrollRequest(otp: string): string {
  return `enroll:request:${
    JSON.stringify({
      appName: "a",
      deviceName: otp,
      otp,
      namespaces: { wavi: "rw" },
      apkamPublicKey: "K",
      encryptedAPKAMSymmetricKey: "S",
    })
  }`;
}

/** How long, in the server's time, the answer to `line` takes. */
async function waitForAnswer(world: World, client: Client, line: string): Promise<number> {
  const from = world.clock.now();
  await client.send(`${line}\n`);
  await world.settle();
  for (let writes = client.takeWrites(); writes.length === 0; writes = client.takeWrites()) {
    assert(client.isServed && world.clock.now() - from < 60_000, `no answer to ${line}`);
    world.clock.advance(50);
    await world.settle();
  }
  return world.clock.now() - from;
}
