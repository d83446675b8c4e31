/**
 * `make test`: runs the tests and ends with a line that counts them, "N passed, N failed[, N skipped]".
 * Unit tests (beside the code) run in parallel in one `deno test`; those of tests/e2e/, which start real processes,
 * run one file after the other, so that they do not disturb each other's clocks. Arguments: files or folders to run
 * in place of all. What fails without being a test (a type error, a file that throws when loaded, a file that hangs)
 * counts as one failure, so that "0 failed" means that all went well. When all tests ran, one more looks whether those
 * that the conformance table names passed.
 */

import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { checkResults, CONFORMANCE_TEST, readRows, ROWS_FILE } from "./conformance.ts";
import { parseJunit, type TestResult } from "./junit.ts";

/** We chose them: the unit tests take seconds; all of it stays below the 30 minutes of a CI run. */
const FILE_LIMIT_MS = 10 * 60_000;
const TOTAL_LIMIT_MS = 25 * 60_000;
/** How long `deno test` gets, after SIGINT, to name the test that was running. */
const GRACE_MS = 5_000;
/** How long its output may still come after its end. */
const DRAIN_MS = 1_000;

const SKIPPED_FOLDERS = new Set([".git", ".deno", ".ci", "dist", "node_modules"]);
const SKIP_REASON = /^(.*?) ?\[skipped: (.*)\]$/;

const root = fileURLToPath(new URL("..", import.meta.url));

/** What one `deno test` came to. */
interface Run {
  readonly results: readonly TestResult[];
  /** What failed without being a test. */
  readonly troubles: readonly string[];
}

/** Set by the first SIGINT or SIGTERM: run no further file. */
let interrupted = false;

await main(Deno.args);

async function main(args: readonly string[]): Promise<void> {
  const started = performance.now();
  const limitMs = (): number =>
    Math.min(FILE_LIMIT_MS, started + TOTAL_LIMIT_MS - performance.now());
  const files = (args.length === 0 ? findTests(root) : args.flatMap(testsAt)).sort();
  const unit = files.filter((file) => !isE2e(file));
  const e2e = files.filter(isE2e);

  const runs: Run[] = [];
  if (unit.length > 0) {
    say(`== unit tests (${unit.length} files)`);
    runs.push(await runDenoTest(unit, ["--parallel"], limitMs()));
  }
  for (const [index, file] of e2e.entries()) {
    if (interrupted) {
      runs.push({ results: [], troubles: [`interrupted: ${e2e.length - index} files not run`] });
      break;
    }
    say(`== ${file}`);
    runs.push(await runDenoTest([file], [], limitMs()));
  }
  if (args.length === 0) runs.push(checkConformance(runs));
  report(runs);
}

/** One more test, over the results of all the others. */
function checkConformance(runs: readonly Run[]): Run {
  say(`== ${ROWS_FILE}`);
  const rows = readRows();
  const wrong = checkResults(rows, runs.flatMap((run) => run.results));
  for (const line of wrong) say(line);
  say(`${rows.length} rows, ${wrong.length} named tests without a pass`);
  const outcome = wrong.length === 0 ? "passed" : "failed";
  return { results: [{ file: ROWS_FILE, name: CONFORMANCE_TEST, outcome }], troubles: [] };
}

/** Runs `deno test` over `files`, its output on ours, and stops it and all it started at the limit. */
async function runDenoTest(
  files: readonly string[],
  flags: readonly string[],
  limitMs: number,
): Promise<Run> {
  const what = files.length === 1 ? files[0] : "unit tests";
  if (limitMs <= 0) return { results: [], troubles: [`${what}: not run, no time is left`] };
  const junit = await Deno.makeTempFile({ prefix: "noports-junit-", suffix: ".xml" });
  try {
    const child = new Deno.Command(Deno.execPath(), {
      // The configuration turns the leak sanitizers on, also for files outside the repository.
      args: ["test", "-A", "--quiet", "--config", join(root, "deno.json")]
        .concat(`--junit-path=${junit}`, flags, files),
      cwd: root,
      stdin: "null",
      stdout: "piped",
      detached: true, // a process group of its own: what a test leaves behind can be ended with it
    }).spawn();
    const output = copyOutput(child.stdout, child.status);
    const stop = await waitOrStop(child, limitMs);
    const troubles = findLoadErrors(await output);
    let results = parseJunit(await Deno.readTextFile(junit));
    // Deno reports a test under the file that called Deno.test(), which can be a helper of several test files.
    if (files.length === 1) results = results.map((result) => ({ ...result, file: `${what}` }));
    const failed = results.some((result) => result.outcome === "failed");
    if (stop !== null) say(`== ${what}: ${stop}`);
    // A stopped run reports the pending test as failed, when it could still write its report.
    if (!(await child.status).success && !failed && troubles.length === 0) {
      troubles.push(`${what}: ${stop ?? "deno test failed outside the tests, see above"}`);
    }
    return { results, troubles };
  } finally {
    await Deno.remove(junit);
  }
}

