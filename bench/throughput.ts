/**
 * One stream through client, relay and daemon, interleaved with `ssh -L` in the same run: MB/s, and CPU-seconds per GB of all the
 * processes that carry the bytes. Only the ratios mean something on a shared machine. Run: make bench
 */

import { closeQuietly, writeAll } from "../src/base/mod.ts";
import { RoleProcess } from "../src/demo/mod.ts";
import { Plane } from "../tests/e2e/harness.ts";
import { startSshd } from "../tests/e2e/sshd.ts";

const ROUNDS = Number(Deno.args[0] ?? 5);
const MEGABYTES = Number(Deno.args[1] ?? 1024);
const MB = 1024 * 1024;
/** The kernel's unit of /proc/<pid>/stat. */
const TICKS_PER_SECOND = 100;

interface Contender {
  readonly name: string;
  readonly port: number;
  /** The processes that carry the bytes. */
  readonly pids: () => Promise<number[]>;
}

await using plane = await Plane.start();
await using source = startSource();
const relay = await plane.relay();
const daemon = await plane.daemon(`localhost:${source.port}`);
const { tunnel, port } = await plane.tunnel(source.port);
await Deno.mkdir(`${plane.folder}/sshd`);
const server = await startSshd(`${plane.folder}/sshd`, plane.signal);
await using _sshd = server.sshd;
const ciphers: [string, string[]][] = [
  ["ssh -L (its default cipher)", []],
  ["ssh -L aes256-gcm", ["-c", "aes256-gcm@openssh.com"]],
  ["ssh -L aes256-ctr", ["-c", "aes256-ctr"]],
];
const contenders: Contender[] = [
  {
    name: "noports tunnel, AES-256-CTR, through the relay",
    port,
    pids: () => Promise.resolve([tunnel.pid, relay.pid, daemon.pid]),
  },
];
await using clients = new AsyncDisposableStack();
for (const [name, args] of ciphers) {
  const localPort = freePort();
  const client = clients.use(
    new RoleProcess({
      name,
      command: ["ssh"],
      args: [
        ...["-F", server.clientConfig, "-v", "-N", "-p", `${server.port}`, ...args],
        ...["-L", `127.0.0.1:${localPort}:127.0.0.1:${source.port}`, "localhost"],
      ],
      env: {},
    }),
  );
  const cipher = await client.line(/kex: server->client cipher: /, plane.signal);
  await client.line(/Entering interactive session/, plane.signal);
  contenders.push({
    name: `${name.replace(" (its default cipher)", "")}, ${
      /cipher: (\S+)/.exec(cipher)?.[1]
    }, no relay`,
    port: localPort,
    pids: async () => [client.pid, ...(await descendants(server.sshd.pid))],
  });
}

const results = new Map<string, { rate: number; cpu: number }[]>();
for (let round = 0; round <= ROUNDS; round++) {
  for (const contender of contenders) {
    const result = await measure(contender);
    if (round === 0) continue; // warms up
    results.set(contender.name, [...(results.get(contender.name) ?? []), result]);
  }
}
report();

async function measure(contender: Contender): Promise<{ rate: number; cpu: number }> {
  const pids = await contender.pids();
  const before = await cpuSeconds(pids);
  const from = performance.now();
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: contender.port });
  await writeAll(conn, new Uint8Array([1]));
  const buffer = new Uint8Array(MB);
  let bytes = 0;
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) bytes += n;
  closeQuietly(conn);
  const seconds = (performance.now() - from) / 1000;
  if (bytes !== MEGABYTES * MB) throw new Error(`${contender.name}: got ${bytes} bytes`);
  const cpu = (await cpuSeconds(pids)) - before;
  return { rate: MEGABYTES / seconds, cpu: cpu / (MEGABYTES / 1024) };
}

function report(): void {
  const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
  const ours = results.get(contenders[0]?.name ?? "") ?? [];
  const width = Math.max(...contenders.map((c) => c.name.length));
  print(`one stream, ${MEGABYTES} MB, median of ${ROUNDS} interleaved rounds`);
  print(`${"".padEnd(width)}    MB/s  CPU-s/GB  ours/this`);
  for (const { name } of contenders) {
    const runs = results.get(name) ?? [];
    const ratios = runs.map((run, i) => (ours[i]?.rate ?? 0) / run.rate);
    print(
      name.padEnd(width) + median(runs.map((r) => r.rate)).toFixed(0).padStart(8) +
        median(runs.map((r) => r.cpu)).toFixed(2).padStart(10) +
        median(ratios).toFixed(2).padStart(11),
    );
  }
}

/** Sends MEGABYTES of zeros to whoever sends one byte. */
function startSource(): { port: number } & AsyncDisposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const chunk = new Uint8Array(MB);
  const serve = async (conn: Deno.Conn) => {
    try {
      await conn.read(new Uint8Array(1));
      for (let i = 0; i < MEGABYTES; i++) await writeAll(conn, chunk);
      await conn.closeWrite();
      await conn.read(new Uint8Array(1));
    } catch {
      // the reader is gone
    } finally {
      closeQuietly(conn);
    }
  };
  const accepting = (async () => {
    for await (const conn of listener) serve(conn);
  })();
  return {
    port: listener.addr.port,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await accepting.catch(() => {});
    },
  };
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function descendants(pid: number): Promise<number[]> {
  const found: number[] = [];
  for await (const entry of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(entry.name)) continue;
    const stat = await Deno.readTextFile(`/proc/${entry.name}/stat`).catch(() => "");
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    if (parent === pid) found.push(Number(entry.name), ...(await descendants(Number(entry.name))));
  }
  return found;
}

async function cpuSeconds(pids: readonly number[]): Promise<number> {
  let ticks = 0;
  for (const pid of pids) {
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_PER_SECOND;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
