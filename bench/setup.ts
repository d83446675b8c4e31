/**
 * Session set-up: from the start of a cold `noports tunnel` process to the port on its stdout, 20 times, split by step.
 * Run: make bench
 */

import { RoleProcess } from "../src/demo/mod.ts";
import { CLIENT, Plane } from "../tests/e2e/harness.ts";
import { startSeededService } from "../tests/e2e/seeded_service.ts";

const RUNS = Number(Deno.args[0] ?? 20);
const BIN = new URL("../bin/noports", import.meta.url).pathname;

interface Run {
  readonly totalMs: number;
  readonly steps: Map<string, number>;
}

await using plane = await Plane.start();
await using service = startSeededService();
await plane.relay();
await plane.daemon(`localhost:${service.port}`);

const runs: Run[] = [];
for (let i = 0; i <= RUNS; i++) {
  const run = await measure();
  if (i > 0) runs.push(run); // the first one warms the file cache
}
report(runs);

async function measure(): Promise<Run> {
  const startedAt = Date.now();
  const from = performance.now();
  await using tunnel = new RoleProcess({
    name: "tunnel",
    command: [BIN],
    args: plane.tunnelArgs(service.port, "-q", "-v", "--log-format", "json"),
    env: plane.env(CLIENT),
  });
  await tunnel.line(/^\d+$/, plane.signal);
  const totalMs = performance.now() - from;
  const steps = new Map<string, number>();
  let before = startedAt;
  for (const line of tunnel.stderr) {
    if (!line.startsWith("{")) continue;
    const { event, step, time } = JSON.parse(line);
    if (event !== "setup step") continue;
    const at = new Date(time).getTime();
    steps.set(step, at - before);
    before = at;
  }
  return { totalMs, steps };
}

function report(all: readonly Run[]): void {
  const names = [...new Set(all.flatMap((run) => [...run.steps.keys()]))];
  const rows: [string, number[]][] = [
    ...names.map((name): [string, number[]] => [name, all.map((r) => r.steps.get(name) ?? 0)]),
    ["in all: process start to port line", all.map((r) => r.totalMs)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  print(`cold session set-up, ${all.length} runs, ms`);
  print(`${"step".padEnd(width)}     min  median     max`);
  for (const [name, values] of rows) {
    const sorted = values.toSorted((a, b) => a - b);
    const cell = (ms: number | undefined) => String(Math.round(ms ?? 0)).padStart(8);
    print(
      name.padEnd(width) + cell(sorted[0]) + cell(sorted[Math.floor(sorted.length / 2)]) +
        cell(sorted.at(-1)),
    );
  }
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
