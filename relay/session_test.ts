import { assert, assertEquals } from "../tests/assert.ts";
import { closeQuietly, systemEntropy, writeAll } from "../src/base/mod.ts";
import { encodeUtf8 } from "../src/encoding/mod.ts";
import { createAuthLines, signWith, verifyWith } from "../src/session/mod.ts";
import {
  areJoined,
  CLIENT_KEYS,
  DAEMON_KEYS,
  isCutOff,
  openRig,
  readText,
  type Rig,
} from "./_session_rig.ts";

/** Waits that a session begins with, before any socket. */
const OWN_SLEEPS = 2;

/** A session works: a new pair is joined. */
async function assertServes(rig: Rig): Promise<void> {
  const a = await rig.join("A");
  const b = await rig.join("B");
  assert(await areJoined(a, b));
}

Deno.test("a session joins two sides and keeps what came behind the line", async () => {
  await using rig = openRig();
  const a = await rig.join("A", { text: "early bytes" });
  const b = await rig.join("B");
  assertEquals(await readText(b, 11), "early bytes");
  assert(await areJoined(a, b));
});

Deno.test("a session joins sides that need not authenticate, without reading them first", async () => {
  await using rig = openRig({ authenticate: false });
  const a = await rig.connect("A");
  await writeAll(a, encodeUtf8("no line"));
  const b = await rig.connect("B");
  assertEquals(await readText(b, 7), "no line");
});

Deno.test("a session carries the answer after one side has sent end of stream", async () => {
  await using rig = openRig();
  const a = await rig.join("A", { text: "question" });
  await a.closeWrite();
  const b = await rig.join("B");
  assertEquals(await readText(b, 100), "question");
  await writeAll(b, encodeUtf8("answer"));
  await b.closeWrite();
  assertEquals(await readText(a, 100), "answer");
});

Deno.test("a session cuts hostile sockets off while another pair goes on undisturbed", async () => {
  await using rig = openRig();
  const a = await rig.join("A");
  const b = await rig.join("B");
  assert(await areJoined(a, b));
  const stranger = await systemEntropy.rsaKeyPair();
  const wrongKey = createAuthLines(rig.auth, signWith(stranger.privateKey)).line();
  const otherSession = createAuthLines(
    { ...rig.auth, sessionId: crypto.randomUUID() },
    signWith(CLIENT_KEYS.privateKey),
  ).line();
  const otherNonce = createAuthLines(
    { ...rig.auth, rvdNonce: "another" },
    signWith(CLIENT_KEYS.privateKey),
  ).line();
  const rows: [string, string][] = [
    ["garbage", "GET / HTTP/1.1\r\n\r\n"],
    ["an empty line", "\n"],
    ["a megabyte without a line end", "x".repeat(1_000_000)],
    ["a wrong signature", wrongKey],
    ["the other side's line", rig.lines.B.line()],
    ["a line of another session", otherSession],
    ["a line with another nonce", otherNonce],
    ["bytes that are not text", "\u0000\u0001\n"],
  ];
  for (const [name, text] of rows) {
    const hostile = await rig.connect("A");
    await writeAll(hostile, encodeUtf8(text)).catch(() => {});
    assert(await isCutOff(hostile), name);
    assert(await areJoined(a, b), name);
  }
  await rig.until("socket refused", rows.length);
  assert(!rig.logged.some((line) => line.includes("GET")), "payload is not logged");
  await assertServes(rig);
});

Deno.test("a session closes a socket that has not authenticated after 5 s, however busy it is", async () => {
  await using rig = openRig();
  const slow = await rig.connect("A");
  await writeAll(slow, encodeUtf8("{"));
  await rig.clock.slept(OWN_SLEEPS + 1);
  rig.clock.advance(1_000);
  await rig.clock.slept(OWN_SLEEPS + 2);
  await writeAll(slow, encodeUtf8('"'));
  rig.clock.advance(4_000);
  assert(await isCutOff(slow));
  await assertServes(rig);
});

Deno.test("a session pairs by order of acceptance, not of readiness", async () => {
  await using rig = openRig();
  const first = await rig.connect("A");
  await rig.clock.slept(OWN_SLEEPS + 1);
  const second = await rig.join("A");
  const b1 = await rig.join("B", { text: "1" });
  const b2 = await rig.join("B", { text: "2" });
  await writeAll(first, encodeUtf8(rig.lines.A.line()));
  assertEquals(await readText(first, 1), "1");
  assertEquals(await readText(second, 1), "2");
  assert(await areJoined(first, b1) && await areJoined(second, b2));
});

Deno.test("a session holds a socket back for an older one for at most a second", async () => {
  await using rig = openRig();
  const slow = await rig.connect("A");
  await rig.clock.slept(OWN_SLEEPS + 1);
  const quick = await rig.join("A");
  const b = await rig.join("B");
  // each socket's own limit has begun; the old one does not let the new one pass yet
  await rig.clock.slept(OWN_SLEEPS + 3);
  await writeAll(b, encodeUtf8("x"));
  rig.clock.advance(1_000);
  assertEquals(await readText(quick, 1), "x");
  closeQuietly(slow);
});

