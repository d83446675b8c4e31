/**
 * The operator's work on a running control plane, with the real program: add, remove, reset, status, metrics, backup and
 * restore (also killed in the middle), and activation through the registrar.
 */

import { assert, assertEquals, assertMatch } from "../assert.ts";
import { CLIENT, DEVICE, Plane, RELAY } from "./harness.ts";
import { component, testWith } from "./components.ts";
import { connectTestTls } from "../tls_client.ts";

const BIN = new URL("../../bin/noports", import.meta.url).pathname;
const PASSPHRASE = "a passphrase of some words";

function portOf(address: string | null): number {
  return Number(address?.slice(address.lastIndexOf(":") + 1));
}

/** Everything that the roles of `plane` have logged, and what its server printed. */
function serverLog(plane: Plane): string {
  return [...plane.server.stdout, ...plane.server.stderr].join("\n");
}

/** A service on the device. */
function startGreeter(): AsyncDisposable & { readonly port: number } {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("hello", { headers: { connection: "close" } }),
  );
  return { port: server.addr.port, [Symbol.asyncDispose]: () => server.shutdown() };
}

async function greeting(port: number): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${port}/`)).text();
}

async function readBytes(path: string): Promise<string> {
  return new TextDecoder("latin1").decode(await Deno.readFile(path));
}

async function listed(plane: Plane, dataDir = plane.dataDir): Promise<string[]> {
  const json = await plane.succeed("operator", ["server", "list", "--json", "--data-dir", dataDir]);
  return JSON.parse(json).atSigns.map((row: { atSign: string }) => row.atSign);
}

Deno.test("an operator adds, resets and removes atSigns while the server runs", async () => {
  await using plane = await Plane.start([CLIENT]);
  const data = ["--data-dir", plane.dataDir];
  const ca = await Deno.readTextFile(plane.ports.ca);
  using stranger = await connectTestTls(portOf(plane.ports.listen), ca);
  assertEquals(await stranger.until("@"), "@");
  await stranger.send(`from:${CLIENT}\n`);
  assertMatch(await stranger.until("\n@"), /^data:_/);

  const unsure = await plane.run("operator", ["server", "reset", CLIENT, ...data]);
  assertEquals(unsure.code, 2);
  assertMatch(unsure.stderr, /--yes/);
  assertEquals(await listed(plane), [CLIENT]);

  const code = await plane.succeed("operator", ["server", "reset", CLIENT, "--yes", ...data]);
  assertMatch(code, /^[0-9a-f]{128}$/);
  assertEquals(await stranger.rest(), "", "connections that have to do with it end");
  await Deno.remove(`${plane.home(CLIENT)}/.atsign`, { recursive: true });
  const again = ["activate", "onboard", "-a", CLIENT, "--cram-file", "-"];
  await plane.succeed(CLIENT, again, code);

  await plane.succeed("operator", ["server", "remove", CLIENT, "--yes", ...data]);
  assertEquals(await listed(plane), []);
  const missing = await plane.run("operator", ["server", "remove", CLIENT, "--yes", ...data]);
  assertEquals(missing.code, 3);
  using directory = await connectTestTls(portOf(plane.ports.directory), ca);
  assertEquals(await directory.until("@"), "@");
  await directory.send("alice\n");
  assertMatch(await directory.until("\r\n@"), /^null/);
  await plane.stopServer();
  await plane.succeed("operator", ["server", "add", CLIENT, ...data]);
  await plane.succeed("operator", ["server", "remove", CLIENT, "--yes", ...data]);
  assertEquals(await listed(plane), []);
  assert(!serverLog(plane).includes(code), "no activation code in the log");
});

Deno.test("a live login ends when its atSign is removed", async () => {
  await using plane = await Plane.start([RELAY]);
  const relay = await plane.relay();
  const data = ["--data-dir", plane.dataDir];
  await plane.succeed("operator", ["server", "remove", RELAY, "--yes", ...data]);
  await relay.line(/lost|not found|unknown|again|retry|ended/i, plane.signal);
});

Deno.test("status, metrics and health tell how the server is", async () => {
  await using plane = await Plane.start(
    [RELAY],
    ...["--metrics", "127.0.0.1:0", "--registrar-listen", "127.0.0.1:0"],
    ...["--limit", "strangers-per-address=3"],
  );
  const data = ["--data-dir", plane.dataDir];
  await plane.relay();
  const status = JSON.parse(
    await plane.succeed("operator", ["server", "status", "--json", ...data]),
  );
  const { listen, directory, registrar, metrics } = plane.ports;
  assertEquals(
    [status.version, status.running, status.pid, status.listen, status.directory],
    [1, true, plane.server.pid, listen, directory],
  );
  assertEquals([status.registrar, status.metrics], [registrar, metrics]);
  assertEquals([status.atSigns, status.connections.monitors], [1, 1]);
  assert(status.storeBytes > 0 && Date.parse(status.certificateExpiresAt) > Date.now());
  assertMatch(await plane.succeed("operator", ["server", "status", ...data]), /running +yes/);

  const get = async (path: string) => {
    const response = await fetch(`http://${metrics}${path}`);
    return [response.status, await response.text()] as const;
  };
  assertEquals(await get("/healthz"), [200, "ok\n"]);
  assertEquals(await get("/readyz"), [200, "ok\n"]);
  const ca = await Deno.readTextFile(plane.ports.ca);
  using stranger = await connectTestTls(portOf(listen), ca);
  await stranger.until("@");
  await stranger.send("garbage\n");
  await stranger.until("\n@");
  const [code, text] = await get("/metrics");
  assertEquals(code, 200);
  const lines = text.split("\n");
  for (
    const line of [
      'noports_connections{kind="stranger"} 1',
      "noports_monitors 1",
      "noports_atsigns 1",
      'noports_commands_total{verb="invalid",outcome="AT0003"} 1',
      'noports_commands_total{verb="cram",outcome="ok"} 1',
    ]
  ) assert(lines.includes(line), `${line} is missing in:\n${text}`);
  assertMatch(text, /^noports_store_seconds_count [1-9]/m);
  assertMatch(text, /^process_resident_memory_bytes [1-9]/m);

  const open = [await connectTestTls(portOf(listen), ca), await connectTestTls(portOf(listen), ca)];
  for (const each of open) assertEquals(await each.until("@"), "@");
  using fourth = await connectTestTls(portOf(listen), ca);
  assertMatch(await fourth.rest(), /^error:AT0012/);
  for (const each of open) each[Symbol.dispose]();

  await plane.stopServer();
  const after = await plane.run("operator", ["server", "status", "--json", ...data]);
  assertEquals([after.code, JSON.parse(after.stdout).running], [3, false]);
});

