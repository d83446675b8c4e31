import { assert, assertEquals, assertMatch, assertRejects } from "../../tests/assert.ts";
import {
  connectTestTls,
  makeTestCertificates,
  RecordProxy,
  type TestTlsClient,
} from "../../tests/tls_client.ts";
import { createLog, NoportsError, silentLog, systemClock, systemEntropy } from "../base/mod.ts";
import { parseAtSign } from "../atprotocol/wire/mod.ts";
import { cramDigest } from "../crypto/mod.ts";
import { addAtSign, listAtSigns, readCaCertificate } from "./admin.ts";
import type { ServerOptions } from "./options.ts";
import { type ReadyLine, runServer, type ServerContext } from "./run.ts";

const ALICE = parseAtSign("@alice");
const BOB = parseAtSign("@bob");
const ANY = { hostname: "127.0.0.1", port: 0 };

/** A server in a folder of its own. */
class TestServer implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly logged: string[] = [];
  readonly #ready = Promise.withResolvers<ReadyLine>();

  constructor(options: ServerOptions, context: Partial<ServerContext> = {}) {
    this.#running = runServer(options, {
      log: createLog({
        level: "info",
        format: "text",
        write: (line) => this.logged.push(line),
        now: () => new Date(0),
      }),
      signal: this.#stop.signal,
      stdout: (line) => this.#ready.resolve(JSON.parse(line)),
      stderr: () => {},
      clock: systemClock,
      entropy: systemEntropy,
      version: "0.0.0-test",
      ...context,
    });
    this.#running.catch((error) => this.#ready.reject(error));
  }

  /** The ready line, or what the start failed with. */
  get ready(): Promise<ReadyLine> {
    return this.#ready.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running.catch(() => {});
  }
}

const admin = { log: silentLog, clock: systemClock, entropy: systemEntropy, version: "test" };

function options(dataDir: string, change: Partial<ServerOptions> = {}): ServerOptions {
  return {
    dataDir,
    listen: ANY,
    directoryListen: ANY,
    hostname: "localhost",
    certificate: null,
    peerDirectory: null,
    rootCaFile: null,
    sniPattern: null,
    limits: {},
    metrics: null,
    registrar: null,
    ...change,
  };
}

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

/** Asks `command` and gives the whole reply, its prompt included. */
async function ask(client: TestTlsClient, command: string): Promise<string> {
  await client.send(`${command}\n`);
  const reply = await client.chunk();
  if (reply === null) throw new Error(`closed after ${command}`);
  return reply;
}

async function connect(address: string, caPem: string, hostname?: string): Promise<TestTlsClient> {
  const client = await connectTestTls(
    portOf(address),
    caPem,
    hostname === undefined ? {} : { hostname },
  );
  assertEquals(await client.chunk(), "@");
  return client;
}

async function logIn(client: TestTlsClient, code: string): Promise<void> {
  const challenge = (await ask(client, "from:@alice")).slice("data:".length, -"\n@".length);
  assertEquals(await ask(client, `cram:${cramDigest(code, challenge)}`), "data:success\n@alice@");
}

Deno.test("a server that starts says where it listens, and serves an atSign added meanwhile", () =>
  withFolder(async (dataDir) => {
    await using server = new TestServer(options(dataDir));
    const ready = await server.ready;
    assertMatch(ready.listen, /^127\.0\.0\.1:\d+$/);
    assertMatch(ready.directory, /^127\.0\.0\.1:\d+$/);
    assertEquals([ready.ready, ready.hostname], [true, "localhost"]);
    assertEquals(ready.ca, `${dataDir}/tls/ca.pem`);
    const caPem = await readCaCertificate({ dataDir });
    using directory = await connect(ready.directory, caPem);
    assertEquals(await ask(directory, "alice"), "null\r\n@");
    const code = await addAtSign({ dataDir, atSign: ALICE }, admin);
    assertMatch(code, /^[0-9a-f]{128}$/);
    assertEquals(await ask(directory, "alice"), `localhost:${portOf(ready.listen)}\r\n@`);
    using client = await connect(ready.listen, caPem);
    await logIn(client, code);
    assertMatch(await ask(client, "update:phone.wavi@alice 555"), /^data:\d+\n@alice@$/);
    assertEquals(await ask(client, "llookup:phone.wavi@alice"), "data:555\n@alice@");
    const [listed] = await listAtSigns({ dataDir }, admin);
    assertEquals([listed?.atSign, listed?.activated], [ALICE, false]);
    assert(server.logged.some((line) => line.includes("--root-ca")), "tells how to trust it");
  }));

