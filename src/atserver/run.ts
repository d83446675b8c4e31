/**
 * `noports server run`: one process that is the atDirectory and the atServers of all its atSigns, from the lock on the
 * data folder to the last connection. What the atServers do is `core.ts`'s.
 */

import { lookup } from "node:dns/promises";
import {
  abortable,
  type Clock,
  type Entropy,
  type Log,
  NoportsError,
  TaskGroup,
} from "../base/mod.ts";
import { readCaFile } from "../config/mod.ts";
import {
  type MetricsServer,
  openControlSocket,
  openHangupHandler,
  openMetricsServer,
} from "../control/mod.ts";
import { adminHandlers } from "./admin.ts";
import { SNAPSHOT_METHOD, writeSnapshot } from "./backup.ts";
import { AtServerCore } from "./core.ts";
import { type DataDir, openDataStore, prepareDataDir, tryLockDataDir } from "./data_dir.ts";
import {
  chooseClientCas,
  type ConnectionBudget,
  DirectoryServer,
  type ListenAddress,
  openTlsListener,
  readConnectionBudget,
  type TlsListener,
} from "./net/mod.ts";
import { meterStore } from "./metered_store.ts";
import type { ServerOptions } from "./options.ts";
import { OtpCommand } from "./otp_command.ts";
import { TlsPeerGateway } from "./peer/mod.ts";
import { Registrar } from "./registrar.ts";
import { ServerMetrics, type ServerNumbers } from "./server_metrics.ts";
import { loadServerTls, type ServerTls } from "./server_tls.ts";
import { hostOfAtSign, matchSniPattern } from "./sni_pattern.ts";
import { expiryOf, type RunningStatus, STATUS_METHOD } from "./status.ts";
import type { Store } from "./store/store.ts";

/** Our choice: how often to look whether the certificate is near its end. */
const RENEWAL_CHECK_MS = 86_400_000;
/** Our choice: the whole program stops within 2 s, and the database needs a moment of them. */
const DRAIN_MS = 1_200;
const CLOSE_MS = 200;
/** Our choice: its connections are short, and few people activate something at one time. */
const MAX_REGISTRAR_CONNECTIONS = 64;
/** Our choice: the rest is for handshakes, so that a directory that is full can still let the longest idle one go. */
const DIRECTORY_OPEN_SHARE = 0.75;

export interface ServerContext {
  readonly log: Log;
  /** Aborts when the server is to stop. */
  readonly signal: AbortSignal;
  /** Writes one line of the command's result. */
  readonly stdout: (line: string) => void;
  /** Writes one line for the person at the console: registrar's codes, which are in no log. */
  readonly stderr: (line: string) => void;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly version: string;
}

/** The one line on stdout when everything listens. */
export interface ReadyLine {
  readonly ready: true;
  /** Where the atServers listen, as bound: `127.0.0.1:43211`, `[::]:6464`. */
  readonly listen: string;
  readonly directory: string;
  readonly registrar: string | null;
  readonly metrics: string | null;
  readonly hostname: string;
  /** The CA certificate that clients trust; null with the operator's certificate. */
  readonly ca: string | null;
}

/**
 * Runs the server until `context.signal` aborts; SIGHUP reads the certificate again.
 * @throws {NoportsError} `already_running`, `port_in_use`, `config_invalid`, `storage_failed`.
 */
