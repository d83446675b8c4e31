import { silentLog, systemClock, systemEntropy } from "../src/base/mod.ts";
import { parseAtSign } from "../src/atprotocol/wire/mod.ts";
import {
  createNonce,
  encodeNptRequest,
  hasFeature,
  type NptRequest,
  parsePermitOpen,
  parsePingResponse,
  parseSessionResponse,
  signWith,
  verifyAuthLine,
  verifyWith,
} from "../src/session/mod.ts";
import { assert, assertEquals } from "../tests/assert.ts";
import { type MemoryClient, MemoryPlane } from "../tests/memory_plane.ts";
import { vectorKey } from "../tests/vectors.ts";
import { runDaemon } from "./daemon.ts";

const ephemeral = vectorKey("deviceApkam");

/** A daemon on a memory plane with @alice as its manager and @mallory as nobody, and a port where its relay would be. */
async function withDaemon(
  run: (world: {
    plane: MemoryPlane;
    alice: MemoryClient;
    mallory: MemoryClient;
    device: MemoryClient;
    relay: Deno.TcpListener;
    request: (changes?: Partial<NptRequest>) => string;
  }) => Promise<void>,
): Promise<void> {
  const plane = new MemoryPlane();
  const alice = plane.client("@alice", "aliceEncryption");
  const device = plane.client("@bob_dev", "bobEncryption");
  const mallory = plane.client("@mallory", "deviceApkam");
  const relay = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const stop = new AbortController();
  const daemon = runDaemon(
    {
      atSign: device.atSign,
      managers: new Set([alice.atSign]),
      device: "web01",
      permitOpen: parsePermitOpen("localhost:22"),
      keyFile: undefined,
    },
    {
      client: device,
      clock: systemClock,
      entropy: systemEntropy,
      log: silentLog,
      version: "test",
    },
    stop.signal,
  );
  const request = (changes: Partial<NptRequest> = {}) =>
    encodeNptRequest({
      sessionId: systemEntropy.uuid(),
      rvdHost: "127.0.0.1",
      rvdPort: relay.addr.port,
      requestedHost: "localhost",
      requestedPort: 22,
      authenticateToRvd: true,
      clientNonce: createNonce(systemEntropy),
      rvdNonce: createNonce(systemEntropy),
      encryptRvdTraffic: true,
      clientEphemeralPK: ephemeral.publicKey,
      clientEphemeralPKType: "rsa2048",
      timeoutMs: 0,
      twinKeys: false,
      numberedPairing: false,
      ...changes,
    }, signWith(alice.keys.encryption.privateKey));
  try {
    await run({ plane, alice, mallory, device, relay, request });
  } finally {
    stop.abort(new Error("done"));
    relay.close();
    await daemon;
  }
}

async function send(from: MemoryClient, entity: string, value: string): Promise<void> {
  await from.notify({ to: parseAtSign("@bob_dev"), entity, value });
}

Deno.test("the daemon answers a manager's ping with its features and its permit-open list", () =>
  withDaemon(async ({ alice }) => {
    using inbox = alice.inbox();
    await send(alice, "ping.web01.sshnp", "ping");
    const answer = await inbox.next();
    assertEquals(answer.key, "@alice:heartbeat.web01.sshnp@bob_dev");
    const ping = parsePingResponse(answer.value ?? "");
    for (
      const feature of ["srAuth", "srE2ee", "supportsPortChoice", "adjustableTimeout"] as const
    ) {
      assert(hasFeature(ping, feature), feature);
    }
    assertEquals(ping.corePackageVersion, "np1.0.0");
    assertEquals(ping.allowedServices, ["localhost:22"]);
  }));

Deno.test("the daemon is silent to strangers, and to messages for a device whose name only ends like its own", () =>
  withDaemon(async ({ plane, alice, mallory, request }) => {
    using inbox = alice.inbox();
    await send(mallory, "ping.web01.sshnp", "ping");
    await send(mallory, "npt_request.web01.sshnp", request());
    await send(alice, "ping.xweb01.sshnp", "ping");
    await send(alice, "ping.a.web01.sshnp", "ping");
    await send(alice, "ping.web01.sshnp", "ping");
    assertEquals((await inbox.next()).key, "@alice:heartbeat.web01.sshnp@bob_dev");
    const answers = plane.sent.filter((n) => n.from === "@bob_dev");
    assertEquals(answers.map((n) => n.to), ["@alice"]);
  }));

Deno.test("the daemon dials the relay first and then gives the client keys for what it asked", () =>
  withDaemon(async ({ alice, device, relay, request }) => {
    using inbox = alice.inbox();
    const sent = request();
    const { payload } = JSON.parse(sent);
    const accepted = relay.accept();
    await send(alice, "npt_request.web01.sshnp", sent);
    const conn = await accepted;
    const buffer = new Uint8Array(4096);
    const line = new TextDecoder().decode(buffer.subarray(0, (await conn.read(buffer)) ?? 0));
    const verify = verifyWith(device.keys.encryption.publicKey);
    assertEquals(verifyAuthLine(line.trim(), payload, verify), { ok: true, connection: null });
    const answer = await inbox.next();
    assertEquals(answer.key, `@alice:${payload.sessionId}.web01.sshnp@bob_dev`);
    const { sessionId } = payload;
    const response = parseSessionResponse(answer.value ?? "", { sessionId, verify });
    assert(response.kind === "connected" && response.keys !== null);
    conn.close();
  }));

Deno.test("the daemon tells a manager why it refuses: permit-open, a signature that is not good, a relay that is not there", () =>
  withDaemon(async ({ alice, relay, request }) => {
    using inbox = alice.inbox();
    const refusal = async (value: string) => {
      await send(alice, "npt_request.web01.sshnp", value);
      return (await inbox.next()).value;
    };
    assertEquals(
      await refusal(request({ requestedPort: 23 })),
      "Daemon does not permit connections to localhost:23",
    );
    const forged = JSON.parse(request());
    forged.payload.requestedHost = "db.lan";
    assert((await refusal(JSON.stringify(forged)))?.startsWith("Signature not verified: "));
    const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = closed.addr;
    closed.close();
    assert(
      (await refusal(request({ rvdPort: port })))?.startsWith(
        "Failed to start up the daemon side of the srv socket tunnel : ",
      ),
    );
    assert(relay.addr.port > 0);
  }));

Deno.test("the daemon serves a request once: a replay gets no answer and no connection", () =>
  withDaemon(async ({ plane, alice, relay, request }) => {
    using inbox = alice.inbox();
    const value = request();
    const accepted = relay.accept();
    await send(alice, "npt_request.web01.sshnp", value);
    const conn = await accepted;
    await inbox.next();
    await send(alice, "npt_request.web01.sshnp", value);
    await send(alice, "ping.web01.sshnp", "ping");
    assertEquals((await inbox.next()).key, "@alice:heartbeat.web01.sshnp@bob_dev");
    assertEquals(plane.sent.filter((n) => n.from === "@bob_dev").length, 2);
    conn.close();
  }));

Deno.test("the daemon goes on after requests that are no requests", () =>
  withDaemon(async ({ alice, request }) => {
    using inbox = alice.inbox();
    const texts = ["", "{", "null", "[]", '{"payload":{}}', "x".repeat(100_000)];
    for (const value of [...texts, request({ sessionId: "not-a-uuid" })]) {
      await send(alice, "npt_request.web01.sshnp", value);
    }
    await send(alice, "ping.web01.sshnp", "ping");
    assertEquals((await inbox.next()).key, "@alice:heartbeat.web01.sshnp@bob_dev");
  }));
