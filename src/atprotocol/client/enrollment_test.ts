import { type Clock, type Entropy, ManualClock, NoportsError } from "../../base/mod.ts";
import { decryptAesText, encryptAesText } from "../../crypto/mod.ts";
import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { CountingEntropy, KEYS, PKAM, settle, World } from "../../../tests/at_server_world.ts";
import { memoryConnPair } from "../../../tests/memory_conn.ts";
import { serveScript } from "../../../tests/scripted_at_server.ts";
import { vectors } from "../../../tests/vectors.ts";
import {
  type AtKeys,
  encodeAtKeysFile,
  parseAtKeysFile,
  parseAtSign,
  parseNotification,
  parseVerb,
  type Reply,
  type Verb,
} from "../wire/mod.ts";
import { AtConnection, ConnectionLost } from "./connection.ts";
import {
  approveEnrollment,
  type CommandChannel,
  deleteEnrollment,
  denyEnrollment,
  fetchEnrollment,
  listEnrollments,
  makePasscode,
  parseEnrollmentNotice,
  revokeEnrollment,
  setPasscode,
  unrevokeEnrollment,
} from "./enrollment.ts";
import {
  awaitEnrollment,
  type PendingEnrollment,
  requestEnrollment,
  tryEnrollment,
} from "./enrollment_request.ts";
import { loginCram, loginPkam } from "./login.ts";

const alice = parseAtSign("@alice");
const SELF_KEY = KEYS.selfEncryptionKey;
const ENCRYPTION = {
  publicKey: KEYS.aliceEncryption.publicKeySpkiBase64,
  privateKey: KEYS.aliceEncryption.privateKeyPkcs8Base64,
};
const MANAGER: AtKeys = { pkam: PKAM, encryption: ENCRYPTION, selfEncryptionKey: SELF_KEY };

