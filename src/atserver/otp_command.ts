/**
 * The operator's own way of sending a registrar's code to an owner (`--otp-command CMD`): CMD gets the atSign as its only
 * argument and the code on standard input, with a line end. No shell is involved.
 */

import type { AtSign } from "../atprotocol/wire/mod.ts";
import { describeError, NoportsError } from "../base/mod.ts";
import { encodeUtf8 } from "../encoding/mod.ts";

/** Our choice: the owner waits for it. */
const TIME_LIMIT_MS = 10_000;
/** Our choice: strangers start them. */
const MAX_RUNNING = 4;

export class OtpCommand {
  readonly #command: string;
  readonly #timeLimitMs: number;
  #running = 0;

  constructor(command: string, timeLimitMs: number = TIME_LIMIT_MS) {
    this.#command = command;
    this.#timeLimitMs = timeLimitMs;
  }

  /** Runs it to its end. @throws {NoportsError} `config_invalid` when it cannot start, fails, or takes too long. */
  async send(atSign: AtSign, code: string): Promise<void> {
    if (this.#running >= MAX_RUNNING) throw this.#failure("too many of them run");
    this.#running++;
    try {
      await this.#run(atSign, code);
    } finally {
      this.#running--;
    }
  }

  async #run(atSign: AtSign, code: string): Promise<void> {
    let child: Deno.ChildProcess;
    try {
      child = new Deno.Command(this.#command, {
        args: [atSign],
        stdin: "piped",
        stdout: "null",
        stderr: "null", // it might print the code, and the server's is a log
      }).spawn();
    } catch (cause) {
      throw this.#failure(describeError(cause), cause);
    }
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, this.#timeLimitMs);
    try {
      const writer = child.stdin.getWriter();
      await writer.write(encodeUtf8(`${code}\n`)).then(() => writer.close()).catch(() => {
        // it ended without reading: its status says how
      });
      const { success, code: status } = await child.status;
      if (late) throw this.#failure(`it took more than ${this.#timeLimitMs / 1000} s`);
      if (!success) throw this.#failure(`it ended with status ${status}`);
    } finally {
      clearTimeout(timer);
    }
  }

  #failure(why: string, cause?: unknown): NoportsError {
    return new NoportsError("config_invalid", `Cannot run "${this.#command}": ${why}`, { cause });
  }
}
