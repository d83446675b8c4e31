/** Files that are whole or absent after a crash at any instant, and readable by their owner only. */

import { closeQuietly } from "../../base/mod.ts";
import { encodeUtf8 } from "../../encoding/mod.ts";

/**
 * Writes `text` to `path` with mode 0600: to a temporary file beside it, flushed, renamed over it, folder flushed.
 * @throws what the file system says.
 */
export async function writeDurableFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    const file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
    try {
      const bytes = encodeUtf8(text);
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.sync();
    } finally {
      closeQuietly(file);
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {}); // the error that matters is the first one
    throw error;
  }
  await syncFolder(path.slice(0, path.lastIndexOf("/")));
}

/** The file's text, or null when there is no such file. @throws what the file system says. */
export async function readIfThere(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Makes names in `folder` durable: new, renamed or removed ones. */
export async function syncFolder(folder: string): Promise<void> {
  if (Deno.build.os === "windows") return; // folders cannot be opened there
  const file = await Deno.open(folder, { read: true });
  try {
    await file.sync();
  } finally {
    closeQuietly(file);
  }
}
