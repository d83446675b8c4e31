/** Talking with a person at a terminal: questions on standard error, answers from standard input. IO. */

import { abortable, NoportsError } from "../base/mod.ts";

/** Our choice: nobody types more. */
const MAX_ANSWER_CHARS = 1024;

/** True when standard input is a terminal, so that somebody can be asked. */
export function isInteractive(): boolean {
  return Deno.stdin.isTerminal();
}

/**
 * The next line that is typed, without its end; null at the end of input.
 * @throws the signal's reason when it aborts first.
 */
export async function readTypedLine(signal: AbortSignal): Promise<string | null> {
  const buffer = new Uint8Array(MAX_ANSWER_CHARS);
  const decoder = new TextDecoder();
  let line = "";
  while (line.length <= MAX_ANSWER_CHARS) {
    // a terminal gives whole lines
    const n = await abortable(Deno.stdin.read(buffer), signal);
    if (n === null) return line === "" ? null : line;
    line += decoder.decode(buffer.subarray(0, n), { stream: true });
    const end = line.indexOf("\n");
    if (end !== -1) return line.slice(0, end).replace(/\r$/, "");
  }
  return line;
}

/**
 * Goes on when `expected` is typed, or at once when `isSure`.
 * @throws {NoportsError} `usage` when nobody can be asked, `interrupted` when something else is typed.
 */
export async function confirm(
  question: string,
  expected: string,
  { isSure, stderr, signal }: {
    readonly isSure: boolean;
    readonly stderr: (line: string) => void;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  if (isSure) return;
  if (!isInteractive()) {
    throw new NoportsError("usage", `Cannot ask "${question}": this is no terminal`, {
      hint: "give --yes if you are sure",
    });
  }
  stderr(`${question} Type ${expected} to go on:`);
  const typed = await readTypedLine(signal);
  if (typed?.trim() === expected) return;
  throw new NoportsError("usage", "Cannot go on: it was not confirmed; nothing was changed");
}