Deno.test("an enrollment's whole life: activation, passcode, request, approval, limited use, revocation", async () => {
  await using stage = new Stage();
  const { world } = stage;
  const secret = world.host("@alice");

  const first = stage.dial();
  await loginCram(first, alice, secret);
  const firstId = await enrollFirst(first);
  const manager = await stage.login({ ...MANAGER, enrollmentId: firstId });
  await ask(manager, `update:public:publickey@alice ${ENCRYPTION.publicKey}`);
  await ask(manager, "delete:privatekey:at_secret");
  const notices: string[] = [];
  const watching = stage.dial((json) => notices.push(json));
  await loginPkam(watching, alice, { ...MANAGER, enrollmentId: firstId });
  await watching.send({ ...MONITOR, selfNotifications: true });
  await watching.request({ verb: "noop", durationMs: 0 });

  const passcode = await makePasscode(channel(manager), 60_000);
  assertEquals(passcode.length, 6);
  const asked = {
    appName: "noports",
    deviceName: "dev1",
    namespaces: { sshnp: "rw", wavi: "r" },
    passcode: passcode.toLowerCase(),
  } as const;
  const pending = await requestEnrollment(alice, asked, stage);
  assertEquals(await tryEnrollment(pending, stage), null);
  await settle();
  const notice = notices.map((json) => parseNotification(json))
    .map(({ key, value }) => parseEnrollmentNotice(key, value)).find((found) => found !== null);
  assert(notice !== undefined && notice !== null);
  assertEquals(notice.id, pending.enrollmentId);
  assertEquals(await fetchEnrollment(channel(manager), notice.id), notice);
  assertEquals(await listEnrollments(channel(manager), ["pending"]), [notice]);

  const waits: string[] = [];
  const waiting = awaitEnrollment(pending, {
    ...stage,
    clock: world.clock,
    onWaiting: (why) => waits.push(why),
  });
  while (waits.length === 0) await settle();
  await approveEnrollment(channel(manager), MANAGER, notice, { ivsFrom: new CountingEntropy() });
  world.clock.advance(10_000);
  const keys = await waiting;
  assertEquals(keys.encryption, ENCRYPTION);
  assertEquals(keys.selfEncryptionKey, SELF_KEY);
  assertEquals(parseAtKeysFile(encodeAtKeysFile(alice, keys)), keys);

  const lines: string[] = [];
  const device = await stage.login(keys, (json) => lines.push(json));
  assertEquals((await ask(device, "update:x.sshnp@alice 1")).kind, "data");
  assertEquals(await codeOf(ask(device, "update:x.other@alice 1")), "AT0009");
  assertEquals(await codeOf(ask(device, "update:x.wavi@alice 1")), "AT0009");
  await ask(manager, "update:x.other@alice 2");
  await ask(manager, "update:x.wavi@alice 3");
  assertEquals(await codeOf(ask(device, "llookup:x.other@alice")), "AT0009");
  assertEquals(await ask(device, "llookup:x.wavi@alice"), { kind: "data", value: "3" });
  assertEquals(await ask(device, "scan"), {
    kind: "data",
    value:
      '["public:noports.dev1.pkam.__pkams.__public_keys@alice","public:publickey@alice","x.sshnp@alice","x.wavi@alice"]',
  });
  assertEquals(await codeOf(ask(device, 'enroll:deny:{"enrollmentId":"x"}')), "AT0028");
  assertEquals((await listEnrollments(channel(device))).map(({ id }) => id), [notice.id]);
  const monitoring = await stage.login(keys, (json) => lines.push(json));
  await monitoring.send({ ...MONITOR, strict: true });
  await monitoring.request({ verb: "noop", durationMs: 0 });
  await ask(manager, "notify:id:n1:@alice:a.other@alice:v");
  await ask(manager, "notify:id:n2:@alice:a.sshnp@alice:v");
  await monitoring.request({ verb: "noop", durationMs: 0 });
  await settle();
  assertEquals(lines.map((json) => parseNotification(json).id), ["n2"]);

  await revokeEnrollment(channel(manager), notice.id);
  await Promise.all([device.ended, monitoring.ended]);
  await assertRejects(() => stage.login(keys), NoportsError, { code: "auth_failed" });
  const refused = await assertRejects(() => tryEnrollment(pending, stage), NoportsError);
  assert(/AT0027/.test(refused.message), refused.message);
  await unrevokeEnrollment(channel(manager), notice.id);
  assertEquals((await tryEnrollment(pending, stage))?.enrollmentId, notice.id);
  await revokeEnrollment(channel(manager), notice.id);
  await deleteEnrollment(channel(manager), notice.id);
  assertEquals(await fetchEnrollment(channel(manager), notice.id), null);
});

Deno.test("a semi-permanent passcode lets in several devices; a denied one stops waiting", async () => {
  await using stage = new Stage();
  await stage.world.activate("@alice");
  const manager = await stage.login(MANAGER);
  await ask(manager, `update:public:publickey@alice ${ENCRYPTION.publicKey}`);
  await assertRejects(() => setPasscode(channel(manager), "short"), NoportsError, {
    code: "usage",
  });
  await setPasscode(channel(manager), "Lasting99");
  const ids: string[] = [];
  for (const deviceName of ["dev1", "dev2"]) {
    const asked = {
      appName: "a",
      deviceName,
      namespaces: { x: "r" },
      passcode: "LASTING99",
    } as const;
    const pending = await requestEnrollment(alice, asked, stage);
    ids.push(pending.enrollmentId);
    await denyEnrollment(channel(manager), pending.enrollmentId);
    const clock = stage.world.clock;
    const error = await assertRejects(
      () => awaitEnrollment(pending, { ...stage, clock }),
      NoportsError,
      { code: "auth_failed" },
    );
    assert(/denied/.test(error.message), error.message);
  }
  assertEquals(new Set(ids).size, 2);
});

