import { assert, assertEquals, assertMatch } from "../tests/assert.ts";
import { closeQuietly, createLog, systemClock, systemEntropy, writeAll } from "../src/base/mod.ts";
import { encodeUtf8 } from "../src/encoding/mod.ts";
import {
  createAuthLines,
  encodeRelayRequest,
  parseRelayRequest,
  parseRelayResponse,
  relayRequestEntity,
  signWith,
} from "../src/session/mod.ts";
import { FakeAtClient } from "./_fake_at_client.ts";
import { areJoined, CLIENT_KEYS, DAEMON_KEYS, isCutOff } from "./_session_rig.ts";
import { type RelayOptions, runRelay } from "./mod.ts";
import { parseAtSign } from "../src/atprotocol/wire/mod.ts";

const OPTIONS: RelayOptions = {
  atSign: parseAtSign("@rv"),
  address: "127.0.0.1",
  allowed: null,
  portRange: null,
  bind: "127.0.0.1",
  keyFile: undefined,
};
const KEY = `@rv:${relayRequestEntity("web01")}@alice`;

/** A relay that runs over a control plane in memory; disposing stops it. */
function startRelay(options: Partial<RelayOptions> = {}) {
  const client = new FakeAtClient();
  client.publicKeys.set("@alice", CLIENT_KEYS.publicKey);
  client.publicKeys.set("@bob_dev", DAEMON_KEYS.publicKey);
  const stop = new AbortController();
  const logged: string[] = [];
  const log = createLog({
    level: "info",
    format: "text",
    write: (line) => logged.push(line),
    now: () => new Date(0),
  });
  const deps = { client, clock: systemClock, entropy: systemEntropy, log };
  const running = runRelay({ ...OPTIONS, ...options }, deps, stop.signal);
  const conns: Deno.TcpConn[] = [];
  return {
    client,
    logged,
    connect: async (port: number, line: string) => {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      conns.push(conn);
      await writeAll(conn, encodeUtf8(line));
      return conn;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
      for (const conn of conns) closeQuietly(conn);
    },
  };
}

function request(changes: Record<string, unknown> = {}): { sessionId: string; text: string } {
  const sessionId = crypto.randomUUID();
  const own = encodeRelayRequest({
    sessionId,
    atSignA: parseAtSign("@alice"),
    atSignB: parseAtSign("@bob_dev"),
    authenticateSocketA: true,
    authenticateSocketB: true,
    clientNonce: "nonce",
  });
  return { sessionId, text: JSON.stringify({ ...JSON.parse(own), ...changes }) };
}

Deno.test("runRelay() opens a pair of ports, tells the client, and joins the two sides", async () => {
  await using relay = startRelay();
  const { sessionId, text } = request();
  relay.client.deliver("@alice", KEY, text);
  const sent = await relay.client.nextSent();
  assertEquals(sent.to, "@alice");
  assertEquals(sent.entity, `${sessionId}.sshrvd`);
  assertEquals(sent.ttlMs, 10_000);
  const { address, portA, portB, rvdNonce, numberedPairing } = parseRelayResponse(sent.value);
  assertEquals(address, "127.0.0.1");
  assert(numberedPairing);
  assertMatch(rvdNonce ?? "", /^[A-Za-z0-9_-]{43}$/);
  const auth = { sessionId, clientNonce: "nonce", rvdNonce: rvdNonce ?? "" };
  const a = await relay.connect(
    portA,
    createAuthLines(auth, signWith(CLIENT_KEYS.privateKey)).line(),
  );
  const b = await relay.connect(
    portB,
    createAuthLines(auth, signWith(DAEMON_KEYS.privateKey)).line(),
  );
  assert(await areJoined(a, b));
  const text1 = relay.logged.join("\n");
  assert(text1.includes("New session request from @alice"));
  assert(
    text1.includes(
      `Starting session ${sessionId} for @alice to @bob_dev using ports (${portA}, ${portB})`,
    ),
  );
  assert(!text1.includes(rvdNonce ?? "?"), "the nonce is not logged");
});

Deno.test("runRelay() answers in the vendor's text form when JSON was not asked for", async () => {
  await using relay = startRelay();
  const { text } = request({ sendJsonResponse: false });
  relay.client.deliver("@alice", KEY, text);
  const { value } = await relay.client.nextSent();
  assertMatch(value, /^127\.0\.0\.1,\d+,\d+,[A-Za-z0-9_-]{43}$/);
});

