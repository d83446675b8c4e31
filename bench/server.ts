/**
 * The server under load, as a real process: 10,000 atSigns on disk, 2,000 live monitors, notifications from many senders
 * to many receivers, every one of them durable before it is acknowledged. Run: make bench
 */

import { parseAtSign } from "../src/atprotocol/wire/mod.ts";
import { AtServerCore, openSqliteStore, type PeerGateway } from "../src/atserver/mod.ts";
import { silentLog, systemClock, systemEntropy } from "../src/base/mod.ts";
import { RoleProcess } from "../src/demo/mod.ts";
import { RawClient } from "../tests/e2e/raw_client.ts";

const AT_SIGNS = Number(Deno.args[0] ?? 10_000);
const MONITORS = 2_000;
/** Notifications one after the other, for the latency. */
const PROBES = 1_000;
/** Pairs of a sender and a receiver at one time, and how long they run. */
const PAIRS = 32;
const LOAD_MS = 10_000;
/** As many connections are set up at one time; the server takes 100 strangers of one address. */
const AT_ONCE = 32;
const BIN = new URL("../bin/noports", import.meta.url).pathname;

interface Server {
  readonly process: RoleProcess;
  readonly listen: string;
  readonly caPem: string;
  readonly startMs: number;
}

const rows: string[][] = [["what", "measured", "target", ""]];
const stop = new AbortController();
const folder = await Deno.makeTempDir({ prefix: "noports-bench-" });
try {
  await run();
} finally {
  await Deno.remove(folder, { recursive: true });
}
print(
  rows.map(([what = "", ...cells]) =>
    what.padEnd(44) + cells.map((cell) => cell.padStart(14)).join("")
  ).join("\n"),
);

async function run(): Promise<void> {
  const emptyKb = await measureEmpty();
  const addFrom = performance.now();
  const secrets = await addAtSigns(`${folder}/full`);
  row(`adding ${AT_SIGNS} atSigns to the store`, performance.now() - addFrom, "ms");

  const server = await startServer(`${folder}/full`);
  await using _process = server.process;
  row(`start with ${AT_SIGNS} atSigns on disk`, server.startMs, "ms", 2_000);
  const idleKb = residentKb(server.process.pid);
  row("memory per idle atSign", (idleKb - emptyKb) / AT_SIGNS, "KB", 50);

  await usingClients(async (own) => {
    const monitors = await connectMonitors(server, secrets, own);
    const monitorKb = (residentKb(server.process.pid) - idleKb) / monitors.length;
    row(`live monitors (memory each)`, monitorKb, "KB");
    rows.push([`live monitors`, String(monitors.length), String(MONITORS), mark(true)]);
    await measureLatency(server, secrets, monitors, own);
    await measureThroughput(server, secrets, own);
  });
  row("memory of the whole process at the end", residentKb(server.process.pid) / 1024, "MB");
}

async function measureEmpty(): Promise<number> {
  const { process, startMs } = await startServer(`${folder}/empty`);
  await using _process = process;
  row("start with no atSign", startMs, "ms");
  const kb = residentKb(process.pid);
  row("memory with no atSign", kb / 1024, "MB");
  return kb;
}

/** Adds the atSigns in one transaction; gives their activation codes. */
async function addAtSigns(dataDir: string): Promise<string[]> {
  await Deno.mkdir(dataDir, { mode: 0o700 });
  using store = openSqliteStore(`${dataDir}/atserver.db`);
  const nobody = (): never => {
    throw new Error("no peers here");
  };
  const peers = { request: nobody, fetchProof: nobody } as unknown as PeerGateway;
  await using core = new AtServerCore({
    store,
    peers,
    clock: systemClock,
    entropy: systemEntropy,
    log: silentLog,
    version: "bench",
  });
  return store.transaction(() =>
    Array.from({ length: AT_SIGNS }, (_, i) => core.addAtSign(parseAtSign(nameOf(i))))
  );
}

async function startServer(dataDir: string): Promise<Server> {
  const from = performance.now();
  const process = new RoleProcess({
    name: "server",
    command: [BIN],
    args: ["server", "run", "--data-dir", dataDir, "--hostname", "localhost"]
      .concat("--listen", "127.0.0.1:0", "--directory-listen", "127.0.0.1:0"),
    env: { HOME: folder },
  });
  const ready = JSON.parse(await process.line(/"ready":true/, stop.signal));
  const startMs = performance.now() - from;
  return { process, listen: ready.listen, caPem: await Deno.readTextFile(ready.ca), startMs };
}

