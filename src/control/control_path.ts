/**
 * Where a role's control socket is. A Unix socket path has about 107 usable bytes, so a deep data folder gets a short
 * path elsewhere that both sides compute in the same way: `$XDG_RUNTIME_DIR/noports/<hash>.sock`, or
 * `/tmp/noports-<uid>/<hash>.sock` where there is no runtime folder; <hash> is made of the data folder's path.
 */

import { createHash } from "node:crypto";
import { NoportsError } from "../base/mod.ts";

/** `sun_path` holds 108 bytes on Linux and 104 on macOS, one of them the final zero. */
const MAX_SOCKET_PATH_BYTES = 103;
const FOLDER_MODE = 0o700;

/** What the path depends on besides the folder, so that tests bring their own. */
export interface ControlPathEnvironment {
  readonly env: (name: string) => string | undefined;
  readonly uid: number | null;
  /** The system's folder for temporary files; `/tmp` when not given. */
  readonly tempDir?: string;
}

/** This process's environment. */
export function systemControlPathEnvironment(): ControlPathEnvironment {
  return { env: (name) => Deno.env.get(name), uid: Deno.uid() };
}

/** The path of the control socket that belongs to `folder` (absolute), which may be too deep to hold it itself. */
export function controlSocketPath(
  folder: string,
  environment: ControlPathEnvironment = systemControlPathEnvironment(),
): string {
  const inside = `${folder}/control.sock`;
  if (new TextEncoder().encode(inside).length <= MAX_SOCKET_PATH_BYTES) return inside;
  const name = `${createHash("sha256").update(folder).digest("hex").slice(0, 24)}.sock`;
  const runtimeDir = environment.env("XDG_RUNTIME_DIR");
  const short = runtimeDir === undefined || runtimeDir === ""
    ? `${environment.tempDir ?? "/tmp"}/noports-${environment.uid ?? 0}`
    : `${runtimeDir}/noports`;
  return `${short}/${name}`;
}

/**
 * Makes the folder of a control socket, or checks the one that is there: a real folder of this user, closed to others.
 * In `/tmp` somebody else could have made it first.
 * @throws {NoportsError} `config_invalid`.
 */
export async function ensurePrivateFolder(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true, mode: FOLDER_MODE });
  } catch (cause) {
    throw new NoportsError(
      "config_invalid",
      `Cannot make the folder "${folder}": ${(cause as Error).message}`,
      { cause, hint: "choose a folder that this user may write to" },
    );
  }
  await checkPrivateFolder(folder);
}

/**
 * Checks that `folder` is a folder of this user that others can neither enter nor change.
 * @throws {NoportsError} `config_invalid`; `not_found` when there is none.
 */
export async function checkPrivateFolder(folder: string): Promise<void> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.lstat(folder);
  } catch (cause) {
    throw new NoportsError("not_found", `Cannot use the folder "${folder}": it is not there`, {
      cause,
    });
  }
  if (!info.isDirectory) {
    throw new NoportsError("config_invalid", `Cannot use "${folder}": it is not a folder`, {
      hint: "remove it, or choose another folder",
    });
  }
  const uid = Deno.uid();
  if (uid !== null && info.uid !== null && info.uid !== uid) {
    throw new NoportsError("config_invalid", `Cannot use "${folder}": it belongs to another user`, {
      hint: `run as the user that owns it, or choose another folder`,
    });
  }
  if (info.mode !== null && (info.mode & 0o077) !== 0) {
    throw new NoportsError("config_invalid", `Cannot use "${folder}": other users can enter it`, {
      hint: `chmod 700 ${folder}`,
    });
  }
}