export async function runServer(options: ServerOptions, context: ServerContext): Promise<void> {
  const { log, signal, clock, entropy, version } = context;
  await using owned = new AsyncDisposableStack(); // a throw below, like the end, closes newest first
  const dir = await prepareDataDir(options.dataDir);
  owned.use(await lock(dir, clock));
  const rootCas = options.rootCaFile === null ? [] : readCaFile(options.rootCaFile);
  let tls = await loadServerTls(options, dir, context);
  const opened = owned.use(openDataStore(dir));
  const metrics = options.metrics === null ? null : new ServerMetrics();
  const store = metrics === null
    ? opened
    : meterStore(opened, () => performance.now(), (seconds) => metrics.storeOperation(seconds));

  const peers = new TlsPeerGateway({
    directory: options.peerDirectory,
    caCerts: rootCas,
    certificate: () => tls.credentials,
    publishProof: (as, proofKey, challenge) => core.publishProof(as, proofKey, challenge),
    clock,
    log,
  });
  const core: AtServerCore = new AtServerCore({
    store,
    peers,
    clock,
    entropy,
    log,
    version,
    limits: options.limits,
    ...(metrics === null ? {} : { observer: metrics }),
  });
  // both at once: either may wait for the other
  const drain = () =>
    within(DRAIN_MS, log, async () => {
      await Promise.all([core[Symbol.asyncDispose](), peers[Symbol.asyncDispose]()]);
    });
  owned.defer(drain);

  const budget = await readConnectionBudget(log);
  const atServers = await listenForAtServers(options, { tls, rootCas, budget, core, log });
  owned.defer(() => within(CLOSE_MS, log, () => atServers[Symbol.asyncDispose]()));
  const directory = await listenForDirectory(options, { tls, budget, core, atServers }, context);
  owned.defer(() => within(CLOSE_MS, log, () => directory[Symbol.asyncDispose]()));
  const registrar = await listenForRegistrar(options, { tls, core }, context);
  owned.defer(() => within(CLOSE_MS, log, async () => await registrar?.[Symbol.asyncDispose]()));
  const listeners = [atServers, directory, ...(registrar === null ? [] : [registrar])];
  let state: "starting" | "ready" | "stopping" = "starting";
  const readNumbers = () => {
    const { bytes, atSigns, notificationsQueued } = store.totals();
    const connections = core.countConnections();
    return { connections, atSigns, notificationsQueued, storeBytes: bytes };
  };
  const certificateEnd = () => expiryOf(tls.credentials.certPem);
  const metricsServer = openMetrics(options, metrics, {
    readNumbers: () => ({
      ...readNumbers(),
      certificateExpiresAt: Date.parse(certificateEnd() ?? "") || null,
    }),
    state: () => state,
    store,
  }, context);
  owned.defer(async () => await metricsServer?.[Symbol.asyncDispose]());
  const startedAt = clock.now();
  const readStatus = (): RunningStatus => ({
    pid: Deno.pid,
    startedAt: new Date(startedAt).toISOString(),
    uptimeSeconds: Math.floor((clock.now() - startedAt) / 1000),
    program: version,
    hostname: options.hostname,
    ...addressesOf({ atServers, directory, registrar, metricsServer }),
    ...readNumbers(),
    schemaVersion: store.schemaVersion,
    certificateExpiresAt: certificateEnd(),
  });
  owned.use(
    await openControlSocket({
      path: dir.controlPath,
      handlers: {
        ping: () => ({ role: "server", pid: Deno.pid, version }),
        ...adminHandlers(core),
        [STATUS_METHOD]: readStatus,
        [SNAPSHOT_METHOD]: (params) => writeSnapshot(store, dir, params),
      },
      log,
    }),
  );
  core.start();

  const reload = async (): Promise<void> => {
    try {
      tls = await loadServerTls(options, dir, context);
      for (const listener of listeners) listener.setCredentials(tls.credentials);
      log.info("TLS certificate loaded");
    } catch (error) {
      log.error("TLS certificate not loaded; the old one stays", { error });
    }
  };
  const stopped = new AbortController();
  const tasks = owned.use(new TaskGroup((error) => log.error("server task failed", { error })));
  owned.defer(() => stopped.abort());
  owned.use(openHangupHandler(() => tasks.run(reload)));
  tasks.run(() => reloadEveryDay(reload, clock, stopped.signal));
  tasks.run(() => warnOfUnknownHost(options.hostname, log, stopped.signal));

  announce(options, { atServers, directory, registrar, metricsServer, tls }, context);
  state = "ready";
  await aborted(signal);
  state = "stopping";
  log.info("server stopping");
  for (const listener of listeners) listener.stopAccepting();
  await drain(); // answers that are under way still go out; then sockets, database and lock, by `owned`
}

async function lock(dir: DataDir, clock: Clock): Promise<Disposable> {
  const held = await tryLockDataDir(dir, clock);
  if (held !== null) return held;
  throw new NoportsError(
    "already_running",
    `Cannot start the server: another one runs with the data folder "${dir.path}"`,
    { hint: "stop the other one, or give this one its own --data-dir" },
  );
}

async function listenForAtServers(
  options: ServerOptions,
  { tls, rootCas, budget, core, log }: {
    tls: ServerTls;
    rootCas: readonly string[];
    budget: ConnectionBudget;
    core: AtServerCore;
    log: Log;
  },
): Promise<TlsListener> {
  const { sniPattern } = options;
  return await openTlsListener({
    listen: options.listen,
    purpose: "atServers",
    credentials: tls.credentials,
    clientCas: chooseClientCas(tls.ca?.pem ?? null, rootCas),
    maxConnections: Math.min(budget.atServers, options.limits.connections ?? Infinity),
    log,
    serve: (conn, peer) =>
      core.serve(conn, {
        remoteAddress: peer.remoteAddress,
        sniAtSign: sniPattern === null || peer.serverName === null
          ? null
          : matchSniPattern(sniPattern, peer.serverName),
        peerCertificateNames: peer.certificateNames,
      }),
  });
}

