/**
 * `noports server backup`: a consistent copy of everything, also while the server runs, in one file. Without a
 * passphrase the secrets are left out of it. The file's bytes are `backup_format.ts`'s.
 */

import * as v from "valibot";
import { closeQuietly, describeError, isNoportsError, NoportsError } from "../base/mod.ts";
import { encodeUtf8 } from "../encoding/mod.ts";
import { BackupEncoder, type BackupHead } from "./backup_format.ts";
import { type DataDir, describeDataDir } from "./data_dir.ts";
import { LEGACY_PKAM_KEY } from "./enrollments.ts";
import { caCertificatePath, readIfThere, syncFolder } from "./net/mod.ts";
import { DATABASE_NAME, makeWorkFolder, TLS_NAME } from "./restored_data.ts";
import { type AdminContext, callServer, onServerOrFolder } from "./server_or_folder.ts";
import { openSqliteStore } from "./store/sqlite_store.ts";
import type { Store } from "./store/store.ts";

/** The control socket's method that writes a copy of the store; `params` is `{folder}`, a work folder's name. */
export const SNAPSHOT_METHOD = "snapshot";
const SNAPSHOT_PARAMS = v.object({ folder: v.string() });
/** Our choice: a copy takes 2 s for 1 GB, on a slow disk more. */
const SNAPSHOT_TIMEOUT_MS = 600_000;
/** Our choice: shorter ones are guessed. */
const MIN_PASSPHRASE_CHARS = 8;
const SALT_BYTES = 16;
/** What the head of a backup without passphrase names. */
const LEFT_OUT = [
  "activation codes (CRAM secrets) of atSigns that are not activated",
  "signing keys of the atServers",
  "passcodes for enrollments",
  "keys and certificates of the server's own authority",
] as const;
/** The files of the authority, relative to the data folder. */
const TLS_FILES = ["ca.key.pem", "ca.pem", "server.pem"] as const;

export interface BackupOptions {
  /** Absolute. */
  readonly dataDir: string;
  /** Must not exist yet; `-` for standard output. */
  readonly file: string;
  /** Null: the secrets are left out. */
  readonly passphrase: string | null;
}

export interface BackupResult {
  readonly file: string;
  readonly bytes: number;
  readonly atSigns: number;
  readonly encrypted: boolean;
  readonly leftOut: readonly string[];
}

/**
 * Writes a backup.
 * @throws {NoportsError} `not_found` (no data), `file_exists`, `usage` (weak passphrase), `storage_failed`, `timeout`.
 */
export async function backUp(options: BackupOptions, context: AdminContext): Promise<BackupResult> {
  const { passphrase } = options;
  if (passphrase !== null && passphrase.length < MIN_PASSPHRASE_CHARS) {
    throw new NoportsError("usage", "Cannot back up: the passphrase is too short", {
      hint: `take ${MIN_PASSPHRASE_CHARS} characters at least, better a line of random words`,
    });
  }
  const dir = describeDataDir(options.dataDir);
  const work = await makeBackupFolder(dir);
  try {
    const snapshot = await takeSnapshot(dir, work, context);
    const { database, atSigns, schemaVersion } = prepareSnapshot(snapshot, passphrase !== null);
    const head: BackupHead = {
      createdAt: new Date(context.clock.now()).toISOString(),
      program: context.version,
      schemaVersion,
      complete: passphrase !== null,
      leftOut: passphrase === null ? LEFT_OUT : [],
    };
    const encoder = await BackupEncoder.create(
      head,
      passphrase === null ? null : { passphrase, salt: context.entropy.bytes(SALT_BYTES) },
    );
    const files = [
      { name: DATABASE_NAME, path: database },
      ...(passphrase === null ? [] : await listTlsFiles(dir)),
    ];
    const bytes = await writeOutput(options.file, (write) => writeBackup(encoder, files, write));
    const { file } = options;
    return { file, bytes, atSigns, encrypted: passphrase !== null, leftOut: head.leftOut };
  } catch (cause) {
    if (isNoportsError(cause)) throw cause;
    throw new NoportsError("storage_failed", `Cannot back up: ${describeError(cause)}`, {
      cause,
      hint: "see whether a disk is full; the data folder needs room for a copy of the database",
    });
  } finally {
    await Deno.remove(work, { recursive: true }).catch(() => {}); // swept by the next who takes the lock
  }
}

/** Answers `SNAPSHOT_METHOD` for the running server. */
export function writeSnapshot(store: Store, dir: DataDir, params: unknown): void {
  const { folder } = v.parse(SNAPSHOT_PARAMS, params);
  if (!/^backup-[0-9a-f-]{36}\.tmp$/.test(folder)) {
    throw new NoportsError("usage", "Cannot write a snapshot there");
  }
  store.backupTo(`${dir.path}/${folder}/snapshot.db`);
}

