/**
 * `noports server restore`: a backup becomes the data folder's content, after all of it was checked. How it gets into
 * place whatever happens is `restored_data.ts`'s, the file's bytes are `backup_format.ts`'s.
 */

import * as v from "valibot";
import { closeQuietly, describeError, isNoportsError, NoportsError } from "../base/mod.ts";
import { decodeUtf8 } from "../encoding/mod.ts";
import { BackupDecoder, type BackupHead, type ReadBytes } from "./backup_format.ts";
import { type DataDir, prepareDataDir, tryLockDataDir } from "./data_dir.ts";
import { syncFolder } from "./net/mod.ts";
import {
  commitRestored,
  DATABASE_NAME,
  makeWorkFolder,
  settleDataDir,
  TLS_NAME,
} from "./restored_data.ts";
import type { AdminContext } from "./server_or_folder.ts";
import { openSqliteStore } from "./store/sqlite_store.ts";
import type { AtSignRecord } from "./store/store.ts";

/** The only names that a backup may hold. */
const NAMES = [
  DATABASE_NAME,
  `${TLS_NAME}/ca.key.pem`,
  `${TLS_NAME}/ca.pem`,
  `${TLS_NAME}/server.pem`,
] as const;
const MANIFEST = v.object({
  files: v.pipe(
    v.array(
      v.object({ name: v.picklist(NAMES), size: v.pipe(v.number(), v.integer(), v.minValue(0)) }),
    ),
    v.maxLength(NAMES.length),
  ),
});

export interface RestoreOptions {
  /** Absolute; made when missing. */
  readonly dataDir: string;
  /** `-` for standard input. */
  readonly file: string;
  readonly passphrase: string | null;
  /** What is in the data folder may be replaced, and is lost then. */
  readonly force: boolean;
}

export interface RestoreResult {
  readonly head: BackupHead;
  readonly atSigns: readonly AtSignRecord[];
}

/**
 * Restores a backup.
 * @throws {NoportsError} `already_running`, `conflict` (there is data, and no force), `config_invalid` (the file is
 * unusable), `auth_failed` (wrong passphrase), `usage` (none given), `storage_failed`. Nothing is changed then.
 */
export async function restore(
  options: RestoreOptions,
  context: AdminContext,
): Promise<RestoreResult> {
  const dir = await prepareDataDir(options.dataDir);
  const lock = await tryLockDataDir(dir, context.clock);
  if (lock === null) {
    throw new NoportsError(
      "already_running",
      `Cannot restore: a server runs with the data folder "${dir.path}"`,
      { hint: "stop it first, or name another folder with --data-dir" },
    );
  }
  using _lock = lock;
  if (!options.force && await hasData(dir)) {
    throw new NoportsError("conflict", `Cannot restore: there is data in "${dir.path}"`, {
      hint: "name an empty folder with --data-dir, or replace what is there with --force",
    });
  }
  const work = await makeWorkFolder(dir, "restore");
  try {
    const head = await unpack(options, work);
    const atSigns = checkDatabase(`${work}/${DATABASE_NAME}`);
    await commitRestored(dir, work);
    await settleDataDir(dir);
    return { head, atSigns };
  } catch (cause) {
    if (isNoportsError(cause)) throw cause;
    throw new NoportsError("storage_failed", `Cannot restore: ${describeError(cause)}`, {
      cause,
      hint: "see whether the disk is full or read-only",
    });
  } finally {
    await Deno.remove(work, { recursive: true }).catch(() => {}); // in place, or swept by the next one
  }
}

async function hasData(dir: DataDir): Promise<boolean> {
  for await (const { name } of Deno.readDir(dir.path)) {
    if (name.startsWith(DATABASE_NAME) || name === TLS_NAME) return true;
  }
  return false;
}

async function unpack(options: RestoreOptions, folder: string): Promise<BackupHead> {
  const source = await openInput(options.file);
  try {
    const decoder = await BackupDecoder.open(readerOf(source), options.passphrase);
    const files = parseManifest(await decoder.next());
    await Deno.mkdir(`${folder}/${TLS_NAME}`, { mode: 0o700 });
    const content = new ContentReader(decoder);
    for (const { name, size } of files) await writeFile(`${folder}/${name}`, size, content);
    await content.end();
    await syncFolder(`${folder}/${TLS_NAME}`);
    if (files.every(({ name }) => name === DATABASE_NAME)) {
      await Deno.remove(`${folder}/${TLS_NAME}`);
    }
    return decoder.head;
  } finally {
    if (source !== Deno.stdin) closeQuietly(source as Deno.FsFile);
  }
}

interface Source {
  read(buffer: Uint8Array): Promise<number | null>;
}

async function openInput(path: string): Promise<Source> {
  if (path === "-") return Deno.stdin;
  try {
    return await Deno.open(path);
  } catch (cause) {
    throw new NoportsError(
      "config_invalid",
      `Cannot read the backup "${path}": ${describeError(cause)}`,
      { cause, hint: "check the path, and that this user may read it" },
    );
  }
}

function readerOf(source: Source): ReadBytes {
  return async (count) => {
    const bytes = new Uint8Array(count);
    let at = 0;
    while (at < count) {
      const n = await source.read(bytes.subarray(at));
      if (n === null) break;
      at += n;
    }
    return bytes.subarray(0, at);
  };
}

function parseManifest(bytes: Uint8Array | null): { name: string; size: number }[] {
  let json: unknown;
  try {
    json = bytes === null ? null : JSON.parse(decodeUtf8(bytes));
  } catch {
    // said below
  }
  const manifest = v.safeParse(MANIFEST, json);
  const names = manifest.success ? manifest.output.files.map(({ name }) => name) : [];
  if (!manifest.success || new Set(names).size < names.length || !names.includes(DATABASE_NAME)) {
    throw new NoportsError("config_invalid", "Cannot read the backup: its contents are unknown", {
      hint: "it may be of a later version of noports",
    });
  }
  return manifest.output.files;
}

/** The chunks' contents as one stream. */
class ContentReader {
  readonly #decoder: BackupDecoder;
  #rest: Uint8Array = new Uint8Array();

  constructor(decoder: BackupDecoder) {
    this.#decoder = decoder;
  }

  /** At most `count` bytes, at least one. */
  async take(count: number): Promise<Uint8Array> {
    while (this.#rest.length === 0) {
      const next = await this.#decoder.next();
      if (next === null) throw sizeMismatch();
      this.#rest = next;
    }
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }

  /** Reads to the end, where nothing may be left. */
  async end(): Promise<void> {
    let left = this.#rest.length;
    for (let next = await this.#decoder.next(); next !== null; next = await this.#decoder.next()) {
      left += next.length;
    }
    if (left > 0) throw sizeMismatch();
  }
}

function sizeMismatch(): NoportsError {
  return new NoportsError("config_invalid", "Cannot read the backup: its sizes do not agree", {
    hint: "take another copy of it; nothing was changed",
  });
}

async function writeFile(path: string, size: number, content: ContentReader): Promise<void> {
  const file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  try {
    for (let left = size; left > 0;) {
      const bytes = await content.take(left);
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      left -= bytes.length;
    }
    await file.sync();
  } finally {
    closeQuietly(file);
  }
}

/** Opens it as the server will, which also brings it up to date. */
function checkDatabase(path: string): AtSignRecord[] {
  using store = openSqliteStore(path);
  const damage = store.checkIntegrity();
  if (damage.length > 0) {
    throw new NoportsError("config_invalid", `Cannot restore: the database in it is damaged`, {
      hint: `take another backup; first finding: ${damage[0]}`,
    });
  }
  return store.listAtSigns();
}