async function connectMonitors(
  server: Server,
  secrets: readonly string[],
  own: (client: RawClient) => void,
): Promise<RawClient[]> {
  const monitors: RawClient[] = [];
  const from = performance.now();
  for (let first = 0; first < MONITORS; first += AT_ONCE) {
    const count = Math.min(AT_ONCE, MONITORS - first);
    monitors.push(
      ...await Promise.all(Array.from({ length: count }, async (_, i) => {
        const client = await connect(server, first + i, secrets, own);
        await client.send("monitor:strict");
        if (await client.ask("noop:0") !== "data:ok") throw new Error("no monitor");
        return client;
      })),
    );
  }
  row(`logins and monitors per second`, MONITORS / (performance.now() - from) * 1000, "");
  return monitors;
}

/** From the sender's write to the receiver's line, one notification at a time, all monitors live. */
async function measureLatency(
  server: Server,
  secrets: readonly string[],
  monitors: readonly RawClient[],
  own: (client: RawClient) => void,
): Promise<void> {
  const sender = await connect(server, MONITORS, secrets, own);
  const times: number[] = [];
  for (let i = 0; i < PROBES; i++) {
    const to = (i * 7) % monitors.length;
    const from = performance.now();
    const line = monitors[to]?.next();
    const reply = sender.ask(`notify:${nameOf(to)}:probe.bench${nameOf(MONITORS)}:v${i}`);
    if (!(await line)?.startsWith("notification:")) throw new Error("not a notification");
    times.push(performance.now() - from);
    await reply;
  }
  times.sort((a, b) => a - b);
  row("notify to monitor, median", times[Math.floor(times.length / 2)] ?? NaN, "ms", 5);
  row("notify to monitor, 99 of 100", times[Math.floor(times.length * 0.99)] ?? NaN, "ms");
}

/** Senders that wait for each answer; counted is what has arrived at the receivers. */
async function measureThroughput(
  server: Server,
  secrets: readonly string[],
  own: (client: RawClient) => void,
): Promise<void> {
  const base = MONITORS + 1;
  const receivers = await Promise.all(Array.from({ length: PAIRS }, async (_, i) => {
    const client = await connect(server, base + i, secrets, own);
    await client.send("monitor:strict");
    await client.ask("noop:0");
    return client;
  }));
  const senders = await Promise.all(
    Array.from({ length: PAIRS }, (_, i) => connect(server, base + PAIRS + i, secrets, own)),
  );
  const from = performance.now();
  let sent = 0;
  let received = 0;
  const value = "x".repeat(200);
  await Promise.all([
    ...senders.map(async (sender, i) => {
      const self = nameOf(base + PAIRS + i);
      while (performance.now() - from < LOAD_MS) {
        const answer = await sender.ask(`notify:${nameOf(base + i)}:load.bench${self}:${value}`);
        if (!answer.startsWith("data:")) throw new Error(answer);
        sent++;
      }
      await sender.ask(`notify:${nameOf(base + i)}:last.bench${self}:${value}`);
    }),
    ...receivers.map(async (receiver) => {
      for (let line = await receiver.next(); line !== null; line = await receiver.next()) {
        if (line.includes(":last.bench@")) return;
        received++;
      }
    }),
  ]);
  const seconds = (performance.now() - from) / 1000;
  if (received !== sent) throw new Error(`${sent} sent, ${received} arrived`);
  row("notifications per second, end to end", received / seconds, "", -1_000);
}

async function connect(
  server: Server,
  index: number,
  secrets: readonly string[],
  own: (client: RawClient) => void,
): Promise<RawClient> {
  const client = await RawClient.connect(server.listen, server.caPem);
  own(client);
  await client.logIn(nameOf(index), secrets[index] ?? "");
  return client;
}

async function usingClients(
  work: (own: (client: RawClient) => void) => Promise<void>,
): Promise<void> {
  using owned = new DisposableStack();
  await work((client) => owned.use(client));
}

function nameOf(index: number): string {
  return `@bench${index}`;
}

/** Kilobytes of memory that the process has in use (Linux). */
function residentKb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1]);
}

/** One line of the table; a negative target is a least value. */
function row(what: string, value: number, unit: string, target?: number): void {
  const shown = `${value >= 100 ? Math.round(value) : value.toFixed(1)} ${unit}`.trim();
  if (target === undefined) {
    rows.push([what, shown, "", ""]);
    return;
  }
  const isReached = target < 0 ? value >= -target : value <= target;
  rows.push([
    what,
    shown,
    `${target < 0 ? "≥" : "≤"} ${Math.abs(target)} ${unit}`.trim(),
    mark(isReached),
  ]);
}

function mark(isReached: boolean): string {
  return isReached ? "reached" : "MISSED";
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