Deno.test("a restarted server has its data and its certificates", () =>
  withFolder(async (dataDir) => {
    const code = await addAtSign({ dataDir, atSign: ALICE }, admin); // before it ever ran
    let caPem = "";
    {
      await using server = new TestServer(options(dataDir));
      const { listen } = await server.ready;
      caPem = await readCaCertificate({ dataDir });
      using client = await connect(listen, caPem);
      await logIn(client, code);
      await ask(client, "update:public:phone.wavi@alice 555");
    }
    await using server = new TestServer(options(dataDir));
    const { listen } = await server.ready;
    using client = await connect(listen, caPem);
    assertEquals(await ask(client, "lookup:phone.wavi@alice"), "data:555\n@");
    assertEquals(await readCaCertificate({ dataDir }), caPem);
  }));

Deno.test("add and list work on a folder whose server does not run, and keep to the rules", () =>
  withFolder(async (folder) => {
    const dataDir = `${folder}/new`;
    assertEquals(await listAtSigns({ dataDir }, admin), []);
    await assertRejects(() => Deno.stat(dataDir), Deno.errors.NotFound); // listing makes nothing
    await assertRejects(() => readCaCertificate({ dataDir }), NoportsError, { code: "not_found" });
    await addAtSign({ dataDir, atSign: ALICE }, admin);
    await assertRejects(() => addAtSign({ dataDir, atSign: ALICE }, admin), NoportsError, {
      code: "conflict",
    });
    const both = [addAtSign({ dataDir, atSign: BOB }, admin), listAtSigns({ dataDir }, admin)];
    await Promise.all(both);
    const listed = await listAtSigns({ dataDir }, admin);
    assertEquals(listed.map((row) => row.atSign), [ALICE, BOB]);
  }));

Deno.test("add of an atSign that a running server has is a conflict there too", () =>
  withFolder(async (dataDir) => {
    await using server = new TestServer(options(dataDir));
    await server.ready;
    await addAtSign({ dataDir, atSign: ALICE }, admin);
    await assertRejects(() => addAtSign({ dataDir, atSign: ALICE }, admin), NoportsError, {
      code: "conflict",
    });
  }));

Deno.test("two servers do not share a data folder, even when they start at once", () =>
  withFolder(async (dataDir) => {
    await using first = new TestServer(options(dataDir));
    await using second = new TestServer(options(dataDir));
    const results = await Promise.allSettled([first.ready, second.ready]);
    const failed = results.filter((result) => result.status === "rejected");
    assertEquals(failed.map(({ reason }) => (reason as NoportsError).code), ["already_running"]);
  }));

Deno.test("a port in use ends the start with its number, and leaves the folder free", () =>
  withFolder(async (folder) => {
    await using first = new TestServer(options(`${folder}/1`));
    const port = portOf((await first.ready).listen);
    const dataDir = `${folder}/2`;
    for (const flag of ["listen", "directoryListen"]) {
      await using second = new TestServer(
        options(dataDir, { [flag]: { hostname: "127.0.0.1", port } }),
      );
      const error = await assertRejects(() => second.ready, NoportsError, { code: "port_in_use" });
      assert(error.message.includes(String(port)));
    }
    await using third = new TestServer(options(dataDir));
    await third.ready;
  }));