Deno.test("approveEnrollment() writes what the vendor's clients write, with and without IVs", async () => {
  const rows = vectors<Record<string, string>[]>("atclient", "enrollmentApproval");
  assertEquals(rows.length, 2);
  for (const row of rows) {
    const iv = (name: string) => row[name] ?? null;
    const key = row["apkamSymmetricKey"] ?? "";
    assertEquals(
      decryptAesText(key, iv("encPrivateKeyIV"), row["encryptedDefaultEncryptionPrivateKey"] ?? ""),
      ENCRYPTION.privateKey,
    );
    assertEquals(
      encryptAesText(key, iv("selfEncKeyIV"), SELF_KEY),
      row["encryptedDefaultSelfEncryptionKey"],
    );
  }
  const sent: Verb[] = [];
  const recording: CommandChannel = {
    request: (verb) => {
      sent.push(verb);
      return Promise.resolve({ kind: "data", value: "{}" });
    },
  };
  const wrapped = vectors<{ name: string; ciphertextBase64: string }[]>(
    "atclient",
    "rsaPkcs1v15Decrypt",
  )
    .find(({ name }) => name.startsWith("encryptedAPKAMSymmetricKey"))?.ciphertextBase64 ?? "";
  const enrollment = { id: "e1", encryptedApkamSymmetricKey: wrapped };
  await approveEnrollment(recording, MANAGER, enrollment);
  const [verb] = sent;
  assert(verb?.verb === "enroll" && verb.operation === "approve");
  assertEquals(JSON.parse(verb.params ?? ""), {
    enrollmentId: "e1",
    encryptedDefaultEncryptionPrivateKey: rows[0]?.["encryptedDefaultEncryptionPrivateKey"],
    encryptedDefaultSelfEncryptionKey: rows[0]?.["encryptedDefaultSelfEncryptionKey"],
  });
  await assertRejects(() => approveEnrollment(recording, MANAGER, { id: "e2" }), NoportsError, {
    code: "protocol_violation",
  });
});

Deno.test("awaitEnrollment() bears five network failures, not six, and no answer that says no", async () => {
  const clock: Clock = { now: () => 0, sleep: () => Promise.resolve() };
  let attempts = 0;
  const lost = () => {
    attempts++;
    return Promise.reject(new ConnectionLost("gone"));
  };
  await assertRejects(() => awaitEnrollment(PENDING, { connect: lost, clock }), ConnectionLost);
  assertEquals(attempts, 6);
  for (const code of ["AT0025", "AT0027", "AT0028"]) {
    let asked = 0;
    await assertRejects(
      () =>
        awaitEnrollment(PENDING, {
          clock,
          connect: () => {
            asked++;
            return scripted((line) =>
              line.startsWith("from")
                ? "data:_s@alice:c\n@"
                : `error:${code}:enrollment_id: e is so\n@`
            );
          },
        }),
      NoportsError,
      { code: "auth_failed" },
    );
    assertEquals(asked, 1, code);
  }
});

Deno.test("awaitEnrollment() goes on while the answer is AT0026 or AT0401, and ends with its signal", async () => {
  const clock = new ManualClock();
  const stop = new AbortController();
  const answers = ["error:AT0026:enrollment_id: e is pending", "error:AT0401-Exception: no"];
  const waits: string[] = [];
  const waiting = awaitEnrollment(PENDING, {
    clock,
    connect: () =>
      scripted((line) => `${line.startsWith("from") ? "data:_s@alice:c" : answers.shift()}\n@`),
    onWaiting: (why) => waits.push(why),
  }, stop.signal);
  waiting.catch(() => {});
  while (waits.length < 1) await settle();
  clock.advance(10_000);
  while (waits.length < 2) await settle();
  stop.abort(new NoportsError("interrupted", "stop"));
  await assertRejects(() => waiting, NoportsError, { code: "interrupted" });
});

Deno.test("tryEnrollment() refuses keys that do not belong to the atSign", async () => {
  const wrap = (text: string) =>
    `data:${JSON.stringify({ value: encryptAesText(PENDING.apkamSymmetricKey, null, text) })}\n@a@`;
  const rows: [string, string][] = [
    [wrap(KEYS.bobEncryption.privateKeyPkcs8Base64), wrap(SELF_KEY)],
    [wrap(ENCRYPTION.privateKey), wrap("AAAA")],
    ['data:{"value":1}\n@a@', wrap(SELF_KEY)],
    ["data:x\n@a@", wrap(SELF_KEY)],
  ];
  for (const [encryption, self] of rows) {
    const connect = () =>
      scripted((line) =>
        line.startsWith("from")
          ? "data:_s@alice:c\n@"
          : line.startsWith("pkam")
          ? "data:success\n@alice@"
          : line.includes("default_enc")
          ? encryption
          : self
      );
    await assertRejects(() => tryEnrollment(PENDING, { connect }), NoportsError, {
      code: "protocol_violation",
    });
  }
});

