/** Reads the passcode of an enrollment, preferably without it standing in an argument list. */

import { NoportsError } from "../base/mod.ts";
import type { FlagValues } from "../cli/mod.ts";
import { readSecretText } from "./secret_text.ts";

/**
 * The passcode from `--passcode-file FILE`, from standard input (`-`), or from the flag `inlineFlag`.
 * @throws {NoportsError} `usage`, `config_invalid`.
 */
export async function readPasscode(values: FlagValues, inlineFlag: string): Promise<string> {
  const file = values.text("passcode-file");
  const inline = values.text(inlineFlag);
  if ((file === undefined) === (inline === undefined)) {
    throw new NoportsError("usage", "Cannot use a passcode: give it in one way", {
      hint: `--${inlineFlag} CODE, --passcode-file FILE, or --passcode-file - for standard input`,
    });
  }
  const passcode = inline ?? (await readSecretText(file ?? "-", "passcode")).trim();
  if (passcode !== "" && !/\s/.test(passcode)) return passcode;
  throw new NoportsError("usage", "Cannot use the passcode: it is not one word");
}
