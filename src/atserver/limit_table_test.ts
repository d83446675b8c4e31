import { assert, assertEquals, assertMatch, assertRejects } from "../../tests/assert.ts";
import { NoportsError } from "../base/mod.ts";
import { formatLimit, LIMIT_TABLE, parseLimits, renderLimits } from "./limit_table.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";

Deno.test("every limit can be set, under one name", () => {
  const fields = LIMIT_TABLE.map((row) => row.field).sort();
  assertEquals(fields, Object.keys(DEFAULT_LIMITS).sort() as (keyof Limits)[]);
  assertEquals(new Set(LIMIT_TABLE.map((row) => row.name)).size, LIMIT_TABLE.length);
  assert(renderLimits().every((line) => line.length <= 120));
});

Deno.test("parseLimits() reads back what the table shows", () => {
  for (const row of LIMIT_TABLE) {
    const value = DEFAULT_LIMITS[row.field];
    assertEquals(parseLimits([`${row.name}=${formatLimit(row, value)}`]), { [row.field]: value });
  }
});

Deno.test("parseLimits() takes counts, bytes and times; the last one of a name counts", () => {
  assertEquals(
    parseLimits(["connections=5", "owner-line=2m", "idle=1h,30m", "connections=7", "write=250ms"]),
    { connections: 7, ownerLineBytes: 2_097_152, loggedInIdleMs: 5_400_000, writeMs: 250 },
  );
});

Deno.test("parseLimits() refuses what is no limit or no value", async () => {
  const bad = [
    "connections",
    "connection=1",
    "=1",
    "toString=1",
    "connections=",
    "connections=0",
    "connections=-1",
    "connections=1k",
    "connections=1e9",
    "owner-line=1g",
    "idle=soon",
    "idle=0",
    "owner-line=9999999999999m",
  ];
  for (const flag of bad) {
    const error = await assertRejects(() => parseLimits([flag]), NoportsError, { code: "usage" });
    assertMatch(error.message, /--limit/);
  }
});

Deno.test("docs/server.md shows every limit with its default and meaning", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/server.md", import.meta.url));
  for (const row of LIMIT_TABLE) {
    const value = formatLimit(row, DEFAULT_LIMITS[row.field]);
    const line = `| \`${row.name}\` | ${value} | ${row.meaning} |`;
    assert(page.includes(line), `docs/server.md does not have: ${line}`);
  }
});
