/**
 * `noports server add`, `list` and `ca`: through the control socket of the running server, or on the data folder itself
 * when none runs. The database belongs to one process at a time, so the lock decides which of the two it is.
 */

import * as v from "valibot";
import { type Clock, type Entropy, isNoportsError, type Log, NoportsError } from "../base/mod.ts";
import { callControl } from "../control/mod.ts";
import { AtError, type AtSign, bareName, parseAtSign } from "../atprotocol/wire/mod.ts";
import { AtServerCore } from "./core.ts";
import {
  type DataDir,
  describeDataDir,
  openDataStore,
  prepareDataDir,
  tryLockDataDir,
} from "./data_dir.ts";
import { caCertificatePath, readIfThere } from "./net/mod.ts";
import type { PeerGateway } from "./peer_gateway.ts";
import type { AtSignRecord } from "./store/store.ts";

/** Our choice: adding takes milliseconds; a server that is busy may take longer. */
const CONTROL_TIMEOUT_MS = 10_000;

export interface AdminContext {
  readonly log: Log;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly version: string;
}

/** What answers the control socket's methods; `run.ts` registers them. */
export const ADMIN_METHODS = { add: "add", list: "list" } as const;

const ADD_PARAMS = v.object({ atSign: v.string() });
const ADD_RESULT = v.object({ activationCode: v.string() });
const LIST_RESULT = v.array(
  v.object({ atSign: v.string(), activated: v.boolean(), createdAt: v.number() }),
);

/** Answers to the control socket, for a running server. */
export function adminHandlers(core: AtServerCore): Record<string, (params: unknown) => unknown> {
  return {
    [ADMIN_METHODS.add]: (params) => {
      const { atSign } = v.parse(ADD_PARAMS, params);
      return { activationCode: core.addAtSign(parseAtSign(atSign)) };
    },
    [ADMIN_METHODS.list]: () => core.listAtSigns(),
  };
}

/**
 * Adds an atSign and gives its activation code (the CRAM secret, 128 hex digits). Works while the server runs and
 * before it ever ran.
 * @throws {NoportsError} `conflict` when it is there already, `config_invalid`, `storage_failed`, `timeout`.
 */
export async function addAtSign(
  options: { readonly dataDir: string; readonly atSign: AtSign },
  context: AdminContext,
): Promise<string> {
  const dir = await prepareDataDir(options.dataDir);
  const { atSign } = options;
  return await onServerOrFolder(dir, context, {
    ask: async () => {
      const answer = await callServer(dir, ADMIN_METHODS.add, { atSign });
      return v.parse(ADD_RESULT, answer).activationCode;
    },
    work: (core) => core.addAtSign(atSign),
  });
}

/** The atSigns that are hosted; none where no server ever ran. @throws {NoportsError} as `addAtSign`. */
export async function listAtSigns(
  options: { readonly dataDir: string },
  context: AdminContext,
): Promise<AtSignRecord[]> {
  const dir = describeDataDir(options.dataDir);
  return await onServerOrFolder<AtSignRecord[]>(dir, context, {
    ask: async () => {
      const rows = v.parse(LIST_RESULT, await callServer(dir, ADMIN_METHODS.list));
      return rows.map((row) => ({ ...row, atSign: parseAtSign(row.atSign) }));
    },
    isEmpty: async () => await exists(dir.databasePath) ? null : [],
    work: (core) => core.listAtSigns(),
  });
}

/** The certificate (PEM) of the server's own authority. Makes nothing. @throws {NoportsError} `not_found`. */
export async function readCaCertificate(options: { readonly dataDir: string }): Promise<string> {
  const path = caCertificatePath(describeDataDir(options.dataDir).tlsFolder);
  const pem = await readIfThere(path);
  if (pem !== null) return pem;
  throw new NoportsError("not_found", `Cannot show the CA certificate: there is no "${path}"`, {
    hint: "start `noports server run` once; with --tls-cert it has no authority of its own",
  });
}

/** One task in both its ways. */
interface AdminTask<T> {
  /** Through the running server. @throws {NoportsError} `not_found` when none answers. */
  readonly ask: () => Promise<T>;
  /** The answer where there is no database yet and none is to be made; null when there is one. */
  readonly isEmpty?: () => Promise<T | null>;
  /** On the data folder. */
  readonly work: (core: AtServerCore) => T;
}

async function onServerOrFolder<T>(
  dir: DataDir,
  context: AdminContext,
  task: AdminTask<T>,
): Promise<T> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      return await task.ask();
    } catch (error) {
      if (!isNoportsError(error, "not_found")) throw error;
      context.log.debug("no server answers", { path: dir.controlPath, error });
    }
    const empty = await task.isEmpty?.() ?? null;
    if (empty !== null) return empty;
    const lock = await tryLockDataDir(dir, context.clock);
    if (lock === null) continue; // a server started meanwhile: ask it
    using _lock = lock;
    using store = openDataStore(dir);
    await using core = new AtServerCore({ ...context, store, peers: NO_PEERS });
    return task.work(core);
  }
  throw new NoportsError(
    "conflict",
    `Cannot use the data folder "${dir.path}": another process is using it`,
    { hint: "a server may be starting or stopping there: try again in a moment" },
  );
}

async function callServer(dir: DataDir, method: string, params?: unknown): Promise<unknown> {
  return await callControl(dir.controlPath, method, { params, timeoutMs: CONTROL_TIMEOUT_MS });
}

/** Nobody serves connections here, so nobody asks. */
const NO_PEERS: PeerGateway = {
  request: (peer) => Promise.reject(unknownPeer(peer)),
  fetchProof: (peer) => Promise.reject(unknownPeer(peer)),
};

function unknownPeer(peer: AtSign): AtError {
  return new AtError("AT0007", `Unable to find secondary address for atSign:${bareName(peer)}`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
