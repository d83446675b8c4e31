/** What a user sees when something is wrong: one line, a hint, the documented status, nothing half-done. */

import { assert, assertEquals, assertMatch } from "../assert.ts";
import { CLIENT, DEVICE, Plane, RELAY } from "./harness.ts";

interface Row {
  readonly name: string;
  readonly of?: string;
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  readonly code: number;
  readonly says: RegExp;
}

/** Every error is one line that starts so, and at most one hint; never a stack trace. */
function assertPlainError(stderr: string, says: RegExp): void {
  const lines = stderr.trimEnd().split("\n").filter((line) => !/^\d{4}-\d\d-\d\d /.test(line));
  assertMatch(lines[0] ?? "", /^noports: /);
  assertMatch(lines[0] ?? "", says);
  assert(lines.length <= 2, stderr);
  if (lines[1] !== undefined) assertMatch(lines[1], /^ {2}hint: /);
  assert(!/\n\s+at /.test(stderr), stderr);
}

Deno.test("each mistake gets one clear error and its exit status", async (t) => {
  await using plane = await Plane.start();
  await plane.relay();
  await plane.daemon("localhost:22");
  const keys = `${plane.home(CLIENT)}/.atsign/keys/${CLIENT}_key.atKeys`;
  const keyText = await Deno.readTextFile(keys);
  const bad = async (name: string, text: string, mode = 0o600) => {
    const path = `${plane.folder}/${name}`;
    await Deno.writeTextFile(path, text, { mode });
    await Deno.chmod(path, mode);
    return path;
  };
  const otherKeys = `${plane.home(DEVICE)}/.atsign/keys/${DEVICE}_key.atKeys`;
  const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const closedPort = closed.addr.port;
  closed.close();
  const tunnel = (...args: string[]) => plane.tunnelArgs(22, ...args);
  const with_ = (flag: string, value: string) => {
    const args = plane.tunnelArgs(22);
    args[args.indexOf(flag) + 1] = value;
    return args;
  };

  const rows: Row[] = [
    { name: "unknown device atSign", args: with_("-t", "@nobody"), code: 3, says: /@nobody/ },
    { name: "unknown relay atSign", args: with_("-r", "@nobody"), code: 3, says: /@nobody/ },
    {
      name: "unknown own atSign",
      args: [...with_("-f", "@nobody"), "-k", keys],
      code: 3,
      says: /@nobody/,
    },
    { name: "malformed atSign", args: with_("-t", "@a@b"), code: 2, says: /atSign/i },
    { name: "malformed device name", args: with_("-d", "a/b"), code: 2, says: /Device name/ },
    { name: "malformed port", args: with_("-p", "70000"), code: 2, says: /70000/ },
    { name: "malformed duration", args: tunnel("-T", "soon"), code: 2, says: /soon/ },
    { name: "unknown flag", args: tunnel("--tmeout", "1"), code: 2, says: /unknown flag/ },
    { name: "missing flag", args: ["tunnel", "-f", CLIENT], code: 2, says: /--to/ },
    { name: "no such command", args: ["tunel"], code: 2, says: /unknown command/ },
    {
      name: "no key file",
      args: tunnel("-k", `${plane.folder}/none`),
      code: 4,
      says: /Cannot find the key file/,
    },
    {
      name: "key file that others can read",
      args: tunnel("-k", await bad("open.atKeys", keyText, 0o644)),
      code: 4,
      says: /other users can read/,
    },
    {
      name: "truncated key file",
      args: tunnel("-k", await bad("short.atKeys", keyText.slice(0, 900))),
      code: 4,
      says: /Cannot use the key file/,
    },
    {
      name: "keys of another atSign",
      args: tunnel("-k", otherKeys),
      code: 4,
      says: /Cannot log in as @alice/,
    },
    { name: "port not permitted", args: plane.tunnelArgs(23), code: 5, says: /localhost:23/ },
    {
      name: "directory not there",
      args: tunnel("--root-domain", `localhost:${closedPort}`),
      code: 6,
      says: /atDirectory/,
    },
    {
      name: "CA not trusted",
      args: tunnel(),
      env: { NOPORTS_ROOT_CA: "" },
      code: 6,
      says: /Cannot trust/,
    },
    {
      name: "CA file missing",
      args: tunnel("--root-ca", "/nonexistent.pem"),
      code: 2,
      says: /CA file/,
    },
    {
      name: "CA file without a certificate",
      args: tunnel("--root-ca", "/dev/null"),
      code: 2,
      says: /no PEM/,
    },
    {
      name: "daemon with another's keys",
      of: DEVICE,
      args: ["daemon", "-a", DEVICE, "-m", CLIENT, "-k", keys],
      code: 4,
      says: /Cannot log in as @bob_dev/,
    },
    {
      name: "daemon without managers",
      of: DEVICE,
      args: ["daemon", "-a", DEVICE],
      code: 2,
      says: /nobody may use/,
    },
    {
      name: "daemon with a bad permit-open",
      of: DEVICE,
      args: ["daemon", "-a", DEVICE, "-m", CLIENT, "--permit-open", "localhost"],
      code: 2,
      says: /permit-open/,
    },
    {
      name: "relay without an address",
      of: RELAY,
      args: ["relay", "-a", RELAY],
      code: 2,
      says: /--ip/,
    },
    {
      name: "activating twice",
      of: CLIENT,
      args: [
        "activate",
        "onboard",
        "-a",
        CLIENT,
        "-k",
        `${plane.folder}/again`,
        "--cram-file",
        "-",
      ],
      code: 8,
      says: /activated already/,
    },
    {
      name: "activating over an existing key file",
      of: CLIENT,
      args: ["activate", "onboard", "-a", CLIENT, "--cram-file", "-"],
      code: 8,
      says: /it exists/,
    },
    {
      name: "activating an unknown atSign",
      of: "new",
      args: ["activate", "onboard", "-a", "@nobody", "--cram-file", "-"],
      code: 3,
      says: /@nobody/,
    },
    {
      name: "adding an atSign twice",
      of: "operator",
      args: ["server", "add", CLIENT, "--data-dir", `${plane.folder}/server`],
      code: 8,
      says: /@alice/,
    },
    {
      name: "a second server on the same data",
      of: "operator",
      args: [
        ...["server", "run", "--data-dir", `${plane.folder}/server`, "--hostname", "localhost"],
        ...["--listen", "127.0.0.1:0", "--directory-listen", "127.0.0.1:0"],
      ],
      code: 8,
      says: /another one runs/,
    },
  ];
  for (const row of rows) {
    await t.step(row.name, async () => {
      const before = performance.now();
      const result = await plane.run(row.of ?? CLIENT, row.args, "some-code\n", row.env);
      assertEquals(result.code, row.code, result.stderr);
      assertEquals(result.stdout, "");
      assertPlainError(result.stderr, row.says);
      assert(performance.now() - before < 15_000);
    });
  }

  await t.step("a wrong activation code leaves no key file behind", async () => {
    await plane.succeed("operator", [
      "server",
      "add",
      "@carol",
      "--data-dir",
      `${plane.folder}/server`,
    ]);
    const result = await plane.run(
      "carol",
      ["activate", "onboard", "-a", "@carol", "--cram-file", "-"],
      "wrong\n",
    );
    assertEquals(result.code, 4, result.stderr);
    assertPlainError(result.stderr, /@carol/);
    assertEquals([...Deno.readDirSync(`${plane.home("carol")}/.atsign/keys`)], []);
  });

  await t.step("a client that is no manager meets silence and a clear time-out", async () => {
    await plane.activate("@mallory");
    const args = with_("-f", "@mallory");
    const result = await plane.run("@mallory", [...args, "--daemon-ping-timeout", "2"]);
    assertEquals(result.code, 7, result.stderr);
    assertPlainError(result.stderr, /no answer within 2 s/);
  });

  await t.step("a device name that nobody answers to is a time-out too", async () => {
    const args = with_("-d", "other");
    const result = await plane.run(CLIENT, [...args, "--daemon-ping-timeout", "2"]);
    assertEquals(result.code, 7, result.stderr);
    assertMatch(result.stderr, /check that the daemon is running/);
  });

  await t.step("a relay that is registered but does not run is said within 20 s", async () => {
    await plane.activate("@rv_eu");
    const before = performance.now();
    const result = await plane.run(CLIENT, with_("-r", "@rv_eu"));
    assertEquals(result.code, 6, result.stderr);
    assertPlainError(result.stderr, /no answer from the relay @rv_eu within 20 s/);
    assert(performance.now() - before < 25_000);
  });

  await t.step("a relay that is registered but was never activated is said at once", async () => {
    const result = await plane.run(CLIENT, with_("-r", "@carol"));
    assertEquals(result.code, 3, result.stderr);
    assertPlainError(result.stderr, /@carol: it is registered but not activated/);
  });
});
