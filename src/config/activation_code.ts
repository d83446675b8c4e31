/** Reads the activation code (CRAM secret) without it standing in an argument list, unless the user put it there. */

import { NoportsError } from "../base/mod.ts";
import type { FlagValues } from "../cli/mod.ts";
import { readSecretText } from "./secret_text.ts";

/**
 * The code from `--cram-file FILE`, from standard input (`-`), or from `-c` with a warning; null when neither is given.
 * @throws {NoportsError} `usage`, `config_invalid`.
 */
export async function readActivationCode(
  values: FlagValues,
  warn: (line: string) => void,
): Promise<string | null> {
  const file = values.text("cram-file");
  const inline = values.text("cramkey");
  if (file === undefined && inline === undefined) return null;
  if (file !== undefined && inline !== undefined) {
    throw new NoportsError("usage", "Cannot activate: give the activation code in one way", {
      hint: "--cram-file FILE, or --cram-file - to read it from standard input",
    });
  }
  if (inline !== undefined) {
    warn("noports: warning: -c shows the code to every process here; prefer --cram-file FILE or -");
    return checkCode(inline);
  }
  return checkCode(await readSecretText(file ?? "-", "activation code"));
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
