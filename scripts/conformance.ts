/**
 * The conformance table: `tests/conformance/rows.json` lists what the atProtocol specification asks of an atServer, one
 * row for each verb, option, right and error, with the transcript or the test that shows it. Run it to check the rows and
 * to write `docs/conformance.md`; `make test` also checks that each named test ran and passed.
 *
 * `shownBy` is `file.txt:marker`, an exchange of a golden transcript (its file is played in memory and over TLS), or
 * `path_test.ts :: test name`. What a transcript's row expects is text that must stand in the server's lines of the
 * exchange, in this order, with `…` between the parts; `(nothing)` means that the server says nothing.
 */

import { fileURLToPath } from "node:url";
import type { TestResult } from "./junit.ts";

export interface Row {
  readonly id: string;
  readonly verb: string;
  /** The option, right or error that the row is about. */
  readonly what: string;
  readonly expect: string;
  readonly shownBy: string;
}

/** The name under which `make test` reports the check. */
export const CONFORMANCE_TEST = "every row of the conformance table names tests that passed";
export const ROWS_FILE = "tests/conformance/rows.json";
export const TABLE_FILE = "docs/conformance.md";

const ROOT = new URL("../", import.meta.url);
const TRANSCRIPT_TESTS = "src/atserver/transcript_test.ts";

if (import.meta.main) {
  const rows = readRows();
  const troubles = checkRows(rows);
  Deno.stderr.writeSync(new TextEncoder().encode(troubles.map((line) => `${line}\n`).join("")));
  if (troubles.length > 0) Deno.exit(1);
  await Deno.mkdir(new URL("docs/", ROOT), { recursive: true });
  await Deno.writeTextFile(new URL(TABLE_FILE, ROOT), renderTable(rows));
}

export function readRows(): Row[] {
  return JSON.parse(Deno.readTextFileSync(new URL(ROWS_FILE, ROOT)));
}

/** What is wrong with the rows by themselves: double ids, missing files and markers, other answers than expected. */
export function checkRows(rows: readonly Row[]): string[] {
  const troubles: string[] = [];
  const ids = new Set<string>();
  const transcripts = new Map<string, Map<string, string[]>>();
  for (const row of rows) {
    if (ids.has(row.id)) troubles.push(`${row.id}: there are two rows of this id`);
    ids.add(row.id);
    for (const field of ["verb", "what", "expect", "shownBy"] as const) {
      if (typeof row[field] !== "string" || row[field] === "") {
        troubles.push(`${row.id}: ${field} is empty`);
      }
    }
    const place = parsePlace(row.shownBy);
    if (place === null) {
      troubles.push(`${row.id}: "${row.shownBy}" is neither file.txt:marker nor file :: test`);
    } else if (place.kind === "test") {
      if (!exists(place.file)) troubles.push(`${row.id}: there is no ${place.file}`);
    } else {
      const exchanges = transcripts.get(place.file) ?? readExchanges(place.file);
      transcripts.set(place.file, exchanges);
      const said = exchanges.get(place.marker);
      if (said === undefined) {
        troubles.push(`${row.id}: ${place.file} has no marker "# row: ${place.marker}"`);
      } else if (!isExpected(row.expect, said)) {
        troubles.push(`${row.id}: expected ${row.expect}, the transcript has ${said.join(" | ")}`);
      }
    }
  }
  for (const [file, exchanges] of transcripts) {
    for (const marker of exchanges.keys()) {
      if (!ids.has(marker)) troubles.push(`${file}: the marker ${marker} is no row`);
    }
  }
  return troubles;
}

/** The rows whose tests did not run, or did not pass. */
export function checkResults(rows: readonly Row[], results: readonly TestResult[]): string[] {
  const outcomes = new Map<string, TestResult["outcome"]>();
  for (const { file, name, outcome } of results) {
    outcomes.set(`${plainFile(file)} :: ${name}`, outcome);
  }
  const troubles: string[] = [];
  for (const row of rows) {
    for (const test of testsOf(row)) {
      const outcome = outcomes.get(test) ?? "did not run";
      if (outcome !== "passed") troubles.push(`${row.id}: ${test}: ${outcome}`);
    }
  }
  return troubles;
}