Deno.test("`noports server limits` prints every limit with its default", async () => {
  await using plane = await Plane.start([]);
  const text = await plane.succeed("operator", ["server", "limits"]);
  assertMatch(text, /^connections +10000 /m);
  const { limits } = JSON.parse(await plane.succeed("operator", ["server", "limits", "--json"]));
  assertEquals(limits.length, text.split("\n").length);
});

Deno.test("a backup made while clients write becomes a plane that works, daemon and tunnel included", async () => {
  await using plane = await Plane.start();
  await using service = startGreeter();
  const data = ["--data-dir", plane.dataDir];
  const pending = await plane.succeed("operator", ["server", "add", "@pending", ...data]);
  await plane.relay();
  await plane.daemon(`localhost:${service.port}`);
  const { tunnel, port } = await plane.tunnel(service.port);
  assertEquals(await greeting(port), "hello");

  // sessions write notifications and keys while the backups are made
  const passphraseFile = `${plane.folder}/passphrase`;
  await Deno.writeTextFile(passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 });
  const whole = `${plane.folder}/whole`;
  const open = `${plane.folder}/open`;
  await Promise.all([
    plane.tunnel(service.port).then((second) => second.tunnel.kill("SIGTERM")),
    plane.succeed("operator", [
      ...["server", "backup", whole, "--passphrase-file", passphraseFile, ...data],
    ]),
    plane.succeed("operator", ["server", "backup", open, ...data]),
  ]);
  tunnel.kill("SIGTERM");
  await tunnel.ended();

  const [wholeBytes, openBytes] = [await readBytes(whole), await readBytes(open)];
  const caKey = await Deno.readTextFile(`${plane.dataDir}/tls/ca.key.pem`);
  const caKeyLine = caKey.split("\n")[3] ?? "";
  assert(caKeyLine.length > 20);
  for (const secret of [pending, caKeyLine, "PRIVATE KEY", PASSPHRASE]) {
    for (const bytes of [wholeBytes, openBytes]) assert(!bytes.includes(secret), "a secret leaks");
    assert(!serverLog(plane).includes(secret), "a secret is in the log");
  }
  assert(openBytes.includes(CLIENT) && !wholeBytes.includes(CLIENT));

  const restoreArgs = (file: string, ...args: string[]) => ["server", "restore", file, ...args];
  const running = await plane.run("operator", restoreArgs(open, "--force", ...data));
  assertEquals(running.code, 8, "not while the server runs");
  await plane.stopServer();

  const wrong = await plane.run("operator", [
    ...restoreArgs(whole, "--passphrase-file", "-", "--data-dir", `${plane.folder}/wrong`),
  ], "not the passphrase\n");
  assertEquals(wrong.code, 4);
  const cut = `${plane.folder}/cut`;
  await Deno.writeFile(cut, (await Deno.readFile(open)).slice(0, -100));
  const truncated = await plane.run("operator", restoreArgs(cut, "--force", ...data));
  assertEquals(truncated.code, 2);
  assertMatch(truncated.stderr, /its end is missing/);
  assertEquals((await listed(plane)).length, 4, "nothing was changed");

  // the drill: the machine is gone, a new folder gets the backup, on the same addresses
  await Deno.remove(plane.dataDir, { recursive: true });
  await plane.succeed("operator", [
    ...restoreArgs(whole, "--passphrase-file", passphraseFile, ...data),
  ]);
  await plane.startServer();
  assertEquals(await listed(plane), [CLIENT, DEVICE, "@pending", RELAY].sort());
  const { port: restored } = await plane.tunnel(service.port);
  assertEquals(await greeting(restored), "hello");
  await plane.succeed(
    "@pending",
    ["activate", "onboard", "-a", "@pending", "--cram-file", "-"],
    pending,
  );
});

