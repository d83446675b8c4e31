/**
 * The whole system on this machine's loopback, each role a process of its own: control plane, three atSigns, relay, daemon, an HTTP
 * service and a tunnel. Moves 64 MB through it and proves that the daemon listens on nothing.
 */

import { createHash } from "node:crypto";
import { NoportsError } from "../base/mod.ts";
import type { CommandContext } from "../cli/mod.ts";
import { canReadSockets, listeningSockets } from "./listening_sockets.ts";
import { ownName, RoleProcess, runToEnd } from "./role_process.ts";

const MEGABYTES = 64;
const CLIENT = "@demo_client";
const DEVICE = "@demo_device";
const RELAY = "@demo_relay";
const DEVICE_NAME = "demo";

export interface DemoOptions {
  /** Leave everything running until interrupted, with command lines to play with. */
  readonly keep: boolean;
  /** One JSON object on stdout instead of the table. */
  readonly json: boolean;
}

interface Step {
  readonly name: string;
  readonly ms: number;
}

interface Proof {
  readonly daemonSockets: number;
  readonly serverPorts: readonly number[];
}

/**
 * Runs the demo.
 * @throws {NoportsError} `demo_failed` when anything of it does not work.
 */
export async function runDemo(options: DemoOptions, context: CommandContext): Promise<void> {
  const { signal } = context;
  const started = performance.now();
  const steps: Step[] = [];
  const timed = async <T>(name: string, run: () => Promise<T>): Promise<T> => {
    const from = performance.now();
    const result = await run();
    steps.push({ name, ms: Math.round(performance.now() - from) });
    if (!options.json) context.stderr(`  ${name}`);
    return result;
  };

  await using owned = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "noports-demo-" });
  owned.defer(() => Deno.remove(folder, { recursive: true }));
  const start = (name: string, args: readonly string[], env: Record<string, string>) =>
    owned.use(new RoleProcess({ name, args, env }));

  const home = (role: string) => ({ HOME: `${folder}/${role}` });
  const server = start("control plane", [
    ...["server", "run", "--data-dir", `${folder}/server`, "--hostname", "localhost"],
    ...["--listen", "127.0.0.1:0", "--directory-listen", "127.0.0.1:0"],
  ], home("server-home"));
  const ready = await timed(
    "control plane up (CA, certificate, database)",
    async () => parseReady(await server.line(/^\{.*"ready":true/, signal)),
  );
  const plane = {
    NOPORTS_ROOT_DOMAIN: `localhost:${ready.directoryPort}`,
    NOPORTS_ROOT_CA: ready.ca,
  };
  const env = (role: string) => ({ ...home(role), ...plane });

  await timed("three atSigns added and activated", () =>
    Promise.all(
      [[CLIENT, "client"], [DEVICE, "device"], [RELAY, "relay"]].map(async ([atSign, role]) => {
        const code = await runToEnd({
          name: `server add ${atSign}`,
          args: ["server", "add", `${atSign}`, "--data-dir", `${folder}/server`],
          env: home("server-home"),
        });
        await runToEnd({
          name: `activate ${atSign}`,
          args: ["activate", "onboard", "-a", `${atSign}`, "--cram-file", "-"],
          env: env(`${role}`),
        }, code);
      }),
    ));
  const http = start("HTTP service", ["demo", "--http-service"], home("http"));
  const relay = start("relay", ["relay", "-a", RELAY, "--ip", "127.0.0.1"], env("relay"));
  const httpPort = Number(await http.line(/^\d+$/, signal));
  const daemon = start("daemon", [
    ...["daemon", "-a", DEVICE, "-m", CLIENT, "-d", DEVICE_NAME],
    ...["--permit-open", `localhost:${httpPort}`],
  ], env("device"));
  await timed("relay and daemon up", () =>
    Promise.all([
      relay.line(/monitor started/, signal),
      daemon.line(/monitor started/, signal),
    ]));
  const tunnelArgs = [
    ...["tunnel", "-f", CLIENT, "-t", DEVICE, "-r", RELAY, "-d", DEVICE_NAME],
    ...["-p", String(httpPort)],
  ];
  const port = await timed("tunnel ready (program start to port)", async () => {
    const tunnel = start("tunnel", tunnelArgs, env("client"));
    return Number(await tunnel.line(/^\d+$/, signal));
  });
  const base = `http://127.0.0.1:${port}`;
  await timed("first request through the tunnel", () => fetchText(`${base}/`, signal));
  const expected = await fetchText(`http://127.0.0.1:${httpPort}/sha256/${MEGABYTES}`, signal);
  const from = performance.now();
  let proof: Proof | null = null;
  const actual = await timed(
    `${MEGABYTES} MB through the tunnel`,
    () =>
      fetchHash(`${base}/bytes/${MEGABYTES}`, signal, async () => {
        proof = await takeProof(daemon.pid, server.pid, ready);
      }),
  );
  const seconds = (performance.now() - from) / 1000;
  if (actual !== expected) {
    throw new NoportsError(
      "demo_failed",
      "Cannot trust the tunnel: what came out is not what went in",
    );
  }
  const megabytesPerSecond = Math.round(MEGABYTES / seconds);

  if (options.keep) {
    showKept(context, { folder, plane, tunnelArgs, base });
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  }
  await timed("everything stopped and cleaned up", () => owned.disposeAsync());
  const result = {
    ok: true,
    steps,
    totalMs: Math.round(performance.now() - started),
    sha256: actual,
    megabytesPerSecond,
    proof: proof as Proof | null,
  };
  if (options.json) {
    context.stdout(JSON.stringify(result));
    return;
  }
  showTable(context, result);
}

