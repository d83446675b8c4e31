import { X509Certificate } from "node:crypto";
import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { ManualClock, NoportsError, silentLog, systemEntropy } from "../../base/mod.ts";
import { connectTestTls } from "../../../tests/tls_client.ts";
import { type LocalCa, openLocalCa } from "./local_ca.ts";
import { openTlsListener } from "./tls_listener.ts";

const DAY_MS = 86_400_000;
const NAMES = ["server.example", "localhost", "127.0.0.1", "::1"];

async function withFolder(
  test: (open: (names?: readonly string[]) => Promise<LocalCa>, t: Setup) => Promise<void>,
): Promise<void> {
  const folder = `${await Deno.makeTempDir()}/tls`;
  const clock = new ManualClock(Date.now());
  const open = (names: readonly string[] = NAMES) =>
    openLocalCa({ folder, names, clock, entropy: systemEntropy });
  try {
    await test(open, { folder, clock });
  } finally {
    await Deno.remove(folder.slice(0, -4), { recursive: true });
  }
}

interface Setup {
  readonly folder: string;
  readonly clock: ManualClock;
}

Deno.test("openLocalCa() makes an authority and a leaf that is no authority", () =>
  withFolder(async (open) => {
    const ca = await open();
    const authority = new X509Certificate(ca.caPem);
    const leaf = new X509Certificate(ca.credentials.certPem);
    assertEquals([authority.ca, leaf.ca, ca.issued], [true, false, true]);
    assert(leaf.verify(authority.publicKey));
    assertEquals(leaf.checkHost("server.example"), "server.example");
    assertEquals(leaf.checkIP("127.0.0.1"), "127.0.0.1");
    assertEquals(leaf.checkHost("other.example"), undefined);
  }));

Deno.test("openLocalCa() keeps its files from other users", () =>
  withFolder(async (open, { folder }) => {
    const ca = await open();
    assertEquals(ca.caPath, `${folder}/ca.pem`);
    assertEquals(((await Deno.stat(folder)).mode ?? 0) & 0o777, 0o700);
    const names: string[] = [];
    for await (const entry of Deno.readDir(folder)) {
      names.push(entry.name);
      assertEquals(((await Deno.stat(`${folder}/${entry.name}`)).mode ?? 0) & 0o777, 0o600);
    }
    assertEquals(names.sort(), ["ca.key.pem", "ca.pem", "server.pem"]);
  }));

Deno.test("openLocalCa() gives the same authority and certificate at the next start", () =>
  withFolder(async (open) => {
    const first = await open();
    const second = await open();
    assertEquals([second.issued, second.caPem], [false, first.caPem]);
    assertEquals(second.credentials, first.credentials);
  }));

Deno.test("openLocalCa() makes a new certificate when the names change, of the same authority", () =>
  withFolder(async (open) => {
    const first = await open();
    for (
      const names of [[...NAMES, "10.0.0.7"], NAMES.slice(1), ["a.example", ...NAMES.slice(1)]]
    ) {
      const next = await open(names);
      assertEquals([next.issued, next.caPem], [true, first.caPem]);
      assertEquals((await open(names)).issued, false);
    }
  }));

Deno.test("openLocalCa() makes a new certificate in the last 30 days of the old one", () =>
  withFolder(async (open, { clock }) => {
    const first = await open();
    const end = Date.parse(new X509Certificate(first.credentials.certPem).validTo);
    clock.advance(end - clock.now() - 31 * DAY_MS);
    assertEquals((await open()).issued, false);
    clock.advance(2 * DAY_MS);
    assertEquals((await open()).issued, true);
    assertEquals((await open()).issued, false);
  }));

Deno.test("openLocalCa() repairs a damaged certificate and a start that was cut off", () =>
  withFolder(async (open, { folder }) => {
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(`${folder}/ca.key.pem`, "cut off before ca.pem was there");
    const first = await open();
    await Deno.writeTextFile(`${folder}/server.pem`, "garbage");
    const second = await open();
    assertEquals([second.issued, second.caPem], [true, first.caPem]);
  }));

Deno.test("openLocalCa() never replaces an authority that clients may trust", () =>
  withFolder(async (open, { folder }) => {
    const first = await open();
    await Deno.remove(`${folder}/ca.key.pem`);
    await assertRejects(() => open(), NoportsError, { code: "config_invalid" });
    assertEquals(await Deno.readTextFile(`${folder}/ca.pem`), first.caPem);
  }));

Deno.test("Deno's TLS client accepts the local certificate by name and by address, IPv6 too", () =>
  withFolder(async (open) => {
    const ca = await open();
    await using listener = await openTlsListener({
      listen: { hostname: "::", port: 0 },
      purpose: "test",
      credentials: ca.credentials,
      log: silentLog,
      serve: async (conn) => {
        await conn.write(new TextEncoder().encode("@"));
      },
    });
    for (
      const [hostname, address] of [
        ["localhost", "127.0.0.1"],
        ["server.example", "127.0.0.1"],
        ["127.0.0.1", "127.0.0.1"],
        ["::1", "::1"],
      ] as const
    ) {
      using client = await connectTestTls(listener.address.port, ca.caPem, { hostname, address });
      assertEquals(await client.chunk(), "@");
    }
    for (const hostname of ["other.example", "127.0.0.2"]) {
      await assertRejects(
        () => connectTestTls(listener.address.port, ca.caPem, { hostname }),
        Deno.errors.InvalidData,
      );
    }
  }));