Deno.test("a restore that is killed leaves nothing or all", async () => {
  await using plane = await Plane.start([]);
  const kept = ["@k1", "@k2", "@k3"];
  for (const atSign of kept) {
    await plane.succeed("operator", ["server", "add", atSign, "--data-dir", plane.dataDir]);
  }
  const backup = `${plane.folder}/backup`;
  await plane.succeed("operator", ["server", "backup", backup, "--data-dir", plane.dataDir]);
  const outcomes = new Set<string>();
  for (let events = 1; events <= 31; events += 3) {
    const dataDir = `${plane.folder}/new${events}`;
    const before = events % 2 === 0 ? ["@old"] : [];
    for (const atSign of before) {
      await plane.succeed("operator", ["server", "add", atSign, "--data-dir", dataDir]);
    }
    await Deno.mkdir(dataDir, { recursive: true, mode: 0o700 });
    const args = ["server", "restore", backup, "--force", "--data-dir", dataDir];
    await killAfterChanges(plane, args, dataDir, events);
    const found = await listed(plane, dataDir);
    assert([String(before), String(kept)].includes(String(found)), `found ${found}`);
    outcomes.add(found.length === kept.length ? "all" : "nothing");
    if (found.length === kept.length) continue;
    await plane.succeed("operator", args);
    assertEquals(await listed(plane, dataDir), kept);
  }
  assertEquals(outcomes.size, 2, "killed early and late");
});

/** Runs a command and kills it when that many things have happened in `folder`. */
async function killAfterChanges(
  plane: Plane,
  args: readonly string[],
  folder: string,
  count: number,
): Promise<void> {
  using watcher = Deno.watchFs(folder);
  await using role = plane.spawn("restore", args, "operator");
  const ended = role.ended().then(() => watcher.close());
  let seen = 0;
  for await (const _ of watcher) if (++seen >= count) role.kill("SIGKILL");
  await ended;
}

