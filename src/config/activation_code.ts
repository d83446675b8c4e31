/** Reads the activation code (CRAM secret) without it standing in an argument list, unless the user put it there. */

import { NoportsError } from "../base/mod.ts";
import type { FlagValues } from "../cli/mod.ts";

/** Our choice: a code has 128 characters. */
const MAX_CODE_BYTES = 4096;

/**
 * The code from `--cram-file FILE`, from standard input (`-`), or from `-c` with a warning.
 * @throws {NoportsError} `usage`, `config_invalid`.
 */
export async function readActivationCode(
  values: FlagValues,
  warn: (line: string) => void,
): Promise<string> {
  const file = values.text("cram-file");
  const inline = values.text("cramkey");
  if ((file === undefined) === (inline === undefined)) {
    throw new NoportsError("usage", "Cannot activate: give the activation code in one way", {
      hint: "--cram-file FILE, or --cram-file - to read it from standard input",
    });
  }
  if (inline !== undefined) {
    warn("noports: warning: -c shows the code to every process here; prefer --cram-file FILE or -");
    return checkCode(inline);
  }
  return checkCode(await readBounded(file ?? "-"));
}

async function readBounded(path: string): Promise<string> {
  const name = path === "-" ? "standard input" : `"${path}"`;
  const chunks: number[] = [];
  try {
    const source = path === "-" ? Deno.stdin : await Deno.open(path);
    try {
      const buffer = new Uint8Array(1024);
      for (;;) {
        const n = await source.read(buffer);
        if (n === null) break;
        chunks.push(...buffer.subarray(0, n));
        if (chunks.length > MAX_CODE_BYTES) throw new Error("it is too long for a code");
      }
    } finally {
      if (path !== "-") source.close();
    }
  } catch (cause) {
    throw new NoportsError(
      "config_invalid",
      `Cannot read the activation code from ${name}: ${(cause as Error).message}`,
      { cause },
    );
  }
  return new TextDecoder().decode(new Uint8Array(chunks));
}

/** Old QR codes hold `@alice:<code>`. */
function checkCode(text: string): string {
  const trimmed = text.trim();
  const code = trimmed.startsWith("@") ? trimmed.slice(trimmed.indexOf(":") + 1) : trimmed;
  if (code === "" || /\s/.test(code)) {
    throw new NoportsError("config_invalid", "Cannot use the activation code: it is not one word", {
      hint: "give the code alone, as `noports server add` printed it",
    });
  }
  return code;
}