Deno.test("a data folder that cannot be used is named, with what to do", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/file`, "");
    await Deno.mkdir(`${folder}/open`);
    await Deno.writeTextFile(`${folder}/open/something`, "");
    await Deno.chmod(`${folder}/open`, 0o755);
    for (const name of ["file", "file/below", "open"]) {
      await using server = new TestServer(options(`${folder}/${name}`));
      const error = await assertRejects(() => server.ready, NoportsError, {
        code: "config_invalid",
      });
      assert(error.message.includes(folder) && error.hint !== undefined);
    }
  }));

Deno.test("a corrupt database is a clear error, and stays as it is", () =>
  withFolder(async (dataDir) => {
    await Deno.writeTextFile(`${dataDir}/atserver.db`, "not a database at all ".repeat(100));
    await Deno.chmod(dataDir, 0o700);
    await using server = new TestServer(options(dataDir));
    const error = await assertRejects(() => server.ready, NoportsError, { code: "storage_failed" });
    assertMatch(error.message, /not a database/);
    assertMatch(error.hint ?? "", /backup/);
    assertMatch(await Deno.readTextFile(`${dataDir}/atserver.db`), /^not a database at all/);
  }));

Deno.test("a folder too deep for a Unix socket has its control socket elsewhere", () =>
  withFolder(async (folder) => {
    const dataDir = `${folder}/${"very-deep-folder/".repeat(8)}data`;
    await using server = new TestServer(options(dataDir));
    await server.ready;
    await addAtSign({ dataDir, atSign: ALICE }, admin);
    assertEquals((await listAtSigns({ dataDir }, admin)).length, 1);
    await assertRejects(() => Deno.stat(`${dataDir}/control.sock`), Deno.errors.NotFound);
  }));

Deno.test("the operator's certificate is used, and there is no authority then", () =>
  withFolder(async (folder) => {
    const { ca, leaf } = await makeTestCertificates();
    const certificate = { certFile: `${folder}/c.pem`, keyFile: `${folder}/k.pem` };
    await Deno.writeTextFile(certificate.certFile, leaf.certPem);
    await Deno.writeTextFile(certificate.keyFile, leaf.keyPem, { mode: 0o600 });
    const dataDir = `${folder}/data`;
    await using server = new TestServer(options(dataDir, { certificate }));
    const ready = await server.ready;
    assertEquals(ready.ca, null);
    using _client = await connect(ready.listen, ca.certPem);
    using _directory = await connect(ready.directory, ca.certPem);
    await assertRejects(() => readCaCertificate({ dataDir }), NoportsError, { code: "not_found" });
  }));

Deno.test("with a host name pattern, the directory and the certificate follow it", () =>
  withFolder(async (dataDir) => {
    await using server = new TestServer(
      options(dataDir, { sniPattern: { suffix: ".at.example.org" } }),
    );
    const { listen, directory } = await server.ready;
    const caPem = await readCaCertificate({ dataDir });
    const code = await addAtSign({ dataDir, atSign: ALICE }, admin);
    using lookup = await connect(directory, caPem);
    assertEquals(await ask(lookup, "alice"), `alice.at.example.org:${portOf(listen)}\r\n@`);
    using owner = await connect(listen, caPem);
    await logIn(owner, code);
    await ask(owner, "update:public:phone.wavi@alice 555");
    using named = await connect(listen, caPem, "alice.at.example.org");
    assertEquals(await ask(named, "scan"), 'data:["phone.wavi@alice"]\n@');
    using unnamed = await connect(listen, caPem);
    assertEquals(await ask(unnamed, "scan"), "data:[]\n@");
  }));

Deno.test("a host name that does not resolve is warned about, and nothing else", () =>
  withFolder(async (dataDir) => {
    const warned = Promise.withResolvers<string>();
    const log = createLog({
      level: "warn",
      format: "text",
      write: (line) => warned.resolve(line),
      now: () => new Date(0),
    });
    await using server = new TestServer(options(dataDir, { hostname: "no.such.invalid" }), { log });
    await server.ready;
    assertMatch(await warned.promise, /does not resolve.*no\.such\.invalid/);
  }));

Deno.test("stopping ends open connections within two seconds", () =>
  withFolder(async (dataDir) => {
    const server = new TestServer(options(dataDir));
    const { listen, directory } = await server.ready;
    const caPem = await readCaCertificate({ dataDir });
    using idle = await connect(listen, caPem);
    using asking = await connect(directory, caPem);
    const half = await Deno.connect({ hostname: "127.0.0.1", port: portOf(listen) });
    const started = performance.now();
    await server[Symbol.asyncDispose]();
    assert(performance.now() - started < 2_000);
    assertEquals(await idle.rest(), "");
    assertEquals(await asking.rest(), "");
    half.close();
    await assertRejects(
      () => Deno.connect({ hostname: "127.0.0.1", port: portOf(listen) }),
      Deno.errors.ConnectionRefused,
    );
  }));

Deno.test("of two processes that race one serves; killed, it leaves its data to the next", () =>
  withFolder(async (dataDir) => {
    const racers = [new ServerProcess(dataDir), new ServerProcess(dataDir)];
    const ready = await Promise.all(racers.map((racer) => racer.ready));
    assertEquals(ready.filter((line) => line !== null).length, 1);
    const [winner, loser] = ready[0] === null ? racers.reverse() : racers;
    assertEquals((await loser?.ended())?.code, 8);
    const code = await addAtSign({ dataDir, atSign: ALICE }, admin);
    const caPem = await readCaCertificate({ dataDir });
    winner?.kill("SIGKILL");
    await winner?.ended();
    assertEquals((await listAtSigns({ dataDir }, admin)).length, 1); // no server, stale socket
    const next = new ServerProcess(dataDir);
    const { listen } = await next.ready ?? { listen: "" };
    using client = await connect(listen, caPem);
    await logIn(client, code);
    next.kill("SIGTERM");
    assertEquals((await next.ended()).code, 0);
    assertEquals(await client.rest(), "");
  }));

Deno.test("each answer of the atServer is one TLS record, whatever came in one piece", () =>
  withFolder(async (dataDir) => {
    await using server = new TestServer(options(dataDir));
    const { listen } = await server.ready;
    await using proxy = new RecordProxy(portOf(listen));
    using client = await connectTestTls(proxy.port, await readCaCertificate({ dataDir }));
    assertEquals(await client.until("@"), "@");
    const records = proxy.records.length;
    await client.send("noop:0\n\r\nnoop:0\n");
    const answers = ["data:ok\n@", "error:AT0003-Exception: invalid command\n@", "data:ok\n@"];
    let text = "";
    while (text.length < answers.join("").length) text += await client.chunk();
    assertEquals(text, answers.join(""));
    // TLS 1.3 adds a type byte and a 16-byte tag to each record
    assertEquals(proxy.records.slice(records), answers.map((answer) => answer.length + 17));
  }));

Deno.test("SIGHUP reads the operator's certificate again; a broken one changes nothing", () =>
  withFolder(async (folder) => {
    const [first, second] = [await makeTestCertificates(), await makeTestCertificates()];
    const certificate = { certFile: `${folder}/c.pem`, keyFile: `${folder}/k.pem` };
    const install = async (pair: { certPem: string; keyPem: string }) => {
      await Deno.writeTextFile(certificate.certFile, pair.certPem);
      await Deno.writeTextFile(certificate.keyFile, pair.keyPem, { mode: 0o600 });
    };
    await install(first.leaf);
    const dataDir = `${folder}/data`;
    let said = Promise.withResolvers<string>();
    const log = createLog({
      level: "info",
      format: "text",
      write: (line) => line.includes("loaded") && said.resolve(line),
      now: () => new Date(0),
    });
    await using server = new TestServer(options(dataDir, { certificate }), { log });
    const { listen, directory } = await server.ready;
    const code = await addAtSign({ dataDir, atSign: ALICE }, admin);
    using live = await connect(listen, first.ca.certPem);
    await logIn(live, code);
    using asking = await connect(directory, first.ca.certPem);
    await install(second.leaf);
    Deno.kill(Deno.pid, "SIGHUP");
    assertMatch(await said.promise, /certificate loaded/);
    assertEquals(await ask(live, "noop:0"), "data:ok\n@alice@", "a live connection goes on");
    assertMatch(await ask(asking, "alice"), /^localhost:/);
    for (const address of [listen, directory]) {
      using _client = await connect(address, second.ca.certPem);
    }
    said = Promise.withResolvers();
    await install({ certPem: "garbage", keyPem: second.leaf.keyPem });
    Deno.kill(Deno.pid, "SIGHUP");
    assertMatch(await said.promise, /not loaded; the old one stays/);
    using _client = await connect(listen, second.ca.certPem);
  }));

/** A server in a process of its own, as in life. */
class ServerProcess {
  readonly #child: Deno.ChildProcess;
  /** The first line of stdout, or null when it ends without one. */
  readonly ready: Promise<ReadyLine | null>;

  constructor(dataDir: string) {
    const module = (name: string) => new URL(name, import.meta.url).href;
    const program = `
      import { runServer } from ${JSON.stringify(module("./run.ts"))};
      import { openStopSignal } from ${JSON.stringify(module("../control/mod.ts"))};
      import * as base from ${JSON.stringify(module("../base/mod.ts"))};
      using stop = openStopSignal();
      try {
        await runServer(${JSON.stringify(options(dataDir))}, {
          log: base.silentLog, signal: stop.signal, stdout: (line) => console.log(line),
          stderr: () => {},
          clock: base.systemClock, entropy: base.systemEntropy, version: "test",
        });
      } catch (error) {
        Deno.exit(error.exitStatus ?? 99);
      }`;
    const config = new URL("../../deno.json", import.meta.url).pathname;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", "--config", config, program],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.ready = this.#readReady();
  }

  async #readReady(): Promise<ReadyLine | null> {
    const reader = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("\n")) {
      const part = await reader.read();
      if (part.done) return null;
      text += part.value;
    }
    await reader.cancel();
    return JSON.parse(text);
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async ended(): Promise<Deno.CommandStatus> {
    return await this.#child.status;
  }
}
