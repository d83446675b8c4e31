/** Runs a role of the demo as a process of its own: the same program, another command. */

import { NoportsError } from "../base/mod.ts";

/** Our choice: a role that is not ready by then will not be. */
const READY_TIMEOUT_MS = 30_000;
/** Our choice: the last lines of a role's log, shown when it fails. */
const SHOWN_LOG_LINES = 20;
/** Longer than a role takes to close what is open. */
const STOP_TIMEOUT_MS = 5_000;

/** How to start this program again: the executable and its first arguments. */
export function ownCommand(): string[] {
  return Deno.build.standalone
    ? [Deno.execPath()]
    : [Deno.execPath(), "run", "-A", "--quiet", "--no-check", Deno.mainModule];
}

/** How a person types this program's name, from any folder. */
export function ownName(): string {
  if (Deno.build.standalone) return Deno.execPath();
  return decodeURIComponent(new URL("bin/noports", Deno.mainModule).pathname);
}

export interface RoleOptions {
  readonly name: string;
  /** The program and its first arguments; this program when not given. */
  readonly command?: readonly string[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export class RoleProcess implements AsyncDisposable {
  readonly name: string;
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  /** The lines of its standard output and of its log so far. */
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly #waiters = new Set<(line: string | null) => void>();

  constructor(options: RoleOptions) {
    this.name = options.name;
    this.#child = spawn(options, "null");
    this.#reading = Promise.all([
      this.#readLines(this.#child.stdout, (line) => {
        this.stdout.push(line);
        this.#hear(line);
      }),
      this.#readLines(this.#child.stderr, (line) => {
        this.stderr.push(line);
        this.#hear(line);
      }),
    ]).then(() => this.#hear(null));
  }

  get pid(): number {
    return this.#child.pid;
  }

  /**
   * The first line of stdout or stderr that matches.
   * @throws {NoportsError} `demo_failed` with the end of the role's log when it ends first or takes too long.
   */
  async line(pattern: RegExp, signal: AbortSignal): Promise<string> {
    return await this.lineCount(pattern, 1, signal);
  }

  /** The `count`-th line that matches; see `line`. */
  async lineCount(pattern: RegExp, count: number, signal: AbortSignal): Promise<string> {
    const heard = [...this.stdout, ...this.stderr].filter((line) => pattern.test(line));
    const already = heard[count - 1];
    if (already !== undefined) return already;
    let missing = count - heard.length;
    const found = Promise.withResolvers<string>();
    const hear = (line: string | null) => {
      if (line === null) found.reject(this.#failure("ended before it was ready"));
      else if (pattern.test(line) && --missing === 0) found.resolve(line);
    };
    const onAbort = () => found.reject(signal.reason);
    const timer = setTimeout(
      () => found.reject(this.#failure(`was not ready within ${READY_TIMEOUT_MS / 1000} s`)),
      READY_TIMEOUT_MS,
    );
    this.#waiters.add(hear);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await found.promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(hear);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Sends it a signal; it may have ended already. */
  kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // it has ended by itself
    }
  }

  /** Resolves with its exit status (128 + n for a signal), once all its output is read. */
  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#reading;
    return code;
  }

  /** Ends the role and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGTERM");
    const timer = setTimeout(() => this.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await this.#child.status;
    clearTimeout(timer);
    await this.#reading;
  }

  #hear(line: string | null): void {
    for (const waiter of [...this.#waiters]) waiter(line);
  }

  #failure(what: string): NoportsError {
    const last = this.stderr.slice(-SHOWN_LOG_LINES).map((line) => `    ${line}`).join("\n");
    return new NoportsError("demo_failed", `Cannot run the demo: the ${this.name} ${what}`, {
      hint: `its last lines:\n${last}`,
      cause: new Error(last),
    });
  }

  async #readLines(stream: ReadableStream<Uint8Array>, hear: (line: string) => void) {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) hear(line);
    }
    if (rest !== "") hear(rest);
  }
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, with `input` on its standard input, and gives what came out of it. */
export async function runCommand(options: RoleOptions, input = ""): Promise<CommandResult> {
  const child = spawn(options, "piped");
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  } catch {
    // it ended without reading its input
  }
  const { code, stdout, stderr } = await child.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: decode(stdout), stderr: decode(stderr) };
}

/**
 * Runs a command that must succeed.
 * @returns its standard output, trimmed.
 * @throws {NoportsError} `demo_failed` with what it said.
 */
export async function runToEnd(options: RoleOptions, input = ""): Promise<string> {
  const { code, stdout, stderr } = await runCommand(options, input);
  if (code !== 0) {
    throw new NoportsError("demo_failed", `Cannot run the demo: ${options.name} failed`, {
      hint: stderr.trim(),
      cause: new Error(stderr.trim()),
    });
  }
  return stdout.trim();
}

function spawn(options: RoleOptions, stdin: "null" | "piped"): Deno.ChildProcess {
  const [program = Deno.execPath(), ...first] = options.command ?? ownCommand();
  return new Deno.Command(program, {
    args: [...first, ...options.args],
    env: options.env,
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}
