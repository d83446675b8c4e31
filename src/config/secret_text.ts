/** Reads a short secret from a file or from standard input, so that it need not stand in an argument list. IO. */

import { describeError, NoportsError } from "../base/mod.ts";

/** Our choice: codes have 128 characters, passphrases fewer. */
const MAX_BYTES = 4096;

/**
 * The text in the file `path`, or on standard input for `-`.
 * @throws {NoportsError} `config_invalid` when it cannot be read or is too long for `what`.
 */
export async function readSecretText(path: string, what: string): Promise<string> {
  const name = path === "-" ? "standard input" : `"${path}"`;
  const chunks: number[] = [];
  try {
    const source = path === "-" ? Deno.stdin : await Deno.open(path);
    try {
      const buffer = new Uint8Array(1024);
      for (let n = await source.read(buffer); n !== null; n = await source.read(buffer)) {
        chunks.push(...buffer.subarray(0, n));
        if (chunks.length > MAX_BYTES) throw new Error("it is too long");
      }
    } finally {
      if (path !== "-") source.close();
    }
  } catch (cause) {
    throw new NoportsError(
      "config_invalid",
      `Cannot read the ${what} from ${name}: ${describeError(cause)}`,
      { cause },
    );
  }
  return new TextDecoder().decode(new Uint8Array(chunks));
}

/** The passphrase in a file: its first line. @throws {NoportsError} `config_invalid`. */
export async function readPassphrase(path: string): Promise<string> {
  const [line = ""] = (await readSecretText(path, "passphrase")).split(/\r?\n/);
  if (line !== "") return line;
  throw new NoportsError("config_invalid", "Cannot use the passphrase: the first line is empty");
}
