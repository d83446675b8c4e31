import { NoportsError, silentLog, systemEntropy } from "../base/mod.ts";
import { parseAtSign } from "../atprotocol/wire/mod.ts";
import {
  createSessionKeys,
  encodeSessionResponse,
  parseNptRequest,
  parseRelayRequest,
  signWith,
  verifyWith,
  wrapSessionKeys,
} from "../session/mod.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../../tests/assert.ts";
import { type MemoryClient, MemoryPlane } from "../../tests/memory_plane.ts";
import { vectorKey } from "../../tests/vectors.ts";
import type { TunnelOptions } from "./options.ts";
import { type AgreedSession, setUpSession } from "./set_up_session.ts";

const OPTIONS: TunnelOptions = {
  from: parseAtSign("@alice"),
  to: parseAtSign("@bob_dev"),
  device: "web01",
  relay: parseAtSign("@rv_am"),
  remoteHost: "localhost",
  remotePort: 3389,
  localPort: 0,
  timeoutMs: 0,
  pingTimeoutMs: 200,
  keyFile: undefined,
  progress: false,
};

const NONCE = "2024-10-24T12:10:05.654321";
/** What a 5.6.3 daemon says of itself. */
const PING_5_6 = '{"devicename":"web01","deviceGroupName":"__none__","version":"5.6.3",' +
  '"corePackageVersion":"6.2.0","supportedFeatures":{"srAuth":true,"srE2ee":true,' +
  '"acceptsPublicKeys":true,"supportsPortChoice":true,"adjustableTimeout":true},' +
  '"allowedServices":["localhost:22","localhost:3389"]}';

interface Peers {
  /** The daemon's answer to a ping; null: silence. */
  ping?: string | null;
  /** The relay's answers to a request, as entity and value. */
  relay?: (sessionId: string) => [string, string][];
  /** The daemon's answer to a request; null: silence. */
  respond?: (sessionId: string, request: string, device: MemoryClient) => string | null;
}

interface Outcome {
  readonly session: AgreedSession;
  readonly request: Record<string, unknown>;
}

/** Sets a session up with peers that speak the 5.6 forms, or what `peers` says instead. */
async function setUp(peers: Peers, options: Partial<TunnelOptions> = {}): Promise<Outcome> {
  const plane = new MemoryPlane();
  const alice = plane.client("@alice", "aliceEncryption");
  const device = plane.client("@bob_dev", "bobEncryption");
  const relay = plane.client("@rv_am", "deviceApkam");
  const stop = new AbortController();
  let request: Record<string, unknown> = {};
  const serve = async (client: MemoryClient, answer: (type: string, value: string) => void) => {
    using inbox = client.subscribe(() => true);
    while (!stop.signal.aborted) {
      const got = await inbox.next(stop.signal).catch(() => null);
      if (got !== null) {
        answer(got.key.slice(got.key.indexOf(":") + 1).split(".")[0] ?? "", got.value ?? "");
      }
    }
  };
  const tell = (from: MemoryClient, entity: string, value: string) =>
    from.notify({ to: alice.atSign, entity, value });
  const running = [
    serve(device, (type, value) => {
      const ping = peers.ping === undefined ? PING_5_6 : peers.ping;
      if (type === "ping" && ping !== null) tell(device, "heartbeat.web01.sshnp", ping);
      if (type !== "npt_request") return;
      request = JSON.parse(value).payload;
      const id = String(request.sessionId);
      const answer = (peers.respond ?? agree)(id, value, device);
      if (answer !== null) tell(device, `${id}.web01.sshnp`, answer);
    }),
    serve(relay, (_type, value) => {
      const { sessionId } = parseRelayRequest(value);
      const answers = peers.relay?.(sessionId) ??
        [[`${sessionId}.sshrvd`, `relay.example.net,39017,41325,${NONCE}`]];
      for (const [entity, text] of answers) tell(relay, entity, text);
    }),
  ];
  try {
    const session = await setUpSession({ ...OPTIONS, ...options }, {
      client: alice,
      entropy: systemEntropy,
      log: silentLog,
      ephemeralKeys: Promise.resolve(vectorKey("deviceApkam")),
      progress: () => {},
      step: () => {},
    }, new AbortController().signal);
    return { session, request };
  } finally {
    stop.abort(new Error("done"));
    await Promise.all(running);
  }
}

