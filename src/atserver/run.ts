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
import { openControlSocket, openHangupHandler } from "../control/mod.ts";
import { adminHandlers } from "./admin.ts";
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
import type { ServerOptions } from "./options.ts";
import { TlsPeerGateway } from "./peer/mod.ts";
import { loadServerTls, type ServerTls } from "./server_tls.ts";
import { hostOfAtSign, matchSniPattern } from "./sni_pattern.ts";

/** Our choice: how often to look whether the certificate is near its end. */
const RENEWAL_CHECK_MS = 86_400_000;
/** Our choice: the whole program stops within 2 s, and the database needs a moment of them. */
const DRAIN_MS = 1_200;
const CLOSE_MS = 200;
/** Our choice: the rest is for handshakes, so that a directory that is full can still let the longest idle one go. */
const DIRECTORY_OPEN_SHARE = 0.75;

export interface ServerContext {
  readonly log: Log;
  /** Aborts when the server is to stop. */
  readonly signal: AbortSignal;
  /** Writes one line of the command's result. */
  readonly stdout: (line: string) => void;
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
  const store = owned.use(openDataStore(dir));

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
  owned.use(
    await openControlSocket({
      path: dir.controlPath,
      handlers: {
        ping: () => ({ role: "server", pid: Deno.pid, version }),
        ...adminHandlers(core),
      },
      log,
    }),
  );
  core.start();

  const reload = async (): Promise<void> => {
    try {
      tls = await loadServerTls(options, dir, context);
      for (const listener of [atServers, directory]) listener.setCredentials(tls.credentials);
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

  announce(options, { atServers, directory, tls }, context);
  await aborted(signal);
  log.info("server stopping");
  atServers.stopAccepting();
  directory.stopAccepting();
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
    maxConnections: budget.atServers,
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

function announce(
  options: ServerOptions,
  parts: { atServers: TlsListener; directory: TlsListener; tls: ServerTls },
  { log, stdout }: ServerContext,
): void {
  const ready: ReadyLine = {
    ready: true,
    listen: formatAddress(parts.atServers.address),
    directory: formatAddress(parts.directory.address),
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
