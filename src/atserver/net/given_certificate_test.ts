import { assertEquals, assertMatch, assertRejects } from "../../../tests/assert.ts";
import { createLog, ManualClock, NoportsError } from "../../base/mod.ts";
import { makeTestCertificates } from "../../../tests/tls_client.ts";
import { readGivenCertificate } from "./given_certificate.ts";

const certificates = await makeTestCertificates();

async function read(change: {
  cert?: string;
  key?: string;
  keyMode?: number;
  hostname?: string;
  inDays?: number;
}): Promise<{ certPem: string; warnings: string[] }> {
  const { leaf } = certificates;
  const folder = await Deno.makeTempDir();
  const warnings: string[] = [];
  try {
    const [certFile, keyFile] = [`${folder}/cert.pem`, `${folder}/key.pem`];
    await Deno.writeTextFile(certFile, change.cert ?? leaf.certPem);
    await Deno.writeTextFile(keyFile, change.key ?? leaf.keyPem);
    await Deno.chmod(keyFile, change.keyMode ?? 0o600);
    const { certPem } = await readGivenCertificate({
      certFile,
      keyFile,
      hostname: change.hostname ?? "localhost",
      clock: new ManualClock(Date.now() + (change.inDays ?? 0) * 86_400_000),
      log: createLog({
        level: "warn",
        format: "text",
        write: (line) => warnings.push(line),
        now: () => new Date(0),
      }),
    });
    return { certPem, warnings };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("readGivenCertificate() takes a good pair in silence", async () => {
  const { leaf } = certificates;
  assertEquals(await read({}), { certPem: leaf.certPem, warnings: [] });
});

Deno.test("readGivenCertificate() refuses what cannot work, and says what to do", async () => {
  const other = await makeTestCertificates();
  const rows = [
    [{ key: other.leaf.keyPem }, /not the key of/],
    [{ cert: "garbage" }, /not a PEM certificate/],
    [{ key: "garbage" }, /not a PEM private key/],
    [{ keyMode: 0o620 }, /other users can write/],
    [{ keyMode: 0o602 }, /other users can write/],
    [{ inDays: 500 }, /expired/],
  ] as const;
  for (const [change, message] of rows) {
    const error = await assertRejects(() => read(change), NoportsError, { code: "config_invalid" });
    assertMatch(error.message, message);
  }
});

Deno.test("readGivenCertificate() warns of a wrong name, a near end and a readable key", async () => {
  const rows = [
    [{ hostname: "other.example" }, /not for the host name/],
    [{ hostname: "10.1.2.3" }, /not for the host name/],
    [{ inDays: 390 }, /expires soon/],
    [{ keyMode: 0o644 }, /can be read by every user/],
  ] as const;
  for (const [change, message] of rows) {
    const { warnings } = await read(change);
    assertEquals(warnings.length, 1);
    assertMatch(warnings[0] ?? "", message);
  }
});

Deno.test("readGivenCertificate() names the file that is missing", async () => {
  await assertRejects(
    () =>
      readGivenCertificate({
        certFile: "/nonexistent/cert.pem",
        keyFile: "/nonexistent/key.pem",
        hostname: "localhost",
        clock: new ManualClock(),
        log: createLog({ level: "warn", format: "text", write: () => {}, now: () => new Date(0) }),
      }),
    NoportsError,
    { code: "config_invalid" },
  );
});