Deno.test("runRelay() tells the sender why it refuses, when the sender understands it", async () => {
  await using relay = startRelay({ allowed: new Set([parseAtSign("@alice")]) });
  const { client } = relay;
  const rows: [string, Record<string, unknown>, RegExp][] = [
    ["@mallory", { atSignA: "@mallory" }, /may not use this relay/],
    ["@alice", { only443: true }, /not bound to port 443/],
    ["@alice", { relayAuthMode: "escr" }, /ESCR/],
    ["@alice", { atSignB: "@nobody" }, /could not prepare/],
  ];
  for (const [from, changes, reason] of rows) {
    const { sessionId, text } = request(changes);
    client.deliver(from, KEY, text);
    const sent = await client.nextSent();
    assertEquals(sent.to, from);
    assertEquals(sent.entity, `nack.${sessionId}.sshrvd`);
    assertMatch(sent.value, reason);
  }
});

Deno.test("runRelay() is silent towards requests that it cannot answer, and serves the next", async () => {
  await using relay = startRelay();
  const { client } = relay;
  client.deliver("@alice", KEY, "not json");
  client.deliver("@alice", KEY, null);
  client.deliver("@alice", KEY, request({ sessionId: "../../x" }).text);
  client.deliver("@mallory", KEY, request().text);
  client.deliver("@alice", KEY, request({ only443: true, multipleAcksOk: false }).text);
  const good = request();
  client.deliver("@alice", KEY, good.text);
  const sent = await client.nextSent();
  assertEquals(sent.entity, `${good.sessionId}.sshrvd`);
  assertEquals(client.unread, 0);
  assert(relay.logged.some((line) => line.includes("for @mallory is denied")));
});

Deno.test("runRelay() refuses a session id that is live", async () => {
  await using relay = startRelay();
  const { client } = relay;
  const { sessionId, text } = request();
  client.deliver("@alice", KEY, text);
  const first = parseRelayResponse((await client.nextSent()).value);
  client.deliver("@alice", KEY, text);
  const second = await client.nextSent();
  assertEquals(second.value, `A session with id ${sessionId} is already live`);
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: first.portA });
  closeQuietly(conn);
});

Deno.test("runRelay() caps the sessions of one atSign", async () => {
  await using relay = startRelay();
  const { client } = relay;
  for (let i = 0; i < 100; i++) {
    const one = request();
    client.deliver("@alice", KEY, one.text);
    assertEquals((await client.nextSent()).entity, `${one.sessionId}.sshrvd`);
  }
  const { sessionId, text } = request();
  client.deliver("@alice", KEY, text);
  const sent = await client.nextSent();
  assertEquals(sent.entity, `nack.${sessionId}.sshrvd`);
  assertMatch(sent.value, /100 sessions/);
  const other = request({ atSignA: "@bob_dev", atSignB: "@alice" });
  client.deliver("@bob_dev", `@rv:${relayRequestEntity("web01")}@bob_dev`, other.text);
  assertEquals((await client.nextSent()).entity, `${other.sessionId}.sshrvd`);
});

Deno.test("runRelay() says when its port range is used up, and stops its sessions at the end", async () => {
  const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = probe.addr;
  const conns: Deno.TcpConn[] = [];
  {
    await using relay = startRelay({ portRange: { first: port, last: port } });
    const { sessionId, text } = request();
    relay.client.deliver("@alice", KEY, text);
    assertEquals((await relay.client.nextSent()).entity, `nack.${sessionId}.sshrvd`);
    assert(
      relay.logged.some((line) => line.includes("Unable to provide the socket pair due to: ")),
    );
  }
  probe.close();
  {
    await using relay = startRelay();
    relay.client.deliver("@alice", KEY, request({ authenticateSocketA: false }).text);
    const { portA } = parseRelayResponse((await relay.client.nextSent()).value);
    conns.push(await Deno.connect({ hostname: "127.0.0.1", port: portA }));
  }
  for (const conn of conns) {
    assert(await isCutOff(conn));
    closeQuietly(conn);
  }
});

Deno.test("parseRelayRequest() and the relay agree on what our own client sends", () => {
  assertEquals(parseRelayRequest(request().text).sendJsonResponse, true);
});
