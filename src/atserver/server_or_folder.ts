/**
 * What administration does in one of two ways: through the control socket of the running server, or on the data folder
 * itself when none runs. The database belongs to one process at a time, so the lock decides which of the two it is.
 */

import { type Clock, type Entropy, type Log, NoportsError } from "../base/mod.ts";
import { callControl, NobodyAnswers } from "../control/mod.ts";
import { AtError, type AtSign, bareName } from "../atprotocol/wire/mod.ts";
import { AtServerCore } from "./core.ts";
import { type DataDir, openDataStore, tryLockDataDir } from "./data_dir.ts";
import type { PeerGateway } from "./peer_gateway.ts";
import type { Store } from "./store/store.ts";

/** Our choice: most answers take milliseconds; a server that is busy may take longer. */
const CONTROL_TIMEOUT_MS = 10_000;

export interface AdminContext {
  readonly log: Log;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly version: string;
}

/** One task in both its ways. */
export interface AdminTask<T> {
  /** Through the running server. @throws {NobodyAnswers} when none does. */
  readonly ask: () => Promise<T>;
  /** The answer where there is no database yet and none is to be made; null when there is one. */
  readonly ifEmpty?: () => T;
  /** On the data folder, whose lock is held. */
  readonly work: (core: AtServerCore, store: Store) => T | Promise<T>;
}

/**
 * Does `task` in the way that fits.
 * @throws {NoportsError} `conflict` when another process uses the folder without answering, and what the task throws.
 */
export async function onServerOrFolder<T>(
  dir: DataDir,
  context: AdminContext,
  task: AdminTask<T>,
): Promise<T> {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      return await task.ask();
    } catch (error) {
      if (!(error instanceof NobodyAnswers)) throw error;
      context.log.debug("no server answers", { path: dir.controlPath, error });
    }
    if (task.ifEmpty !== undefined && !await isUsed(dir)) return task.ifEmpty();
    const lock = await tryLockDataDir(dir, context.clock);
    if (lock === null) continue; // a server started meanwhile: ask it
    using _lock = lock;
    using store = openDataStore(dir);
    await using core = new AtServerCore({ ...context, store, peers: NO_PEERS });
    return await task.work(core, store);
  }
  throw new NoportsError(
    "conflict",
    `Cannot use the data folder "${dir.path}": another process is using it`,
    { hint: "a server may be starting or stopping there: try again in a moment" },
  );
}

/**
 * Asks the running server.
 * @throws {NobodyAnswers} when none runs. @throws {NoportsError} `timeout`, or what the server answered.
 */
export async function callServer(
  dir: DataDir,
  method: string,
  params?: unknown,
  timeoutMs: number = CONTROL_TIMEOUT_MS,
): Promise<unknown> {
  return await callControl(dir.controlPath, method, { params, timeoutMs });
}

/** True when there is something in the folder to work on. */
async function isUsed(dir: DataDir): Promise<boolean> {
  for (const path of [dir.databasePath, dir.restoredFolder]) {
    try {
      await Deno.lstat(path);
      return true;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return false;
}

/** Nobody serves connections here, so nobody asks. */
const NO_PEERS: PeerGateway = {
  request: (peer) => Promise.reject(unknownPeer(peer)),
  fetchProof: (peer) => Promise.reject(unknownPeer(peer)),
};

function unknownPeer(peer: AtSign): AtError {
  return new AtError("AT0007", `Unable to find secondary address for atSign:${bareName(peer)}`);
}
