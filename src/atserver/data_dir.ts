/**
 * The server's data folder: what is where in it, and the lock that lets one process at a time use it. The lock is the
 * operating system's (flock): it goes with the process that holds it, however that ends.
 */

import { type Clock, closeQuietly, describeError, NoportsError } from "../base/mod.ts";
import { callControl, controlSocketPath, ensurePrivateFolder } from "../control/mod.ts";
import { settleDataDir } from "./restored_data.ts";
import { openSqliteStore } from "./store/sqlite_store.ts";
import type { Store } from "./store/store.ts";

/** Our choice: a running server answers at once. */
const PING_TIMEOUT_MS = 1_000;
/** Our choice: `server add` and the like hold the lock for a moment only. */
const LOCK_WAIT_MS = 3_000;
const LOCK_RETRY_MS = 25;

/** Paths in a data folder. */
export interface DataDir {
  readonly path: string;
  readonly databasePath: string;
  readonly tlsFolder: string;
  readonly lockPath: string;
  readonly controlPath: string;
  /** A restored backup on its way into place: see `restored_data.ts`. */
  readonly restoredFolder: string;
}

/** What is where in the folder `path`, which is absolute. */
export function describeDataDir(path: string): DataDir {
  return {
    path,
    databasePath: `${path}/atserver.db`,
    tlsFolder: `${path}/tls`,
    lockPath: `${path}/lock`,
    controlPath: controlSocketPath(path),
    restoredFolder: `${path}/restored`,
  };
}

/**
 * Makes the folder when it is missing; an empty one that others can enter is closed to them.
 * @throws {NoportsError} `config_invalid`, `storage_failed`.
 */
export async function prepareDataDir(path: string): Promise<DataDir> {
  await closeEmptyFolder(path);
  await ensurePrivateFolder(path);
  return describeDataDir(path);
}

/**
 * Takes the lock, waiting a moment for one who holds it shortly, or gives null: a server runs there. What an interrupted
 * backup or restore left is put in order first.
 * @throws {NoportsError} `storage_failed` when the folder cannot be written.
 */
export async function tryLockDataDir(dir: DataDir, clock: Clock): Promise<Disposable | null> {
  const deadline = clock.now() + LOCK_WAIT_MS;
  while (true) {
    const lock = await tryLock(dir.lockPath);
    if (lock !== null) {
      try {
        await settleDataDir(dir);
        return lock;
      } catch (error) {
        lock[Symbol.dispose]();
        throw error;
      }
    }
    if (await isServerRunning(dir) || clock.now() >= deadline) return null;
    await clock.sleep(LOCK_RETRY_MS);
  }
}

/** True when a server answers on the control socket of `dir`. */
export async function isServerRunning(dir: DataDir): Promise<boolean> {
  try {
    await callControl(dir.controlPath, "ping", { timeoutMs: PING_TIMEOUT_MS });
    return true;
  } catch {
    return false;
  }
}

/**
 * Opens the database; hold the lock.
 * @throws {NoportsError} `already_running`, `storage_failed` with what to do.
 */
export function openDataStore(dir: DataDir): Store {
  try {
    return openSqliteStore(dir.databasePath);
  } catch (error) {
    if (!(error instanceof NoportsError) || error.code !== "storage_failed") throw error;
    const reason = describeError(error.cause ?? error);
    const isCorrupt = /not a database|malformed|corrupt/i.test(reason);
    throw new NoportsError(
      "storage_failed",
      `Cannot open the database "${dir.databasePath}": ${reason}`,
      {
        cause: error,
        hint: error.hint ??
          (isCorrupt
            ? "restore the file from a backup, or move it away to start with an empty server"
            : "check that the folder can be written and the disk is not full"),
      },
    );
  }
}

async function closeEmptyFolder(path: string): Promise<void> {
  try {
    const info = await Deno.lstat(path);
    if (!info.isDirectory || info.uid !== Deno.uid()) return;
    for await (const _ of Deno.readDir(path)) return;
    await Deno.chmod(path, 0o700);
  } catch {
    // missing, or not ours to look at: ensurePrivateFolder says so
  }
}

async function tryLock(path: string): Promise<Disposable | null> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
  } catch (cause) {
    throw new NoportsError(
      "storage_failed",
      `Cannot write to the data folder: ${describeError(cause)}`,
      { cause, hint: "check its owner, its mode and that the disk is not mounted read-only" },
    );
  }
  try {
    if (await file.tryLock(true)) return { [Symbol.dispose]: () => closeQuietly(file) };
  } catch (cause) {
    closeQuietly(file);
    throw new NoportsError("storage_failed", `Cannot lock "${path}": ${describeError(cause)}`, {
      cause,
      hint: "the data folder needs a file system with locks",
    });
  }
  closeQuietly(file);
  return null;
}