Deno.test("parseEnrollmentNotice() reads the vendor's notification and nothing else", () => {
  const row = vectors<{ name: string; line: string }[]>("atclient", "monitorLines")
    .find(({ name }) => name.startsWith("pending enrollment"));
  const { key, value } = parseNotification((row?.line ?? "").slice("notification:".length));
  const notice = parseEnrollmentNotice(key, value);
  assertEquals(notice?.id, "352b78c8-4b6f-4d07-a9cf-5466512ffa44");
  assertEquals(notice?.namespaces, { sshnp: "rw", sshrvd: "rw" });
  assertEquals(notice?.status, "pending");
  assert((notice?.encryptedApkamSymmetricKey ?? "").length > 300);
  for (const bad of [null, "", "[]", "{}", '{"appName":"a"}']) {
    assertEquals(parseEnrollmentNotice(key, bad), null);
  }
  assertEquals(parseEnrollmentNotice("@alice:x.sshnp@alice", value), null);
});

const MONITOR = {
  verb: "monitor",
  strict: false,
  selfNotifications: false,
  multiplexed: false,
} as const;

const PENDING: PendingEnrollment = {
  atSign: alice,
  enrollmentId: "e1",
  pkam: PKAM,
  apkamSymmetricKey: KEYS.apkamSymmetricKey,
  encryptionPublicKey: ENCRYPTION.publicKey,
};

/** A real set of atServers, with the client's own connections to it. */
class Stage implements AsyncDisposable {
  readonly world = new World();
  readonly entropy: Entropy = new CountingEntropy();
  readonly #served: Promise<void>[] = [];
  readonly #connections: AtConnection[] = [];

  readonly connect = (): Promise<AtConnection> => Promise.resolve(this.dial());

  dial(onNotification?: (json: string) => void): AtConnection {
    const [near, far] = memoryConnPair();
    this.#served.push(this.world.core.serve(far, {
      remoteAddress: "192.0.2.1",
      sniAtSign: null,
      peerCertificateNames: null,
    }));
    const conn = new AtConnection(near, onNotification);
    this.#connections.push(conn);
    return conn;
  }

  async login(keys: AtKeys, onNotification?: (json: string) => void): Promise<AtConnection> {
    const conn = this.dial(onNotification);
    await loginPkam(conn, alice, keys);
    return conn;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const conn of this.#connections) conn[Symbol.dispose]();
    await Promise.all(this.#connections.map((conn) => conn.ended));
    await this.world[Symbol.asyncDispose]();
    await Promise.all(this.#served);
  }
}

async function enrollFirst(conn: AtConnection): Promise<string> {
  const reply = await ask(
    conn,
    `enroll:request:${
      JSON.stringify({ appName: "firstApp", deviceName: "first", apkamPublicKey: PKAM.publicKey })
    }`,
  );
  assert(reply.kind === "data");
  return (JSON.parse(reply.value) as { enrollmentId: string }).enrollmentId;
}

function channel(conn: AtConnection): CommandChannel {
  return { request: (verb, signal) => conn.request(verb, signal === undefined ? {} : { signal }) };
}

async function ask(conn: AtConnection, line: string): Promise<Reply> {
  return await conn.request(parseVerb(line));
}

async function codeOf(reply: Promise<Reply>): Promise<string> {
  const given = await reply;
  return given.kind === "error" ? given.code : given.kind;
}

function scripted(answer: (line: string) => string): Promise<AtConnection> {
  const [near, far] = memoryConnPair();
  const serving = serveScript(far, answer);
  serving.catch(() => {});
  return Promise.resolve(new AtConnection(near));
}