/** What is left out without a passphrase: it would let its reader log in, sign or enroll as somebody else. */
export function isSecretKey(key: string): boolean {
  if (key.startsWith("privatekey:")) return key !== LEGACY_PKAM_KEY;
  return /^private:.*__otp@/.test(key) || /^private:spp@/.test(key) ||
    key.includes("signing_privatekey");
}

async function makeBackupFolder(dir: DataDir): Promise<string> {
  try {
    return await makeWorkFolder(dir, "backup");
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) throw nothingThere(dir);
    throw new NoportsError(
      "storage_failed",
      `Cannot write to the data folder: ${describeError(cause)}`,
      { cause, hint: "check its owner and mode, and that the disk is not full" },
    );
  }
}

function nothingThere(dir: DataDir): NoportsError {
  return new NoportsError(
    "not_found",
    `Cannot back up: there is no server's data in "${dir.path}"`,
    {
      hint: "name the server's folder with --data-dir",
    },
  );
}

/** The path of a copy of the database. */
async function takeSnapshot(dir: DataDir, work: string, context: AdminContext): Promise<string> {
  return await onServerOrFolder(dir, context, {
    ask: async () => {
      const folder = work.slice(work.lastIndexOf("/") + 1);
      await callServer(dir, SNAPSHOT_METHOD, { folder }, SNAPSHOT_TIMEOUT_MS);
      return `${work}/snapshot.db`;
    },
    ifEmpty: () => {
      throw nothingThere(dir);
    },
    work: async (_, store) => {
      await Deno.mkdir(work, { recursive: true, mode: 0o700 }); // taking the lock swept it
      store.backupTo(`${work}/snapshot.db`);
      return `${work}/snapshot.db`;
    },
  });
}

function prepareSnapshot(
  snapshot: string,
  isComplete: boolean,
): { database: string; atSigns: number; schemaVersion: number } {
  using copy = openSqliteStore(snapshot);
  const { atSigns } = copy.totals();
  const { schemaVersion } = copy;
  if (isComplete) return { database: snapshot, atSigns, schemaVersion };
  copy.transaction(() => {
    for (const { atSign } of copy.listAtSigns()) {
      for (const { key } of copy.listKeys(atSign)) {
        if (isSecretKey(key)) copy.deleteKey(atSign, key, false);
      }
    }
  });
  const database = `${snapshot}.public`;
  copy.backupTo(database); // a new file: the old one still has the bytes of what was deleted
  return { database, atSigns, schemaVersion };
}

interface FileToWrite {
  /** In the backup. */
  readonly name: string;
  readonly path: string;
}

async function listTlsFiles(dir: DataDir): Promise<FileToWrite[]> {
  // without its certificate an authority does not exist, whatever else is there
  if (await readIfThere(caCertificatePath(dir.tlsFolder)) === null) return [];
  return TLS_FILES.map((file) => ({
    name: `${TLS_NAME}/${file}`,
    path: `${dir.tlsFolder}/${file}`,
  }));
}

type Write = (bytes: Uint8Array) => Promise<void>;

/** The first chunk names the files and their sizes, the others hold what is in them. */
async function writeBackup(
  encoder: BackupEncoder,
  files: readonly FileToWrite[],
  write: Write,
): Promise<void> {
  await write(encoder.head);
  const sized = await Promise.all(
    files.map(async ({ name, path }) => ({ name, size: (await Deno.stat(path)).size })),
  );
  await write(encoder.chunk(encodeUtf8(JSON.stringify({ files: sized })), false));
  const buffer = new Uint8Array(BackupEncoder.maxBytes);
  for (const { path } of files) {
    const file = await Deno.open(path);
    try {
      for (let n = await file.read(buffer); n !== null; n = await file.read(buffer)) {
        await write(encoder.chunk(buffer.subarray(0, n), false));
      }
    } finally {
      closeQuietly(file);
    }
  }
  await write(encoder.chunk(new Uint8Array(), true));
}

/** Gives the number of bytes. A file appears whole or not at all, with mode 0600. */
async function writeOutput(
  path: string,
  produce: (write: Write) => Promise<void>,
): Promise<number> {
  let total = 0;
  const writeTo = (out: { write(bytes: Uint8Array): Promise<number> }): Write => async (bytes) => {
    for (let at = 0; at < bytes.length;) at += await out.write(bytes.subarray(at));
    total += bytes.length;
  };
  if (path === "-") {
    await produce(writeTo(Deno.stdout));
    return total;
  }
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  const file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
  try {
    await produce(writeTo(file));
    await file.sync();
    await Deno.link(temporary, path); // fails where the name is taken; a rename would replace it
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AlreadyExists)) throw cause;
    throw new NoportsError("file_exists", `Cannot write the backup "${path}": it exists`, {
      hint: "name another file; a backup is never overwritten",
    });
  } finally {
    closeQuietly(file);
    await Deno.remove(temporary);
  }
  await syncFolder(path.replace(/[^/]*$/, "") || ".");
  return total;
}