Deno.test("a session keeps the place of a waiting socket that has closed", async () => {
  await using rig = openRig();
  const gone = await rig.join("A", { text: "gone" });
  closeQuietly(gone);
  const a = await rig.join("A");
  const b1 = await rig.join("B");
  assertEquals(await readText(b1, 100), "gone");
  const b2 = await rig.join("B");
  assert(await areJoined(a, b2));
});

Deno.test("a session joins numbered sockets by number", async () => {
  await using rig = openRig();
  const a2 = await rig.join("A", { number: 2 });
  const a1 = await rig.join("A", { number: 1 });
  const b1 = await rig.join("B", { number: 1, text: "one" });
  const b2 = await rig.join("B", { number: 2, text: "two" });
  assertEquals(await readText(a1, 3), "one");
  assertEquals(await readText(a2, 3), "two");
  assert(await areJoined(a1, b1) && await areJoined(a2, b2));
});

Deno.test("a session refuses a number that waits already, and gives a lonely number up after 30 s", async () => {
  await using rig = openRig();
  const controlA = await rig.join("A", { number: 0 });
  const controlB = await rig.join("B", { number: 0 });
  assert(await areJoined(controlA, controlB));
  const twins = [await rig.join("A", { number: 5 }), await rig.join("A", { number: 5 })];
  const cut = twins.map(isCutOff);
  assert(await Promise.race(cut));
  await rig.until("number already waiting");
  rig.clock.advance(30_000);
  assertEquals(await Promise.all(cut), [true, true]);
  assert(await areJoined(controlA, controlB));
});

Deno.test("a session ends when too many sockets wait on one side", async () => {
  await using rig = openRig();
  const conns: Deno.TcpConn[] = [];
  for (let i = 0; i < 65; i++) conns.push(await rig.join("A"));
  assertEquals((await rig.running).reason, "too many waiting");
  for (const conn of conns) assert(await isCutOff(conn));
});

Deno.test("a session drops the oldest of too many sockets that say nothing", async () => {
  await using rig = openRig();
  const silent: Deno.TcpConn[] = [];
  for (let i = 0; i < 129; i++) silent.push(await rig.connect("A"));
  assert(await isCutOff(silent[0] as Deno.TcpConn));
  rig.clock.advance(1_000);
  await assertServes(rig);
});

Deno.test("a session that nobody joined ends after 30 s", async () => {
  await using rig = openRig();
  await rig.clock.slept(OWN_SLEEPS);
  const waiting = await rig.join("A");
  rig.clock.advance(30_000);
  assertEquals((await rig.running).reason, "unused");
  assert(await isCutOff(waiting));
});

Deno.test("a session lives as long as one pair is joined, and ends with the last after 30 s", async () => {
  await using rig = openRig();
  await rig.clock.slept(OWN_SLEEPS);
  for (let i = 0; i < 2; i++) {
    const a = await rig.join("A");
    const b = await rig.join("B");
    assert(await areJoined(a, b));
    if (i === 0) {
      closeQuietly(a);
      assert(await isCutOff(b));
      closeQuietly(b);
      continue;
    }
    rig.clock.advance(30_000);
    assert(await areJoined(a, b), "an old pair has no limit");
    closeQuietly(a);
    closeQuietly(b);
  }
  const end = await rig.running;
  assertEquals(end, { reason: "done", connections: 2, bytesAToB: 3, bytesBToA: 3 });
});

Deno.test("a session asks for a side's key again when the first does not fit", async () => {
  let asked = 0;
  const keyB = {
    verify: verifyWith(CLIENT_KEYS.publicKey),
    refresh: () => {
      asked++;
      return Promise.resolve(verifyWith(DAEMON_KEYS.publicKey));
    },
  };
  await using rig = openRig({ keyB });
  await assertServes(rig);
  await assertServes(rig);
  const hostile = await rig.connect("B");
  await writeAll(hostile, encodeUtf8(rig.lines.A.line()));
  assert(await isCutOff(hostile));
  assertEquals(asked, 1);
});

Deno.test("a session holds little of what a stalled reader does not take, and ends at once", async () => {
  await using rig = openRig();
  const a = await rig.join("A");
  const b = await rig.join("B");
  assert(await areJoined(a, b));
  const chunk = new Uint8Array(256 * 1024);
  let sent = 0;
  const flooding = (async () => {
    for (;;) sent += await a.write(chunk);
  })().catch(() => {});
  // B reads nothing: A's writes stop when every buffer on the way is full
  let last = -1;
  while (last !== sent) {
    last = sent;
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  rig.stop.abort();
  const end = await rig.running;
  assert(sent < 30_000_000, `${sent} bytes fit between sender and stalled reader`);
  assert(end.bytesAToB < 15_000_000, `${end.bytesAToB} bytes went into the relay`);
  closeQuietly(a);
  await flooding;
});
