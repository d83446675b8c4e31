/**
 * How a restored backup takes the place of what is in the data folder, all of it or nothing, whenever the process dies:
 * it is complete in a folder of its own, which one rename gives the name `restored`; from then on whoever takes the
 * folder's lock moves what is in it to its place, and goes on where another one was interrupted.
 */

import { describeError, NoportsError } from "../base/mod.ts";
import { syncFolder } from "./net/mod.ts";

/** What a data folder holds that a backup holds too. */
export const DATABASE_NAME = "atserver.db";
export const TLS_NAME = "tls";
/** Files of SQLite that belong to the database that is replaced. */
const DATABASE_EXTRAS = ["-wal", "-shm", "-journal"] as const;
/** Folders that work in progress is in; nobody works on them when the lock is free. */
const WORK_FOLDER = /^(?:backup|restore)-[0-9a-f-]{36}\.tmp$/;

/** The parts of a data folder that this needs. */
export interface RestorePaths {
  readonly path: string;
  readonly restoredFolder: string;
}

/** A new folder for work in progress in the data folder, of mode 0700. */
export async function makeWorkFolder(
  dir: Pick<RestorePaths, "path">,
  what: "backup" | "restore",
): Promise<string> {
  const folder = `${dir.path}/${what}-${crypto.randomUUID()}.tmp`;
  await Deno.mkdir(folder, { mode: 0o700 });
  return folder;
}

/** From here on the data in `folder` is this data folder's, come what may. Hold the lock. */
export async function commitRestored(dir: RestorePaths, folder: string): Promise<void> {
  await syncFolder(folder);
  await Deno.rename(folder, dir.restoredFolder);
  await syncFolder(dir.path);
}

/**
 * Finishes what an interrupted restore began and removes what interrupted work left. Hold the lock.
 * @throws {NoportsError} `storage_failed`.
 */
export async function settleDataDir(dir: RestorePaths): Promise<void> {
  try {
    await moveIntoPlace(dir);
    for await (const entry of Deno.readDir(dir.path)) {
      if (WORK_FOLDER.test(entry.name)) await removeIfThere(`${dir.path}/${entry.name}`);
    }
  } catch (cause) {
    throw new NoportsError(
      "storage_failed",
      `Cannot put the data folder "${dir.path}" in order: ${describeError(cause)}`,
      { cause, hint: "check its owner, its mode and that the disk is not full or read-only" },
    );
  }
}

async function moveIntoPlace(dir: RestorePaths): Promise<void> {
  if (!await isThere(dir.restoredFolder)) return;
  for (const name of [TLS_NAME, DATABASE_NAME]) {
    const restored = `${dir.restoredFolder}/${name}`;
    if (!await isThere(restored)) continue; // in its place already, or not part of the backup
    const place = `${dir.path}/${name}`;
    await removeIfThere(place);
    if (name === DATABASE_NAME) {
      for (const extra of DATABASE_EXTRAS) await removeIfThere(`${place}${extra}`);
    }
    await Deno.rename(restored, place);
    await syncFolder(dir.path);
  }
  await removeIfThere(dir.restoredFolder);
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