/** Resolves to the ports of the server's ready line. @throws {NoportsError} `demo_failed`. */
function parseReady(line: string): { directoryPort: number; atServerPort: number; ca: string } {
  const ready = Object(JSON.parse(line)) as { listen?: unknown; directory?: unknown; ca?: unknown };
  const port = (address: unknown) => Number(String(address).split(":").at(-1));
  return {
    directoryPort: port(ready.directory),
    atServerPort: port(ready.listen),
    ca: String(ready.ca),
  };
}

async function takeProof(
  daemonPid: number,
  serverPid: number,
  ready: { directoryPort: number; atServerPort: number },
): Promise<Proof | null> {
  if (!canReadSockets()) return null;
  const [ofDaemon, ofServer] = await Promise.all([
    listeningSockets(daemonPid),
    listeningSockets(serverPid),
  ]);
  const serverPorts = ofServer.map((socket) => socket.port);
  // the check is worth something only if it finds what is there
  for (const port of [ready.directoryPort, ready.atServerPort]) {
    if (!serverPorts.includes(port)) {
      throw new NoportsError(
        "demo_failed",
        `Cannot prove anything: the server's port ${port} was not seen`,
      );
    }
  }
  if (ofDaemon.length > 0) {
    throw new NoportsError(
      "demo_failed",
      `Cannot go on: the daemon listens on ${ofDaemon.map((s) => `${s.protocol}/${s.port}`)}`,
    );
  }
  return { daemonSockets: ofDaemon.length, serverPorts };
}

async function fetchText(url: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new NoportsError("demo_failed", `Cannot fetch: HTTP ${response.status}`);
  return await response.text();
}

/** Hashes the body as it comes; `midway` runs once, while the transfer goes on. */
async function fetchHash(
  url: string,
  signal: AbortSignal,
  midway: () => Promise<void>,
): Promise<string> {
  const response = await fetch(url, { signal });
  if (response.body === null) {
    throw new NoportsError("demo_failed", "Cannot fetch: an empty answer");
  }
  const hash = createHash("sha256");
  let bytes = 0;
  let taken = false;
  for await (const chunk of response.body) {
    hash.update(chunk);
    bytes += chunk.length;
    if (!taken && bytes > MEGABYTES * 1024 * 1024 / 4) {
      taken = true;
      await midway();
    }
  }
  return hash.digest("hex");
}

function showKept(
  context: CommandContext,
  running: {
    folder: string;
    plane: Readonly<Record<string, string>>;
    tunnelArgs: readonly string[];
    base: string;
  },
): void {
  const exports = Object.entries({ HOME: `${running.folder}/client`, ...running.plane })
    .map(([name, value]) => `${name}=${value}`).join(" ");
  for (
    const line of [
      "",
      "Everything is running. In another terminal:",
      `  curl ${running.base}/`,
      `  curl -o /dev/null ${running.base}/bytes/1000`,
      `  ${exports} ${ownName()} ${running.tunnelArgs.join(" ")}`,
      `  ${ownName()} server list --data-dir ${running.folder}/server`,
      "Ctrl-C here stops everything and cleans up.",
    ]
  ) context.stderr(line);
}

function showTable(
  context: CommandContext,
  result: {
    steps: readonly Step[];
    totalMs: number;
    sha256: string;
    megabytesPerSecond: number;
    proof: Proof | null;
  },
): void {
  const rows: [string, string][] = result.steps.map((s) => [s.name, `${s.ms} ms`]);
  rows.push(["in all", `${result.totalMs} ms`]);
  const width = Math.max(...rows.map(([name]) => name.length));
  context.stdout("");
  for (const [name, value] of rows) context.stdout(`  ${name.padEnd(width)}  ${value.padStart(9)}`);
  context.stdout("");
  context.stdout(`  ${result.megabytesPerSecond} MB/s client to daemon, SHA-256 ${result.sha256}`);
  context.stdout(
    result.proof === null
      ? "  open ports: not checked, this system has no /proc"
      : `  TCP and UDP listeners during the transfer: daemon ${result.proof.daemonSockets}, ` +
        `control plane ${result.proof.serverPorts.join(", ")} (the same check)`,
  );
  context.stdout("demo: ok");
}