/** The table as Markdown. */
export function renderTable(rows: readonly Row[]): string {
  const out = [
    "<!-- deno-fmt-ignore-file -->",
    "<!-- written by scripts/conformance.ts from tests/conformance/rows.json -->",
    "",
    "# Conformance of the atServer",
    "",
    `${rows.length} rows: what the atProtocol specification asks of an atDirectory and an atServer, as PROTOCOL.md words it, ` +
    "and what shows each. A transcript is played in memory and over TLS, byte for byte; `make test` fails when a row's " +
    "tests did not run or did not pass. `…` stands for any text.",
  ];
  const groups = Map.groupBy(rows, (row) => row.verb);
  for (const [verb, group] of groups) {
    out.push("", `## ${verb}`, "", "| row | answer | shown by |", "| --- | --- | --- |");
    for (const row of group) {
      out.push(`| ${cell(row.what)} | ${code(row.expect)} | ${cell(placeText(row))} |`);
    }
  }
  return out.join("\n") + "\n";
}

type Place =
  | { readonly kind: "transcript"; readonly file: string; readonly marker: string }
  | { readonly kind: "test"; readonly file: string; readonly name: string };

function parsePlace(text: string): Place | null {
  const test = /^(\S+\.ts) :: (.+)$/.exec(text);
  if (test !== null) return { kind: "test", file: test[1] ?? "", name: test[2] ?? "" };
  const transcript = /^(\w+\.txt):(\S+)$/.exec(text);
  if (transcript === null) return null;
  return {
    kind: "transcript",
    file: `tests/transcripts/${transcript[1]}`,
    marker: transcript[2] ?? "",
  };
}

/** The tests that must have passed for the row. */
function testsOf(row: Row): string[] {
  const place = parsePlace(row.shownBy);
  if (place === null) return [];
  if (place.kind === "test") return [row.shownBy];
  const title = place.file.split("/").at(-1)?.replace(".txt", "");
  return ["", " over TLS"].map((end) => `${TRANSCRIPT_TESTS} :: transcript ${title}${end}`);
}

/** The server's lines of each marked exchange of a transcript. */
function readExchanges(file: string): Map<string, string[]> {
  const exchanges = new Map<string, string[]>();
  if (!exists(file)) return exchanges;
  let current: string[] | undefined;
  for (const line of Deno.readTextFileSync(new URL(file, ROOT)).split("\n")) {
    const marker = /^# row: (\S+)$/.exec(line)?.[1];
    if (marker !== undefined) exchanges.set(marker, current = []);
    else if (/^S(?:\[\w+\])?: /.test(line)) current?.push(line);
  }
  return exchanges;
}

function isExpected(expected: string, said: readonly string[]): boolean {
  if (expected === "(nothing)") return said.length === 0;
  const text = said.join("\n");
  let at = 0;
  for (const part of expected.split("…").map((piece) => piece.trim())) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return true;
}

function placeText(row: Row): string {
  const place = parsePlace(row.shownBy);
  if (place?.kind === "transcript") {
    return `[${place.file.split("/").at(-1)}](../${place.file}) \`${place.marker}\``;
  }
  return place === null ? row.shownBy : `[${place.file}](../${place.file}) “${place.name}”`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function code(text: string): string {
  return `\`${cell(text).replaceAll("`", "'")}\``;
}

function exists(file: string): boolean {
  try {
    return Deno.statSync(new URL(file, ROOT)).isFile;
  } catch {
    return false;
  }
}

/** As the rows name files: relative to the root. Deno writes `./x`, or a `file:` URL. */
function plainFile(file: string): string {
  const path = file.startsWith("file:") ? fileURLToPath(file) : file;
  const root = fileURLToPath(ROOT);
  return (path.startsWith(root) ? path.slice(root.length) : path).replace(/^\.\//, "");
}
