import fc from "fast-check";
import { assert, assertEquals } from "../../tests/assert.ts";
import { type MemoryConn, memoryConnPair } from "../../tests/memory_conn.ts";
import {
  type ByteConn,
  closeQuietly,
  ManualClock,
  systemClock,
  systemEntropy,
  writeAll,
} from "../base/mod.ts";
import { CtrStream } from "../crypto/mod.ts";
import { bridge, type BridgeCounters } from "./bridge.ts";
import { EarlyDataGate } from "./early_data.ts";

const clock = systemClock;

/** Reads to the end of stream. */
async function readAll(conn: ByteConn): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(64 * 1024);
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    parts.push(buffer.slice(0, n));
  }
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

async function send(conn: ByteConn, bytes: Uint8Array): Promise<void> {
  await writeAll(conn, bytes);
  await conn.closeWrite();
}

/** Bytes that differ at every place, from a seed. */
function seeded(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let x = seed | 1;
  for (let i = 0; i < length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[i] = x;
  }
  return bytes;
}

/** Lets everything that can go on without the clock go on. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

/** Outer and inner ends of a bridge in memory: what the user of side A holds, what the bridge holds. */
function ends(bufferBytes?: number): Record<"userA" | "a" | "userB" | "b", MemoryConn> {
  const [userA, a] = memoryConnPair(bufferBytes);
  const [userB, b] = memoryConnPair(bufferBytes);
  return { userA, a, userB, b };
}

Deno.test("bridge() copies both ways, counts, and closes both sides in the end", async () => {
  const { userA, a, userB, b } = ends();
  const counters: BridgeCounters = { aToB: 0, bToA: 0 };
  const bridging = bridge(a, b, { clock, counters });
  const [gotA, gotB] = await Promise.all([
    readAll(userA),
    readAll(userB),
    send(userA, seeded(300_000, 1)),
    send(userB, seeded(70_000, 2)),
  ]);
  assertEquals(gotB, seeded(300_000, 1));
  assertEquals(gotA, seeded(70_000, 2));
  assertEquals((await bridging).kind, "closed");
  assertEquals(counters, { aToB: 300_000, bToA: 70_000 });
  assert(a.closed && b.closed);
});

Deno.test("bridge() passes end of stream on and still carries the answer", async () => {
  const { userA, a, userB, b } = ends();
  const bridging = bridge(a, b, { clock });
  await send(userA, seeded(10, 1));
  assertEquals(await readAll(userB), seeded(10, 1));
  await send(userB, seeded(5000, 2));
  assertEquals(await readAll(userA), seeded(5000, 2));
  assertEquals((await bridging).kind, "closed");
});

Deno.test("two bridges with ciphers give back what went in, for any sizes and cuts", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 90_000 })), {
        minLength: 1,
        maxLength: 8,
      }),
      fc.constantFrom(1000, 65_536, 1_000_000),
      async (cuts, bufferBytes) => {
        const [userA, a1] = memoryConnPair(bufferBytes);
        const [b1, a2] = memoryConnPair(bufferBytes);
        const [b2, userB] = memoryConnPair(bufferBytes);
        const [key, iv] = [systemEntropy.bytes(32), systemEntropy.bytes(16)];
        const [backKey, backIv] = [systemEntropy.bytes(32), systemEntropy.bytes(16)];
        const bridges = [
          bridge(a1, b1, {
            clock,
            outgoing: new CtrStream(key, iv),
            incoming: new CtrStream(backKey, backIv),
          }),
          bridge(b2, a2, {
            clock,
            outgoing: new CtrStream(backKey, backIv),
            incoming: new CtrStream(key, iv),
          }),
        ];
        const total = cuts.reduce((sum, n) => sum + n, 0);
        const [up, down] = [seeded(total, 3), seeded(total, 4)];
        const sendCut = async (conn: ByteConn, bytes: Uint8Array) => {
          let at = 0;
          for (const n of cuts) {
            await writeAll(conn, bytes.subarray(at, at + n));
            at += n;
          }
          await conn.closeWrite();
        };
        const [gotA, gotB] = await Promise.all([
          readAll(userA),
          readAll(userB),
          sendCut(userA, up),
          sendCut(userB, down),
        ]);
        assertEquals(gotB, up);
        assertEquals(gotA, down);
        for (const end of await Promise.all(bridges)) assertEquals(end.kind, "closed");
        const onWire = b1.writes.reduce((sum, part) => sum + part.length, 0);
        assertEquals(onWire, total);
        assert(onWire < 64 || !startsWith(b1.writes, up));
      },
    ),
    { numRuns: 25 },
  ));

