/** Starts the real program's roles for the end-to-end tests: real processes, loopback, port 0, a temporary folder each. */

import { type CommandResult, RoleProcess, runCommand, runToEnd } from "../../src/demo/mod.ts";
import { assert } from "../assert.ts";

const BIN = new URL("../../bin/noports", import.meta.url).pathname;
/** No step of these tests may take longer. */
const TEST_TIMEOUT_MS = 240_000;

export const CLIENT = "@alice";
export const DEVICE = "@bob_dev";
export const RELAY = "@rv_am";
export const DEVICE_NAME = "web01";

/** The ready line of the control plane, as far as tests use it. */
export interface PlanePorts {
  readonly listen: string;
  readonly directory: string;
  readonly ca: string;
  readonly registrar: string | null;
  readonly metrics: string | null;
}

/** A control plane with activated atSigns, in a folder of its own. */
export class Plane implements AsyncDisposable {
  readonly folder: string;
  readonly #owned = new AsyncDisposableStack();
  readonly #stop = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;
  #server: RoleProcess | null = null;
  #ports: PlanePorts | null = null;
  #serverArgs: readonly string[] = [];

  private constructor(folder: string) {
    this.folder = folder;
    this.#owned.defer(() => Deno.remove(folder, { recursive: true }));
    this.#timer = setTimeout(
      () => this.#stop.abort(new Error("the test took too long")),
      TEST_TIMEOUT_MS,
    );
  }

  /**
   * Starts a control plane, with `serverArgs` besides the usual ones, and activates `atSigns`, each with its keys in the
   * home folder `home(atSign)`.
   */
  static async start(
    atSigns: readonly string[] = [CLIENT, DEVICE, RELAY],
    ...serverArgs: string[]
  ): Promise<Plane> {
    const plane = new Plane(await Deno.makeTempDir({ prefix: "noports-e2e-" }));
    plane.#serverArgs = serverArgs;
    try {
      await plane.startServer();
      await Promise.all(atSigns.map((atSign) => plane.activate(atSign)));
      return plane;
    } catch (error) {
      await plane[Symbol.asyncDispose]();
      throw error;
    }
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  get server(): RoleProcess {
    assert(this.#server !== null);
    return this.#server;
  }

  /** The addresses that the server is bound to, as it printed them. */
  get ports(): PlanePorts {
    assert(this.#ports !== null);
    return this.#ports;
  }

  /** The server's data folder. */
  get dataDir(): string {
    return `${this.folder}/server`;
  }

  home(of: string): string {
    return `${this.folder}/home-${of}`;
  }

  /** Starts (or, after `stopServer`, starts again on the same ports) the control plane, from now on with `serverArgs` if given. */
  async startServer(...serverArgs: string[]): Promise<void> {
    if (serverArgs.length > 0) this.#serverArgs = serverArgs;
    this.#server = this.#owned.use(this.spawn("server", [
      ...["server", "run", "--data-dir", this.dataDir, "--hostname", "localhost"],
      ...this.#serverArgs,
      ...["--listen", this.#ports?.listen ?? "127.0.0.1:0"],
      ...["--directory-listen", this.#ports?.directory ?? "127.0.0.1:0"],
    ], "operator"));
    this.#ports = JSON.parse(await this.#server.line(/"ready":true/, this.signal));
  }

  /** Ends the control plane and waits for it. */
  async stopServer(): Promise<void> {
    this.server.kill("SIGTERM");
    await this.server.ended();
  }

  /** The environment of `of`: its home folder and this control plane. */
  env(of: string): Record<string, string> {
    const port = this.#ports?.directory.split(":").at(-1);
    return {
      HOME: this.home(of),
      NOPORTS_ROOT_DOMAIN: `localhost:${port}`,
      NOPORTS_ROOT_CA: this.#ports?.ca ?? "",
    };
  }

  async activate(atSign: string): Promise<void> {
    const code = await this.succeed("operator", [
      ...["server", "add", atSign, "--data-dir", `${this.folder}/server`],
    ]);
    await this.succeed(atSign, ["activate", "onboard", "-a", atSign, "--cram-file", "-"], code);
  }

  /** Runs `noports args` as `of` to its end. */
  async run(
    of: string,
    args: readonly string[],
    input = "",
    env: Readonly<Record<string, string>> = {},
  ): Promise<CommandResult> {
    await Deno.mkdir(this.home(of), { recursive: true });
    const name = args.join(" ");
    return await runCommand(
      { name, command: [BIN], args, env: { ...this.env(of), ...env } },
      input,
    );
  }

  /** As `run`, but it must succeed; gives its standard output. */
  async succeed(of: string, args: readonly string[], input = ""): Promise<string> {
    await Deno.mkdir(this.home(of), { recursive: true });
    return await runToEnd({ name: args.join(" "), command: [BIN], args, env: this.env(of) }, input);
  }

  /** Starts `noports args` as `of`; whoever calls disposes it. */
  spawn(name: string, args: readonly string[], of: string): RoleProcess {
    Deno.mkdirSync(this.home(of), { recursive: true });
    return new RoleProcess({ name, command: [BIN], args, env: this.env(of) });
  }

  /** A relay that is subscribed to requests. */
  async relay(...args: string[]): Promise<RoleProcess> {
    const relay = this.#owned.use(
      this.spawn("relay", ["relay", "-a", RELAY, "--ip", "127.0.0.1", ...args], RELAY),
    );
    await relay.line(/monitor started/, this.signal);
    return relay;
  }

  /** A daemon that is subscribed to requests; `@alice` is its manager. */
  async daemon(permitOpen: string, ...args: string[]): Promise<RoleProcess> {
    const daemon = this.#owned.use(this.spawn("daemon", [
      ...["daemon", "-a", DEVICE, "-m", CLIENT, "-d", DEVICE_NAME, "--permit-open", permitOpen],
      ...args,
    ], DEVICE));
    await daemon.line(/monitor started/, this.signal);
    return daemon;
  }

  /** The arguments of a tunnel to `port` on the device. */
  tunnelArgs(port: number, ...args: string[]): string[] {
    return [
      ...["tunnel", "-f", CLIENT, "-t", DEVICE, "-r", RELAY, "-d", DEVICE_NAME],
      ...["-p", String(port), ...args],
    ];
  }

  /** A tunnel to `port` on the device that is ready, with its local port. */
  async tunnel(port: number, ...args: string[]): Promise<{ tunnel: RoleProcess; port: number }> {
    const tunnel = this.#owned.use(this.spawn("tunnel", this.tunnelArgs(port, ...args), CLIENT));
    return { tunnel, port: Number(await tunnel.line(/^\d+$/, this.signal)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    await this.#owned.disposeAsync();
  }
}