async function listenForDirectory(
  options: ServerOptions,
  { tls, budget, core, atServers }: {
    tls: ServerTls;
    budget: ConnectionBudget;
    core: AtServerCore;
    atServers: TlsListener;
  },
  { log, clock }: ServerContext,
): Promise<TlsListener> {
  const { hostname, sniPattern } = options;
  const { port } = atServers.address;
  const directory = new DirectoryServer({
    resolve: (atSign) => {
      if (!core.isHosted(atSign)) return null;
      const own = sniPattern === null ? null : hostOfAtSign(sniPattern, atSign);
      return { host: own ?? hostname, port };
    },
    clock,
    log,
    maxConnections: Math.ceil(budget.directory * DIRECTORY_OPEN_SHARE),
  });
  return await openTlsListener({
    listen: options.directoryListen,
    purpose: "atDirectory",
    credentials: tls.credentials,
    maxConnections: budget.directory,
    log,
    serve: (conn, peer) => directory.serve(conn, peer.remoteAddress),
  });
}

async function listenForRegistrar(
  options: ServerOptions,
  { tls, core }: { tls: ServerTls; core: AtServerCore },
  { log, clock, entropy, stderr }: ServerContext,
): Promise<TlsListener | null> {
  if (options.registrar === null) return null;
  const { listen, otpCommand } = options.registrar;
  const command = otpCommand === null ? null : new OtpCommand(otpCommand);
  const registrar = new Registrar({
    activationCode: (atSign) => core.activationCode(atSign),
    showCode: (atSign, code) =>
      command === null
        ? stderr(`noports: verification code of ${atSign}: ${code} (valid for 10 minutes)`)
        : command.send(atSign, code),
    clock,
    entropy,
    log,
  });
  return await openTlsListener({
    listen,
    purpose: "registrar",
    credentials: tls.credentials,
    maxConnections: MAX_REGISTRAR_CONNECTIONS,
    log,
    serve: (conn, peer) => registrar.serve(conn, peer.remoteAddress),
  });
}

function openMetrics(
  options: ServerOptions,
  metrics: ServerMetrics | null,
  { readNumbers, state, store }: {
    readNumbers: () => ServerNumbers;
    state: () => "starting" | "ready" | "stopping";
    store: Store;
  },
  { log, clock, version }: ServerContext,
): MetricsServer | null {
  if (options.metrics === null || metrics === null) return null;
  metrics.showNumbers(readNumbers, version, clock);
  return openMetricsServer({
    listen: options.metrics,
    metrics: metrics.metrics,
    checkHealth: () => {
      try {
        store.totals();
        return null;
      } catch {
        return "the store cannot be read";
      }
    },
    checkReady: () => state() === "ready" ? null : state(),
    log,
  });
}

function addressesOf(parts: {
  atServers: TlsListener;
  directory: TlsListener;
  registrar: TlsListener | null;
  metricsServer: MetricsServer | null;
}): Pick<ReadyLine, "listen" | "directory" | "registrar" | "metrics"> {
  const { atServers, directory, registrar, metricsServer } = parts;
  return {
    listen: formatAddress(atServers.address),
    directory: formatAddress(directory.address),
    registrar: registrar === null ? null : formatAddress(registrar.address),
    metrics: metricsServer === null ? null : formatAddress(metricsServer.address),
  };
}

function announce(
  options: ServerOptions,
  parts: {
    atServers: TlsListener;
    directory: TlsListener;
    registrar: TlsListener | null;
    metricsServer: MetricsServer | null;
    tls: ServerTls;
  },
  { log, stdout }: ServerContext,
): void {
  const ready: ReadyLine = {
    ready: true,
    ...addressesOf(parts),
    hostname: options.hostname,
    ca: parts.tls.ca?.path ?? null,
  };
  const { listen, directory, hostname, ca } = ready;
  log.info("server ready", { listen, directory, hostname });
  if (ca !== null) {
    log.info("clients trust this server with --root-ca FILE or NOPORTS_ROOT_CA", {
      file: ca,
      print: "noports server ca",
    });
  }
  stdout(JSON.stringify(ready));
}

function formatAddress({ hostname, port }: ListenAddress): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

async function reloadEveryDay(
  reload: () => Promise<void>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  while (true) {
    try {
      await clock.sleep(RENEWAL_CHECK_MS, signal);
    } catch {
      return;
    }
    await reload();
  }
}

/** Clients are told this name; one that nobody can resolve is the usual reason why nothing works. */
async function warnOfUnknownHost(hostname: string, log: Log, signal: AbortSignal): Promise<void> {
  try {
    await abortable(lookup(hostname), signal);
  } catch (error) {
    if (signal.aborted) return;
    log.warn("the host name that clients are told does not resolve here", {
      hostname,
      fix: "give one that does with --hostname, or enter it in DNS or /etc/hosts",
      error,
    });
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true })
  );
}

/** Waits for `work`, but not longer than `limitMs`: what then still runs ends with the process. */
async function within(limitMs: number, log: Log, work: () => PromiseLike<void>): Promise<void> {
  const limit = AbortSignal.timeout(limitMs);
  try {
    await abortable(Promise.resolve(work()), limit);
  } catch (error) {
    if (!limit.aborted) throw error;
    log.warn("connections did not end in time");
  }
}