function startsWith(writes: readonly Uint8Array[], plain: Uint8Array): boolean {
  return writes[0]?.every((byte, i) => byte === plain[i]) === true;
}

Deno.test("bridge() ends a half-open pair after 30 s without bytes", async () => {
  const { userA, a, userB, b } = ends();
  const manual = new ManualClock();
  const bridging = bridge(a, b, { clock: manual });
  await userA.closeWrite();
  assertEquals(await readAll(userB), new Uint8Array());
  await settle();
  manual.advance(20_000);
  await writeAll(userB, new Uint8Array([1]));
  assertEquals(await userA.read(new Uint8Array(1)), 1);
  await settle();
  manual.advance(10_000);
  await settle();
  manual.advance(19_999);
  await settle();
  assert(!a.closed, "bytes came 29.999 s ago");
  manual.advance(1);
  assertEquals((await bridging).kind, "half_open");
  assert(a.closed && b.closed);
});

Deno.test("bridge() does not take a slow reader for silence", async () => {
  const { userA, a, userB, b } = ends(1000);
  const manual = new ManualClock();
  const bridging = bridge(a, b, { clock: manual });
  await userA.closeWrite();
  const sending = send(userB, seeded(100_000, 7));
  await settle();
  for (let i = 0; i < 5; i++) {
    manual.advance(30_000);
    await settle();
  }
  assert(!a.closed, "A's reader has not taken what is there");
  assertEquals(await readAll(userA), seeded(100_000, 7));
  await sending;
  assertEquals((await bridging).kind, "closed");
});

