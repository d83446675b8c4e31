import { generateKeyPairSync, sign } from "node:crypto";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { parseAtSign } from "../atprotocol/wire/mod.ts";
import { cramDigest } from "../crypto/mod.ts";
import { encodeBase64, encodeUtf8 } from "../encoding/mod.ts";
import { assert, assertEquals } from "../../tests/assert.ts";
import { PKAM, settle, World } from "../../tests/at_server_world.ts";
import { coversGrants } from "./authorisation.ts";

const alice = parseAtSign("@alice");
const REQUEST = `enroll:request:${
  JSON.stringify({ appName: "a", deviceName: "d", apkamPublicKey: PKAM.publicKey })
}`;

Deno.test("revoking the first enrollment takes the key of logins without one along, unrevoking brings it back", async () => {
  await using world = new World();
  world.host("@alice");
  const cram = await world.connect();
  await cramLogin(world, cram);
  const { enrollmentId } = parse(await cram.ask(REQUEST)) as { enrollmentId: string };
  world.enroll("@alice", "m1", { __manage: "rw", "*": "rw" });
  const manager = await world.login("@alice", "m1");
  const legacy = await world.login("@alice");
  const own = `enroll:revoke:{"enrollmentId":"${enrollmentId}"}`;
  assert((await legacy.ask(own)).startsWith("error:AT0031-"), "its own key");
  assert((await manager.ask(own)).startsWith("data:"));
  await settle();
  assert(!legacy.isServed && !cram.isServed && manager.isServed);
  const stranger = await world.connect();
  await stranger.ask("from:@alice");
  assert(
    (await stranger.ask("pkam:AAAA")).startsWith(
      "error:AT0015-Exception: privatekey:at_pkam_publickey",
    ),
  );
  await manager.ask(`enroll:unrevoke:{"enrollmentId":"${enrollmentId}"}`);
  await (await world.login("@alice")).ask("noop:0");
  await world.login("@alice", enrollmentId);
});

Deno.test("expired enrollments are withdrawn by the sweep, and gone a week later with their keys", async () => {
  await using world = new World();
  await world.activate("@alice");
  world.core.start();
  const owner = await world.login("@alice");
  const ask = REQUEST.replace("}", ',"apkamKeysExpiryInMillis":60000}');
  const { enrollmentId: id } = parse(await owner.ask(ask)) as { enrollmentId: string };
  const keys = '"encryptedDefaultEncryptionPrivateKey":"P","encryptedDefaultSelfEncryptionKey":"S"';
  await owner.ask(`enroll:approve:{"enrollmentId":"${id}",${keys}}`);
  const device = await world.login("@alice", id);
  assert((await device.ask(`update:public:_apsk.${id}.a.__e@alice K`)).startsWith("data:"));
  const names = () =>
    world.store.listKeys(alice).map(({ key }) => key.replace(id, "ID")).filter((key) =>
      /__manage|__pkams|__e@/.test(key)
    );
  assertEquals(names(), [
    "ID.default_enc_private_key.__manage@alice",
    "ID.default_self_enc_key.__manage@alice",
    "public:_apsk.ID.a.__e@alice",
    "public:a.d.pkam.__pkams.__public_keys@alice",
  ]);
  world.clock.advance(180_000);
  await settle();
  assert(names().includes("public:_apsk.ID.r.__e@alice"));
  assert(!device.isServed && owner.isServed);
  world.clock.advance(604_800_000);
  await settle();
  assertEquals(names(), ["public:_apsk.ID.d.__e@alice"]);
  assertEquals(world.store.listEnrollments(alice), []);
});

Deno.test("pkam accepts P-256 keys of enrollments", async () => {
  await using world = new World();
  await world.activate("@alice");
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const point = publicKey.export({ format: "der", type: "spki" }).subarray(-65).toString("hex");
  world.enroll("@alice", "ecc", { x: "r" });
  const stored = world.store.getEnrollment(alice, "ecc");
  assert(stored !== null);
  world.store.putEnrollment(alice, { ...stored, apkamPublicKey: point });
  const client = await world.connect();
  const login = async (algorithm: string): Promise<string> => {
    const challenge = (await client.ask("from:@alice")).split("\n")[0]?.slice(5) ?? "";
    const raw = sign("sha256", Buffer.from(challenge), {
      key: privateKey,
      dsaEncoding: "ieee-p1363",
    });
    const signature = encodeBase64(encodeUtf8(raw.toString("hex")));
    return await client.ask(`pkam:signingAlgo:${algorithm}:enrollmentId:ecc:${signature}`);
  };
  assertEquals(await login("ecc_secp256r1"), "data:success\n@alice@");
  assertEquals(await login("rsa2048"), "error:AT0401-Exception: pkam authentication failed\n@");
});

Deno.test("an atSign has a cap of enrollments", async () => {
  await using world = new World({ limits: { enrollmentsPerAtSign: 2 } });
  await world.activate("@alice");
  world.enroll("@alice", "e1", {});
  const owner = await world.login("@alice");
  assert((await owner.ask(REQUEST)).startsWith("data:"));
  const refused = await owner.ask(REQUEST.replace('"a"', '"b"'));
  assert(/AT0011-.*too many enrollments/.test(refused), refused);
});

