import { assert, assertEquals } from "../tests/assert.ts";
import {
  checkResults,
  checkRows,
  readRows,
  renderTable,
  type Row,
  TABLE_FILE,
} from "./conformance.ts";

const ROW: Row = {
  id: "noop.zero",
  verb: "noop",
  what: "noop:0",
  expect: "data:ok⏎@alice@",
  shownBy: "conformance_housekeeping.txt:noop.zero",
};
const SHOWN_BY_TEST: Row = { ...ROW, id: "x.y", shownBy: "src/x_test.ts :: x does y" };

Deno.test("every row of the conformance table has its test, and its transcript the expected answer", () => {
  assertEquals(checkRows(readRows()), []);
});

Deno.test("docs/conformance.md is what scripts/conformance.ts writes", async () => {
  const written = await Deno.readTextFile(new URL(`../${TABLE_FILE}`, import.meta.url));
  assertEquals(written.split("\n"), renderTable(readRows()).split("\n"));
});

Deno.test("the conformance table leaves nothing out", () => {
  const rows = readRows();
  assert(rows.length >= 250, `only ${rows.length} rows`);
  for (const { id, what, expect } of rows) {
    assert(!/\b(?:todo|n\/a|not applicable|left out)\b/i.test(`${what} ${expect}`), id);
  }
});

Deno.test("checkRows() finds rows without a test, with another answer, and twice", () => {
  const troubles = checkRows([
    ROW,
    { ...ROW, expect: "data:no" },
    { ...SHOWN_BY_TEST, id: "a" },
    { ...ROW, id: "b", shownBy: "conformance_housekeeping.txt:nowhere" },
    { ...ROW, id: "c", shownBy: "somewhere" },
  ]).filter((line) => !line.includes("is no row"));
  assertEquals(troubles.map((line) => line.replace(/,.*/s, "")), [
    "noop.zero: there are two rows of this id",
    "noop.zero: expected data:no",
    "a: there is no src/x_test.ts",
    'b: tests/transcripts/conformance_housekeeping.txt has no marker "# row: nowhere"',
    'c: "somewhere" is neither file.txt:marker nor file :: test',
  ]);
});

Deno.test("checkResults() asks for a pass, of a transcript both in memory and over TLS", () => {
  const file = "./src/atserver/transcript_test.ts";
  const name = "transcript conformance_housekeeping";
  assertEquals(
    checkResults([ROW, SHOWN_BY_TEST], [
      { file, name, outcome: "passed" },
      { file, name: `${name} over TLS`, outcome: "skipped" },
      { file: "./src/x_test.ts", name: "x does y", outcome: "passed" },
    ]),
    [
      `noop.zero: src/atserver/transcript_test.ts :: ${name} over TLS: skipped`,
    ],
  );
  assertEquals(checkResults([SHOWN_BY_TEST], []), [
    "x.y: src/x_test.ts :: x does y: did not run",
  ]);
});
