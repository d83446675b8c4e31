import { assert, assertEquals } from "../tests/assert.ts";
import { memoryConnPair } from "../tests/memory_conn.ts";
import { writeAll } from "../src/base/mod.ts";
import { readAuthLine } from "./auth_reader.ts";

const LF = 0x0a;

async function read(...writes: Uint8Array[]) {
  const [user, conn] = memoryConnPair();
  for (const bytes of writes) await writeAll(user, bytes);
  await user.closeWrite();
  return await readAuthLine(conn);
}

function line(length: number, ...rest: number[]): Uint8Array {
  return new Uint8Array([...new Array<number>(length).fill(0x61), LF, ...rest]);
}

Deno.test("readAuthLine() gives the line and what came behind it", async () => {
  for (const length of [0, 1, 553, 1023, 1024, 1500, 4095]) {
    const result = await read(line(length, 1, 2, LF, 3));
    assert(result.ok);
    assertEquals(result.line, "a".repeat(length));
    assertEquals([...result.rest], [1, 2, LF, 3].slice(0, result.rest.length));
  }
});

Deno.test("readAuthLine() joins a line that comes in pieces, and limits only the line", async () => {
  const pieces = Array.from(line(600), (byte) => new Uint8Array([byte]));
  const sliced = await read(...pieces);
  assert(sliced.ok && sliced.line.length === 600);
  const long = await read(line(500, ...new Array<number>(9000).fill(7)));
  assert(long.ok && long.line.length === 500);
  assert(long.rest.length < 4096, "the rest stays in the socket");
});

Deno.test("readAuthLine() gives up on a line that is too long, ends early or is not text", async () => {
  const rows: [Uint8Array, string][] = [
    [new Uint8Array(5000).fill(0x61), "line too long"],
    [new Uint8Array(10).fill(0x61), "closed before its line"],
    [new Uint8Array(0), "closed before its line"],
    [new Uint8Array([0xff, 0xfe, LF]), "not text"],
  ];
  for (const [bytes, reason] of rows) assertEquals(await read(bytes), { ok: false, reason });
});