Deno.test("a passcode works once, even when many ask with it at the same time", async () => {
  await using world = new World();
  await world.activate("@alice");
  const owner = await world.login("@alice");
  const otp = (await owner.ask("otp:get")).slice(5, 11);
  const clients = [];
  for (let i = 0; i < 5; i++) {
    const client = await world.connect({ remoteAddress: `192.0.2.${i + 10}` });
    await client.ask("from:@alice");
    clients.push(client);
  }
  for (const [i, client] of clients.entries()) {
    const params = {
      appName: "a",
      deviceName: `d${i}`,
      otp,
      namespaces: { x: "r" },
      apkamPublicKey: "K",
      encryptedAPKAMSymmetricKey: "P",
    };
    await client.send(`enroll:request:${JSON.stringify(params)}\n`);
  }
  await settle();
  world.clock.advance(60_000);
  await settle();
  const answers = clients.map((client) => client.takeWrites().join(""));
  assertEquals(answers.filter((answer) => answer.startsWith("data:")).length, 1);
  assertEquals(answers.filter((answer) => answer.includes("invalid otp")).length, 4);
  assert(!JSON.stringify(world.store.listKeys(alice)).includes(otp.toLowerCase()));
});

Deno.test("coversGrants() hands out no more than there is", () => {
  const rights = (namespaces: Record<string, "r" | "rw">) => ({ enrollmentId: "e", namespaces });
  const rows: [Record<string, "r" | "rw">, Record<string, "r" | "rw">, boolean][] = [
    [{ sshnp: "rw" }, { sshnp: "r" }, true],
    [{ sshnp: "r" }, { sshnp: "rw" }, false],
    [{ sshnp: "rw" }, { "policy.sshnp": "rw" }, true],
    [{ "policy.sshnp": "rw" }, { sshnp: "r" }, false],
    [{ "*": "rw" }, { a: "rw", b: "r", "*": "rw" }, true],
    [{ a: "rw" }, { "*": "r" }, false],
    [{ "*": "rw" }, { __manage: "r" }, false],
    [{ "*": "r", a: "rw" }, { a: "rw", b: "rw" }, false],
    [{ "*": "rw", a: "r" }, { a: "rw" }, false],
    [{ __manage: "rw" }, { __manage: "rw" }, true],
    [{}, {}, true],
    [{}, { toString: "r" } as unknown as Record<string, "r">, false],
  ];
  for (const [have, wanted, expected] of rows) {
    assertEquals(coversGrants(rights(have), wanted), expected, JSON.stringify([have, wanted]));
  }
  assert(coversGrants(null, { "*": "rw" }));
});

Deno.test("enroll, otp and keys answer any text with one error line of a documented code, and store nothing", async () => {
  await using world = new World();
  await world.activate("@alice");
  world.enroll("@alice", "m1", { __manage: "rw", "*": "rw" });
  const before = JSON.stringify(world.store.listEnrollments(alice));
  const member = fc.oneof(
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.constantFrom("x", "m1", null, 1, {}, [], "@", "a:b", "\u0000"),
  );
  const params = fc.record({
    enrollmentId: member,
    appName: member,
    otp: member,
    namespaces: fc.oneof(member, fc.dictionary(fc.string(), member)),
    enrollmentStatusFilter: member,
  }, { requiredKeys: [] }).map((value) => JSON.stringify(value));
  const line = fc.oneof(
    fc.tuple(
      fc.constantFrom("request", "approve", "deny", "revoke", "unrevoke", "delete", "x"),
      fc.constantFrom("", ":force", "::"),
      fc.oneof(params, fc.string(), params.map((text) => text.slice(0, -1))),
    ).map(([operation, force, text]) => `enroll:${operation}${force}:${text}`),
    fc.string().map((text) => `otp:put:${text}`.slice(0, 13)),
    fc.string().map((text) => `keys:get:keyName:${text}`),
    fc.string().map((text) => `keys:put:${text}`),
  ).map((text) => text.replace(/[\r\n]/g, " "));
  await fc.assert(
    fc.asyncProperty(line, fc.boolean(), async (text, isManager) => {
      const client = isManager ? await world.login("@alice", "m1") : await world.connect();
      await client.send(`${text}\n`);
      await settle();
      const [answer = "", ...more] = client.takeWrites();
      assertEquals(more, []);
      const isError =
        /^error:(?:AT0003|AT0009|AT0011|AT0015|AT0016|AT0022|AT0028|AT0031|AT0401)[-:]/
          .test(answer);
      assert(isError, `${text} → ${answer}`);
      if (client.isServed) {
        await client.send("noop:0\n");
        await settle();
        assert(client.takeWrites()[0]?.startsWith("data:ok\n"), text);
      }
      await client.end();
    }),
    { numRuns: 300 },
  );
  assertEquals(JSON.stringify(world.store.listEnrollments(alice)), before);
});

async function cramLogin(
  world: World,
  client: Awaited<ReturnType<World["connect"]>>,
): Promise<void> {
  const challenge = (await client.ask("from:@alice")).split("\n")[0]?.slice(5) ?? "";
  await client.ask(`cram:${cramDigest(world.secretOf("@alice"), challenge)}`);
}

function parse(answer: string): unknown {
  return JSON.parse(answer.split("\n")[0]?.slice("data:".length) ?? "");
}