function agree(sessionId: string, request: string, device: MemoryClient): string {
  const { clientEphemeralPK, twinKeys } = parseNptRequest(
    request,
    verifyWith(vectorKey("aliceEncryption").publicKey),
  );
  const keys = createSessionKeys(systemEntropy, { twin: twinKeys });
  return encodeSessionResponse(
    { sessionId, keys: wrapSessionKeys(keys, clientEphemeralPK) },
    signWith(device.keys.encryption.privateKey),
  );
}

Deno.test("setUpSession() agrees with peers of 5.6 in their forms", async () => {
  const { session, request } = await setUp({});
  assertEquals(Object.keys(request), [
    ...["sessionId", "rvdHost", "rvdPort", "requestedPort", "requestedHost", "authenticateToRvd"],
    ...["clientNonce", "rvdNonce", "encryptRvdTraffic", "clientEphemeralPK"],
    ...["clientEphemeralPKType", "timeout"],
  ]);
  assertEquals(request.rvdPort, 41325);
  assertEquals(request.rvdNonce, NONCE);
  assertEquals(request.timeout, 365 * 24 * 3600 * 1000);
  assertEquals([session.relay.address, session.relay.portA], ["relay.example.net", 39017]);
  assert(session.keys.toClient === session.keys.toDaemon, "one key for both directions");
  assertEquals(session.numberedPairing, false);
});

Deno.test("setUpSession() uses what newer peers offer: a JSON answer, twin keys, numbered connections", async () => {
  const ping = JSON.parse(PING_5_6);
  Object.assign(ping.supportedFeatures, { twinKeys: true, numberedPairing: true });
  const { session, request } = await setUp({
    ping: JSON.stringify({ ...ping, corePackageVersion: "np1.0.0" }),
    relay: (id) => [[
      `${id}.sshrvd`,
      JSON.stringify({
        address: "relay.example.net",
        portA: 39017,
        portB: 41325,
        rvdNonce: NONCE,
        numberedPairing: true,
      }),
    ]],
  });
  assertEquals([request.twinKeys, request.numberedPairing, request.timeout], [true, true, 0]);
  assert(session.keys.toClient !== session.keys.toDaemon);
  assertEquals(session.numberedPairing, true);
});

Deno.test("setUpSession() takes the first of several relay answers and ignores what another atSign sends", async () => {
  const { session } = await setUp({
    relay: (id) => [
      [`${id}.sshrvd`, `first.example.net,1000,1001,${NONCE}`],
      [`${id}.sshrvd`, `second.example.net,2000,2001,${NONCE}`],
    ],
  });
  assertEquals(session.relay.address, "first.example.net");
});

Deno.test("setUpSession() names what went wrong, with its code", async () => {
  const silent = { ping: null };
  const rows: [string, Peers, string, RegExp][] = [
    ["silent device", silent, "device_silent", /no answer within 0.2 s/],
    [
      "old device",
      { ping: '{"devicename":"web01","version":"4.0.5"}' },
      "daemon_refused",
      /does not authenticate to the socket rendezvous/,
    ],
    [
      "relay refuses",
      { relay: (id) => [[`nack.${id}.sshrvd`, "too many\nsessions"]] },
      "relay_refused",
      /said "too many sessions"/,
    ],
    [
      "relay answers nonsense",
      { relay: (id) => [[`${id}.sshrvd`, "host,99999,2,n"]] },
      "protocol_violation",
      /relay response/,
    ],
    [
      "not permitted",
      { respond: () => "Daemon does not permit connections to localhost:3389" },
      "permit_denied",
      /Daemon does not permit connections to localhost:3389/,
    ],
    [
      "wrong signer",
      {
        respond: (id, request) => {
          const other = new MemoryPlane().client("@x", "deviceApkam");
          return agree(id, request, other);
        },
      },
      "auth_failed",
      /signature/i,
    ],
    [
      "answer to another session",
      { respond: (_id, request, device) => agree(systemEntropy.uuid(), request, device) },
      "protocol_violation",
      /another session/,
    ],
  ];
  for (const [name, peers, code, message] of rows) {
    const error = await assertRejects(() => setUp(peers), NoportsError, { code });
    assertMatch(error.message, message, name);
  }
});

Deno.test("setUpSession() finds an unknown atSign at once", async () => {
  const to = parseAtSign("@nobody");
  const error = await assertRejects(() => setUp({}, { to }), NoportsError, {
    code: "atsign_unknown",
  });
  assertMatch(error.message, /@nobody/);
});