/** Copies the output to ours as it comes until it ends, or a little after `ended`, and gives it whole. */
async function copyOutput(
  stream: ReadableStream<Uint8Array>,
  ended: Promise<unknown>,
): Promise<string> {
  const reader = stream.getReader();
  // A process that left the group and still has the pipe open must not keep us.
  const timer = ended.then(() => setTimeout(() => reader.cancel(), DRAIN_MS));
  const decoder = new TextDecoder();
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    for (let at = 0; at < part.value.length;) {
      at += Deno.stdout.writeSync(part.value.subarray(at));
    }
    text += decoder.decode(part.value, { stream: true });
  }
  clearTimeout(await timer);
  return text;
}

/** The test files that threw outside a test. Deno's JUnit report leaves them out, its text has a line for each. */
function findLoadErrors(output: string): string[] {
  const plain = stripVTControlCharacters(output);
  return [...plain.matchAll(/^Uncaught error from (.*) FAILED$/gm)].map(([, file]) =>
    `${file}: error outside a test, see above`
  );
}

/** Waits for the child's end; at the limit or on a signal ends its process group. Gives why it was stopped, or null. */
async function waitOrStop(child: Deno.ChildProcess, limitMs: number): Promise<string | null> {
  let reason: string | null = null;
  let killTimer: ReturnType<typeof setTimeout> | undefined;
  const stop = (why: string): void => {
    if (reason !== null) return;
    reason = why;
    signal(child.pid, "SIGINT"); // `deno test` then prints what was pending
    killTimer = setTimeout(() => signal(-child.pid, "SIGKILL"), GRACE_MS);
  };
  const limitTimer = setTimeout(
    () => stop(`stopped after ${Math.round(limitMs / 1000)} s`),
    limitMs,
  );
  const onSignal = (): void => {
    interrupted = true;
    stop("interrupted");
  };
  Deno.addSignalListener("SIGINT", onSignal);
  Deno.addSignalListener("SIGTERM", onSignal);
  try {
    await child.status;
  } finally {
    clearTimeout(limitTimer);
    clearTimeout(killTimer);
    Deno.removeSignalListener("SIGINT", onSignal);
    Deno.removeSignalListener("SIGTERM", onSignal);
    signal(-child.pid, "SIGKILL");
  }
  return reason;
}

/** Lists what was skipped and what failed, counts, and sets the exit status. */
function report(runs: readonly Run[]): void {
  const results = runs.flatMap((run) => run.results);
  const troubles = runs.flatMap((run) => run.troubles);
  const skipped = results.filter((result) => result.outcome === "skipped");
  const failed = results.filter((result) => result.outcome === "failed");
  const passed = results.length - skipped.length - failed.length;

  if (results.length - skipped.length + troubles.length === 0) troubles.push("no test ran");
  say("");
  if (skipped.length > 0) {
    say(`Skipped (${skipped.length}):`);
    for (const { file, name } of skipped) {
      const [, title = name, reason = "ignored, no reason given"] = SKIP_REASON.exec(name) ?? [];
      say(`  ${file} "${title}": ${reason}`);
    }
  }
  const failures = failed.length + troubles.length;
  if (failures > 0) {
    say(`Failed (${failures}):`);
    for (const { file, name } of failed) say(`  ${file} "${name}"`);
    for (const trouble of troubles) say(`  ${trouble}`);
    Deno.exitCode = 1;
  }
  say(
    `${passed} passed, ${failures} failed` +
      (skipped.length > 0 ? `, ${skipped.length} skipped` : ""),
  );
}

/** The test files of a file or folder argument, relative to the root. */
function testsAt(argument: string): string[] {
  const path = resolve(argument);
  return Deno.statSync(path).isDirectory ? findTests(path) : [relative(root, path)];
}

/** All `*_test.ts` below `folder`, relative to the root. */
function findTests(folder: string): string[] {
  const found: string[] = [];
  for (const entry of Deno.readDirSync(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory && !SKIPPED_FOLDERS.has(entry.name)) {
      found.push(...findTests(path));
    } else if (entry.isFile && entry.name.endsWith("_test.ts")) {
      found.push(relative(root, path));
    }
  }
  return found;
}

function isE2e(file: string): boolean {
  return file.startsWith("tests/e2e/");
}

function signal(pid: number, name: Deno.Signal): void {
  try {
    Deno.kill(pid, name);
  } catch {
    // It has ended already.
  }
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
}