testWith("script", "an atSign is activated through the registrar, the code typed in", async () => {
  await using plane = await Plane.start([], "--registrar-listen", "127.0.0.1:0");
  const data = ["--data-dir", plane.dataDir];
  const secret = await plane.succeed("operator", ["server", "add", CLIENT, ...data]);
  const args = ["activate", "onboard", "-a", CLIENT, "-g"];
  const registrar = `localhost:${portOf(plane.ports.registrar)}`;

  const noTerminal = await plane.run(CLIENT, [...args, registrar]);
  assertEquals(noTerminal.code, 2);
  assertMatch(noTerminal.stderr, /no terminal/);

  await Deno.mkdir(plane.home(CLIENT), { recursive: true });
  const command = [BIN, ...args, registrar].map((word) => `'${word}'`).join(" ");
  const child = new Deno.Command(component("script") ?? "script", {
    args: ["-qec", command, "/dev/null"],
    env: plane.env(CLIENT),
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const shown = await plane.server.line(/verification code of @alice/, plane.signal);
  const code = /: ([A-Z0-9]{4}) /.exec(shown)?.[1] ?? "";
  const typed = new TextEncoder().encode(`no code\n${code.toLowerCase()}\n`);
  const writer = child.stdin.getWriter();
  let printed = "";
  let isTyped = false;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    printed += text;
    if (isTyped || !printed.includes("[Action Required] Enter your verification code")) continue;
    isTyped = true;
    await writer.write(typed);
  }
  await writer.close().catch(() => {});
  assertEquals((await child.status).code, 0, printed);
  assertMatch(printed, /\[Unable to proceed\] The verification code you entered is invalid\./);
  assertMatch(printed, /CRAM Key fetched successfully[^]*\[Success\] Your \.atKeys file saved/);
  const log = plane.server.stderr.filter((line) => line !== shown).join("\n");
  assert(!log.includes(secret) && !printed.includes(secret), "the activation code leaks");
  assert(!log.includes(` ${code} `) && !log.includes(`=${code}`), "the code is in the log");
  const again = await plane.run("operator", ["server", "list", "--json", ...data]);
  assertEquals(JSON.parse(again.stdout).atSigns[0].activated, true);
});

Deno.test("the registrar hands its code to --otp-command, and answers as the vendor's does", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const command = `${folder}/send`;
    await Deno.writeTextFile(command, `#!/bin/sh\ncat > "${folder}/$1"\n`, { mode: 0o700 });
    await using plane = await Plane.start(
      [],
      ...["--registrar-listen", "127.0.0.1:0", "--otp-command", command],
    );
    const secret = await plane.succeed("operator", [
      ...["server", "add", CLIENT, "--data-dir", plane.dataDir],
    ]);
    using client = Deno.createHttpClient({
      caCerts: [await Deno.readTextFile(plane.ports.ca)],
    });
    const base = `https://localhost:${portOf(plane.ports.registrar)}/api/app/v3`;
    const post = async (path: string, body: unknown) => {
      const response = await fetch(`${base}/${path}`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          authorization: "477b-876u-bcez-c42z-6a3d",
        },
        body: JSON.stringify(body),
        client,
      });
      return [response.status, await response.json()];
    };
    const [status, sent] = await post("authenticate/atsign", { atsign: CLIENT });
    assertEquals([status, sent.message], [200, "Sent Successfully"]);
    const otp = (await Deno.readTextFile(`${folder}/${CLIENT}`)).trim();
    const wrong = { atsign: CLIENT, otp: "0000" };
    assertEquals(
      (await post("authenticate/atsign/activate", wrong))[1].message === "Verified",
      false,
    );
    const [, verified] = await post("authenticate/atsign/activate", { atsign: CLIENT, otp });
    assertEquals([verified.message, verified.cramkey], ["Verified", `${CLIENT}:${secret}`]);
    assert(!serverLog(plane).includes(otp) && !serverLog(plane).includes(secret));
    const [missing] = await post("register-person", {});
    assertEquals(missing, 404);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
