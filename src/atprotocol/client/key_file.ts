/** Reads and writes .atKeys files: owner-only, whole or not at all, never over another. The format is `wire/`'s. IO. */

import { closeQuietly, NoportsError } from "../../base/mod.ts";
import { type AtKeys, type AtSign, encodeAtKeysFile, parseAtKeysFile } from "../wire/mod.ts";

/** Our choice: a normal file has about 6 KB. */
const MAX_FILE_BYTES = 64 * 1024;
const GROUP_OR_OTHERS = 0o077;

/**
 * Reads the keys of `atSign`.
 * @throws {NoportsError} `key_file_missing`, `key_file_mode` (others can read or change it), `key_file_invalid`.
 */
export async function readKeyFile(path: string, atSign: AtSign): Promise<AtKeys> {
  let text: string;
  try {
    const info = await Deno.stat(path);
    if (!info.isFile) {
      throw new NoportsError("key_file_invalid", `Cannot use the key file "${path}": not a file`);
    }
    if (info.size > MAX_FILE_BYTES) {
      throw new NoportsError(
        "key_file_invalid",
        `Cannot use the key file "${path}": ${info.size} bytes are too many for one`,
        { hint: `name the .atKeys file of ${atSign} with -k` },
      );
    }
    if (Deno.build.os !== "windows" && info.mode !== null && (info.mode & GROUP_OR_OTHERS) !== 0) {
      throw new NoportsError(
        "key_file_mode",
        `Cannot use the key file "${path}": other users can read or change it`,
        { hint: `type: chmod 600 "${path}"` },
      );
    }
    text = await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof NoportsError) throw cause;
    if (cause instanceof Deno.errors.NotFound) {
      throw new NoportsError(
        "key_file_missing",
        `Cannot find the key file "${path}" of ${atSign}`,
        {
          cause,
          hint:
            `activate the atSign here (noports activate onboard -a ${atSign}), copy its key file ` +
            "there, or name it with -k",
        },
      );
    }
    throw new NoportsError(
      "key_file_invalid",
      `Cannot read the key file "${path}": ${(cause as Error).message}`,
      { cause, hint: "check who owns it and its mode" },
    );
  }
  try {
    return parseAtKeysFile(text);
  } catch (cause) {
    if (!(cause instanceof NoportsError)) throw cause;
    throw new NoportsError(
      "key_file_invalid",
      `Cannot use the key file "${path}": ${cause.message}`,
      {
        cause,
        hint: cause.hint ?? `copy the .atKeys file of ${atSign} again`,
      },
    );
  }
}

/** A key file reserved by `reserveKeyFile`. */
export interface ReservedKeyFile {
  readonly path: string;
  /** Writes the keys, whole and flushed to disk, under the final name. @throws {NoportsError} `file_exists`, `storage_failed`. */
  write(atSign: AtSign, keys: AtKeys): Promise<void>;
  /** Gives the reservation up; nothing is left behind. After `write` it does nothing. */
  discard(): Promise<void>;
}

/**
 * Makes sure that `path` can be written and is free, before anything is asked of a server whose answer must not be lost.
 * @throws {NoportsError} `file_exists`, `storage_failed`.
 */
export async function reserveKeyFile(path: string): Promise<ReservedKeyFile> {
  const folder = path.replace(/[^/\\]*$/, "") || ".";
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  let file: Deno.FsFile;
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    if (await exists(path)) throw alreadyThere(path);
    file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
  } catch (cause) {
    if (cause instanceof NoportsError) throw cause;
    throw new NoportsError(
      "storage_failed",
      `Cannot write the key file "${path}": ${(cause as Error).message}`,
      { cause, hint: "check that the folder can be written, or name another file with -k" },
    );
  }
  let settled = false;
  const discard = async () => {
    if (settled) return;
    settled = true;
    closeQuietly(file);
    await Deno.remove(temporary);
  };
  return {
    path,
    discard,
    write: async (atSign, keys) => {
      try {
        const bytes = new TextEncoder().encode(encodeAtKeysFile(atSign, keys));
        for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
        await file.sync();
        // a hard link fails where the name is taken; a rename would replace it
        await Deno.link(temporary, path);
        await syncFolder(folder);
      } catch (cause) {
        if (cause instanceof Deno.errors.AlreadyExists) throw alreadyThere(path);
        throw new NoportsError(
          "storage_failed",
          `Cannot write the key file "${path}": ${(cause as Error).message}`,
          { cause, hint: "free some space or name another file with -k, then activate again" },
        );
      } finally {
        await discard();
      }
    },
  };
}

function alreadyThere(path: string): NoportsError {
  return new NoportsError("file_exists", `Cannot write the key file "${path}": it exists`, {
    hint: "move it away first, or name another file with -k; a key file is never overwritten",
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Makes the new name itself durable; where folders cannot be opened (Windows) the system does it. */
async function syncFolder(folder: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  const handle = await Deno.open(folder, { read: true });
  try {
    await handle.sync();
  } finally {
    handle.close();
  }
}