Deno.test("bridge() reads no more than about 1 MB ahead of a reader that stalls", async () => {
  for (const ciphered of [false, true]) {
    const { userA, a, userB, b } = ends(64 * 1024);
    const counters: BridgeCounters = { aToB: 0, bToA: 0 };
    const stop = new AbortController();
    const bridging = bridge(a, b, {
      clock,
      counters,
      signal: stop.signal,
      ...(ciphered ? { outgoing: new CtrStream(new Uint8Array(32), new Uint8Array(16)) } : {}),
    });
    let sent = 0;
    const sending = (async () => {
      const chunk = new Uint8Array(64 * 1024);
      for (;;) sent += await userA.write(chunk);
    })().catch(() => {});
    const buffer = new Uint8Array(64 * 1024);
    // some traffic, so that buffers are at their largest
    for (let got = 0; got < 8_000_000;) got += await userB.read(buffer) ?? 0;
    const before = counters.aToB;
    let last = -1;
    while (last !== sent) {
      last = sent;
      await new Promise((resolve) => setTimeout(resolve, 0));
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    assert(counters.aToB - before < 1_300_000, `${counters.aToB - before} bytes were read ahead`);
    stop.abort();
    // a write in memory ends with its reader
    closeQuietly(userB);
    assertEquals((await bridging).kind, "aborted");
    closeQuietly(userA);
    await sending;
  }
});

Deno.test("bridge() delivers what a side sent before it broke", async () => {
  const { userA, a, userB, b } = ends(1000);
  const failing: ByteConn = {
    read: async (into) => {
      const n = await a.read(into);
      if (n === null) throw new Deno.errors.ConnectionReset("reset");
      return n;
    },
    write: (bytes) => a.write(bytes),
    closeWrite: () => a.closeWrite(),
    close: () => a.close(),
  };
  const bridging = bridge(failing, b, {
    clock,
    outgoing: new CtrStream(new Uint8Array(32), new Uint8Array(16)),
  });
  await send(userA, seeded(900, 3));
  const got = await readAll(userB);
  const decrypted = new CtrStream(new Uint8Array(32), new Uint8Array(16)).transform(got);
  assertEquals(new Uint8Array(decrypted), seeded(900, 3));
  const end = await bridging;
  assertEquals(end.kind, "failed");
  assert(end.cause instanceof Deno.errors.ConnectionReset);
});

Deno.test("bridge() ends when what one side sent cannot be delivered in 5 s after it broke", async () => {
  const { userA, a, userB, b } = ends(1000);
  const manual = new ManualClock();
  let reads = 0;
  const failing: ByteConn = {
    read: async (into) => {
      if (++reads > 3) throw new Deno.errors.ConnectionReset("reset");
      return await a.read(into);
    },
    write: (bytes) => a.write(bytes),
    closeWrite: () => a.closeWrite(),
    close: () => a.close(),
  };
  const bridging = bridge(failing, b, {
    clock: manual,
    outgoing: new CtrStream(new Uint8Array(32), new Uint8Array(16)),
  });
  const sending = send(userA, seeded(5000, 3)).catch(() => {});
  while (reads < 4) await settle();
  await settle();
  assert(!b.closed, "its last bytes may still be taken");
  manual.advance(4_999);
  await settle();
  assert(!b.closed);
  manual.advance(1);
  await settle();
  assert(b.closed);
  // a write in memory ends with its reader
  closeQuietly(userB);
  assertEquals((await bridging).kind, "failed");
  await sending;
});

Deno.test("bridge() closes both sides when its signal aborts, before or during", async () => {
  for (const early of [true, false]) {
    const { a, userB, b } = ends();
    const stop = new AbortController();
    if (early) stop.abort();
    const bridging = bridge(a, b, { clock, signal: stop.signal });
    stop.abort();
    assertEquals((await bridging).kind, "aborted");
    assert(a.closed && b.closed);
    assertEquals(await userB.read(new Uint8Array(1)), null);
  }
});

Deno.test("bridge() says once when the first bytes come from B", async () => {
  const { userA, a, userB, b } = ends();
  let calls = 0;
  const bridging = bridge(a, b, { clock, onFirstFromB: () => calls++ });
  await writeAll(userA, seeded(10, 1));
  await userB.read(new Uint8Array(10));
  assertEquals(calls, 0);
  await send(userB, seeded(10, 1));
  await readAll(userA);
  assertEquals(calls, 1);
  await userA.closeWrite();
  await bridging;
  assertEquals(calls, 1);
});

Deno.test("early data is held back until the peer's first byte or 100 ms", async () => {
  for (const opener of ["byte", "time"]) {
    const { userA, a, userB, b } = ends();
    const manual = new ManualClock();
    const bridging = bridge(a, b, { clock: manual, earlyData: new EarlyDataGate(manual) });
    const sending = send(userA, seeded(10_000, 5));
    const buffer = new Uint8Array(20_000);
    let got = 0;
    while (got < 3400) got += await userB.read(buffer.subarray(got)) ?? 0;
    await settle();
    manual.advance(99);
    await settle();
    const written = b.writes.reduce((sum, part) => sum + part.length, 0);
    assertEquals(written, 3400);
    if (opener === "byte") await writeAll(userB, new Uint8Array([1]));
    else manual.advance(1);
    while (got < 10_000) got += await userB.read(buffer.subarray(got)) ?? 0;
    assertEquals(buffer.subarray(0, got), seeded(10_000, 5));
    await sending;
    await userB.closeWrite();
    assertEquals((await bridging).kind, "closed");
  }
});
