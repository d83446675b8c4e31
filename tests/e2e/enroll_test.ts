/** Keys of a device's own, with the real program: passcode, request, approval, use, revocation; and what goes wrong. */

import { closeQuietly, writeAll } from "../../src/base/mod.ts";
import { assert, assertEquals, assertMatch } from "../assert.ts";
import { CLIENT, DEVICE, Plane } from "./harness.ts";
import { hashAll, seededHash, startSeededService } from "./seeded_service.ts";

const NAMESPACES = "sshnp:rw,sshrvd:rw";
/** Who has no keys yet; a home folder of its own. */
const NEW_DEVICE = "new-device";

/** The arguments of an enrollment of `device` that writes `keyFile`. */
function enrollArgs(passcode: string, device: string, keyFile: string): string[] {
  return [
    ...["activate", "enroll", "-a", DEVICE, "-s", passcode, "-p", "noports", "-d", device],
    ...["-n", NAMESPACES, "-k", keyFile],
  ];
}

function manage(command: string, ...args: string[]): string[] {
  return ["activate", command, "-a", DEVICE, ...args];
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

Deno.test("a device enrolls, serves with its own limited keys, and loses them", async (t) => {
  await using plane = await Plane.start();
  await using service = startSeededService();
  await using _relay = await plane.relay();
  const keyFile = `${plane.home(NEW_DEVICE)}/keys/web01.atKeys`;
  let id = "";

  await t.step("a request waits, is listed, survives a restart and is approved", async () => {
    const passcode = await plane.succeed(DEVICE, manage("otp", "-e", "10m"));
    assertMatch(passcode, /^[A-Z0-9]{6}$/);
    await using device = plane.spawn("enroll", enrollArgs(passcode, "web01", keyFile), NEW_DEVICE);
    await device.line(/^Checking \.\.\. {2}not approved\. Will retry in 10 seconds$/, plane.signal);
    id = device.stdout[0]?.replace("Enrollment ID: ", "") ?? "";
    assertMatch(id, /^[0-9a-f-]{36}$/);

    const listed = await plane.succeed(DEVICE, manage("list", "-s", "pending"));
    assertEquals(listed.split("\n"), [
      "Found 1 matching enrollment records",
      "Enrollment ID".padEnd(38) + "Status".padEnd(10) + "AppName".padEnd(20) +
      "DeviceName".padEnd(38) + "Namespaces",
      id.padEnd(38) + "pending".padEnd(10) + "noports".padEnd(20) + "web01".padEnd(38) +
      "{sshnp: rw, sshrvd: rw}",
    ]);
    const reused = await plane.run(
      NEW_DEVICE,
      enrollArgs(passcode, "web02", `${plane.folder}/reused.atKeys`),
    );
    assertEquals(reused.code, 4, reused.stderr);
    assertMatch(reused.stderr, /the passcode is wrong, used already or expired/);

    const other = await plane.succeed(DEVICE, manage("otp"));
    const twice = await plane.run(DEVICE, enrollArgs(other, "web01", `${keyFile}2`));
    assertEquals(twice.code, 8, twice.stderr);

    await plane.stopServer();
    await device.line(/^Checking \.\.\. {2}Cannot .*Will retry in 10 seconds$/, plane.signal);
    await plane.startServer();
    assertEquals(
      await plane.succeed(DEVICE, manage("approve", "-A", "^noports$", "-D", "web")),
      [
        "Found 1 matching enrollment records",
        `Approving enrollmentId ${id} with appName "noports" and deviceName "web01"`,
        `Server response: AtEnrollmentResponse{enrollmentId: ${id}, enrollStatus: EnrollmentStatus.approved}`,
      ].join("\n"),
    );
    assertEquals(await device.ended(), 0);
    assertEquals(device.stdout[1], `[Success] Your .atKeys file saved at ${keyFile}`);
    assertEquals(((await Deno.stat(keyFile)).mode ?? 0) & 0o777, 0o600);
  });

  await t.step("list and fetch give JSON too", async () => {
    const list = JSON.parse(await plane.succeed(DEVICE, manage("list", "-D", "web01", "--json")));
    const enrollment = {
      enrollmentId: id,
      status: "approved",
      appName: "noports",
      deviceName: "web01",
      namespaces: { sshnp: "rw", sshrvd: "rw" },
    };
    assertEquals(list, { version: 1, atSign: DEVICE, enrollments: [enrollment] });
    const one = JSON.parse(await plane.succeed(DEVICE, manage("fetch", "-i", id, "--json")));
    assertEquals(one, { version: 1, atSign: DEVICE, enrollment });
  });

  await t.step("a key file that exists is refused before anything is asked", async () => {
    const before = await Deno.readTextFile(keyFile);
    const again = await plane.run(NEW_DEVICE, enrollArgs("AAAAAA", "web03", keyFile));
    assertEquals(again.code, 8, again.stderr);
    assertEquals(await Deno.readTextFile(keyFile), before);
  });

  await t.step("a daemon serves with these keys; revoked, it ends and says why", async () => {
    const daemon = await plane.daemon(`localhost:${service.port}`, "-k", keyFile);
    const { port } = await plane.tunnel(service.port);
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await writeAll(conn, new TextEncoder().encode("7 100000\n"));
    await conn.closeWrite();
    assertEquals(await hashAll(conn), { hash: seededHash(7, 100000), bytes: 100000 });
    closeQuietly(conn);

    const limited = await plane.run(DEVICE, manage("list", "-k", keyFile));
    assert(!limited.stdout.includes("firstApp"), "a limited key sees no other enrollment");

    assertEquals(
      await plane.succeed(DEVICE, manage("revoke", "-i", id)),
      `Revoking enrollmentId ${id}\n` +
        `Server response: data:{"status":"revoked","enrollmentId":"${id}"}`,
    );
    assertEquals(await daemon.ended(), 4);
    assertMatch(daemon.stderr.join("\n"), /AT0027 .*is revoked/);
  });

  await t.step("unrevoked keys work again; only what is revoked can be deleted", async () => {
    await plane.succeed(DEVICE, manage("unrevoke", "-D", "web01"));
    await plane.succeed(DEVICE, manage("list", "-k", keyFile));
    assertEquals((await plane.run(DEVICE, manage("delete", "-i", id))).code, 8);
    await plane.succeed(DEVICE, manage("revoke", "-i", id));
    assertEquals(
      await plane.succeed(DEVICE, manage("delete", "-i", id)),
      `Sending delete request\nServer response: {"enrollmentId":"${id}","status":"deleted"}`,
    );
    const gone = await plane.run(DEVICE, manage("fetch", "-i", id));
    assertEquals(gone.code, 3);
    assertMatch(gone.stderr, new RegExp(`Enrollment ID ${id} not found`));
  });
});

Deno.test("an enrollment that gets nowhere says why and leaves no file", async (t) => {
  await using plane = await Plane.start([DEVICE]);
  const keyFile = `${plane.home(NEW_DEVICE)}/keys/new.atKeys`;

  await t.step("a wrong passcode", async () => {
    const wrong = await plane.run(NEW_DEVICE, enrollArgs("WRONG1", "web01", keyFile));
    assertEquals(wrong.code, 4, wrong.stderr);
    assertMatch(wrong.stderr, /the passcode is wrong/);
    assert(!await exists(keyFile));
  });

  await t.step(
    "a denied request; the passcode that many may use, from standard input",
    async () => {
      assertEquals(
        await plane.succeed(DEVICE, manage("spp", "--passcode-file", "-"), "secret99\n"),
        "Server response: data:ok",
      );
      await using device = plane.spawn("enroll", enrollArgs("SECRET99", "w", keyFile), NEW_DEVICE);
      await device.line(/^Checking \.\.\. {2}not approved/, plane.signal);
      const denied = await plane.succeed(DEVICE, manage("deny", "--drx", "^w$"));
      assertMatch(denied, /Denying enrollmentId .*\nServer response: data:\{"status":"denied"/);
      assertEquals(await device.ended(), 5);
      assertMatch(device.stderr.join("\n"), /The enrollment: [0-9a-f-]+ is denied/);
      assertEquals([...Deno.readDirSync(`${plane.home(NEW_DEVICE)}/keys`)], []);
    },
  );

  await t.step("usage: no selection, a bad expression, a short passcode", async () => {
    for (
      const [args, why] of [
        [manage("approve"), /At least one of --enrollmentId, --arx or --drx must be provided/],
        [manage("approve", "--arx", "("), /no regular expression/],
        [manage("spp", "-s", "abc"), /6 to 16 letters and digits/],
        [manage("list", "-s", "lost"), /no status/],
      ] as const
    ) {
      const { code, stderr } = await plane.run(DEVICE, args);
      assertEquals(code, 2, stderr);
      assertMatch(stderr, why);
    }
    assertEquals((await plane.run(DEVICE, manage("deny", "-A", "nothing"))).code, 3);
  });

  await t.step("status tells activated, registered and unknown apart", async () => {
    await plane.succeed("operator", ["server", "add", CLIENT, "--data-dir", plane.dataDir]);
    for (
      const [atSign, code, line] of [
        [DEVICE, 0, `returning 0: found public:publickey${DEVICE} OK`],
        [CLIENT, 3, `returning 1: public:publickey${CLIENT} does not exist: not activated`],
        ["@nobody", 3, "returning 3: atDirectory has no record for @nobody"],
      ] as const
    ) {
      const status = await plane.run(NEW_DEVICE, ["activate", "status", "-a", atSign]);
      assertEquals([status.code, status.stderr.trim()], [code, line]);
    }
  });
});
