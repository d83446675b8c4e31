/** The messages of a session, one after the other. */

import { assert, assertEquals, assertMatch, assertRejects } from "../../tests/assert.ts";
import { parseAtSign } from "../atprotocol/wire/mod.ts";
import { NoportsError, systemEntropy } from "../base/mod.ts";
import { CLIENT_NONCE, PUBLIC_KEY, RVD_NONCE, SESSION_ID } from "./_appendix.ts";
import {
  createNonce,
  createSessionKeys,
  encodeNptRequest,
  encodePingResponse,
  encodeRelayRequest,
  encodeRelayResponse,
  encodeSessionResponse,
  hasFeature,
  isParallelDaemon,
  isSessionId,
  type NptRequest,
  parseNptRequest,
  parsePingResponse,
  parseRelayRequest,
  parseRelayResponse,
  parseSessionResponse,
  refusalError,
  requireFeatures,
  signWith,
  unwrapSessionKeys,
  verifyWith,
  wrapSessionKeys,
} from "./mod.ts";

const pair = await systemEntropy.rsaKeyPair();
const sign = signWith(pair.privateKey);
const verify = verifyWith(pair.publicKey);

const VENDOR_REQUEST =
  '{"sessionId":"6f2b7f5e-3c1d-4d0e-9a51-0c6a8f0b7d11","atSignA":"@alice","atSignB":"@bob_dev","authenticateSocketA":true,"authenticateSocketB":true,"clientNonce":"2024-10-24T13:10:04.123456"}';

Deno.test("isSessionId() takes version 4 UUIDs in lower case only", () => {
  assert(isSessionId(SESSION_ID));
  for (
    const text of [
      SESSION_ID.toUpperCase(),
      SESSION_ID.replace("-4", "-1"),
      SESSION_ID.replace("-9", "-c"),
      SESSION_ID + "\n",
      `${SESSION_ID}.x`,
      "",
      null,
    ]
  ) assert(!isSessionId(text));
});

Deno.test("createNonce() gives 32 random bytes in an alphabet that every peer accepts", () => {
  assertMatch(createNonce(systemEntropy), /^[A-Za-z0-9_-]{43}$/);
});

Deno.test("parseRelayRequest() reads the vendor's request", () => {
  assertEquals(parseRelayRequest(VENDOR_REQUEST), {
    sessionId: SESSION_ID,
    atSignA: parseAtSign("@alice"),
    atSignB: parseAtSign("@bob_dev"),
    authenticateSocketA: true,
    authenticateSocketB: true,
    clientNonce: CLIENT_NONCE,
    sendJsonResponse: false,
    multipleAcksOk: false,
    relayAuthMode: "payload",
    only443: false,
  });
});

Deno.test("encodeRelayRequest() starts with the vendor's members in their order", () => {
  const text = encodeRelayRequest(parseRelayRequest(VENDOR_REQUEST));
  assert(text.startsWith(VENDOR_REQUEST.slice(0, -1)));
  const { sendJsonResponse, multipleAcksOk } = parseRelayRequest(text);
  assert(sendJsonResponse && multipleAcksOk);
});

Deno.test("parseRelayRequest() refuses what is missing or of another type", async () => {
  const good = JSON.parse(VENDOR_REQUEST) as Record<string, unknown>;
  const rows: [string, unknown][] = [
    ["sessionId", "../x"],
    ["atSignA", 5],
    ["atSignB", ""],
    ["authenticateSocketA", "true"],
    ["authenticateSocketB", null],
    ["clientNonce", "a\nb"],
    ["clientNonce", "x".repeat(3000)],
  ];
  for (const [name, value] of rows) {
    await assertRejects(
      () => parseRelayRequest(JSON.stringify({ ...good, [name]: value })),
      NoportsError,
    );
  }
  await assertRejects(() => parseRelayRequest("not json"), NoportsError, {
    code: "protocol_violation",
  });
});

Deno.test("relay responses are read in both forms", () => {
  const csv = "relay1.example.net,39017,41325,2024-10-24T12:10:05.654321";
  const response = {
    address: "relay1.example.net",
    portA: 39017,
    portB: 41325,
    rvdNonce: RVD_NONCE,
    numberedPairing: false,
  };
  assertEquals(parseRelayResponse(csv), response);
  assertEquals(encodeRelayResponse(response, "csv"), csv);
  assertEquals(parseRelayResponse(encodeRelayResponse(response, "json")), response);
  const ours = { ...response, numberedPairing: true };
  assertEquals(parseRelayResponse(encodeRelayResponse(ours, "json")), ours);
  assertEquals(parseRelayResponse("10.0.0.1,1,65535"), {
    ...response,
    address: "10.0.0.1",
    portA: 1,
    portB: 65535,
    rvdNonce: null,
  });
  assertEquals(parseRelayResponse("h,1,2,null").rvdNonce, null);
});

Deno.test("parseRelayResponse() refuses ports and addresses that are none", async () => {
  for (
    const text of [
      "",
      "h",
      "h,0,5,n",
      "h,5,65536,n",
      "h,5,x,n",
      "h,5,-1,n",
      ",5,6,n",
      "a b,5,6,n",
      '{"address":"h","portA":"1","portB":2}',
      '{"address":"h","portA":1.5,"portB":2}',
      '{"portA":1,"portB":2}',
      "{",
    ]
  ) {
    await assertRejects(() => parseRelayResponse(text), NoportsError, {
      code: "protocol_violation",
    });
  }
});

Deno.test("parsePingResponse() reads the vendor's daemons and keeps their order", () => {
  const vendor =
    '{"devicename":"web01","deviceGroupName":"__none__","version":"5.6.3","corePackageVersion":"6.2.0","supportedFeatures":{"srAuth":true,"srE2ee":true,"acceptsPublicKeys":true,"supportsPortChoice":true,"adjustableTimeout":true},"allowedServices":["localhost:22","localhost:3389"]}';
  const ping = parsePingResponse(vendor);
  assertEquals(encodePingResponse(ping), vendor);
  requireFeatures(ping, ["srAuth", "srE2ee", "supportsPortChoice", "adjustableTimeout"]);
  assert(!isParallelDaemon(ping));
  const c = parsePingResponse(vendor.replace("6.2.0", "c0.1.0"));
  assert(isParallelDaemon(c));
});

Deno.test("parsePingResponse() takes a daemon without features for one of version 4", async () => {
  const ping = parsePingResponse('{"devicename":"web01","version":"4.0.5"}');
  assertEquals(ping.supportedFeatures, { acceptsPublicKeys: true });
  assert(!hasFeature(ping, "srAuth"));
  const error = await assertRejects(() => requireFeatures(ping, ["srE2ee"]), NoportsError, {
    code: "daemon_refused",
  });
  assertEquals(
    error.message,
    "This device daemon does not encrypt traffic to the socket rendezvous",
  );
});

Deno.test("parsePingResponse() refuses what is no ping response", async () => {
  for (
    const text of [
      "ping",
      "{}",
      '{"devicename":5}',
      '{"devicename":"d","supportedFeatures":[]}',
      '{"devicename":"d","allowedServices":{}}',
      `{"devicename":"d","x":"${"x".repeat(40_000)}"}`,
    ]
  ) await assertRejects(() => parsePingResponse(text), NoportsError);
});

const REQUEST: NptRequest = {
  sessionId: SESSION_ID,
  rvdHost: "relay1.example.net",
  rvdPort: 41325,
  requestedPort: 3389,
  requestedHost: "localhost",
  authenticateToRvd: true,
  clientNonce: CLIENT_NONCE,
  rvdNonce: RVD_NONCE,
  encryptRvdTraffic: true,
  clientEphemeralPK: PUBLIC_KEY,
  clientEphemeralPKType: "rsa2048",
  timeoutMs: 30000,
  twinKeys: false,
  numberedPairing: false,
};

Deno.test("encodeNptRequest() signs the payload of the test vectors", () => {
  const text = encodeNptRequest(REQUEST, sign);
  const payload =
    '{"sessionId":"6f2b7f5e-3c1d-4d0e-9a51-0c6a8f0b7d11","rvdHost":"relay1.example.net","rvdPort":41325,"requestedPort":3389,"requestedHost":"localhost","authenticateToRvd":true,"clientNonce":"2024-10-24T13:10:04.123456","rvdNonce":"2024-10-24T12:10:05.654321","encryptRvdTraffic":true,"clientEphemeralPK":"' +
    PUBLIC_KEY + '","clientEphemeralPKType":"rsa2048","timeout":30000}';
  assert(text.startsWith(`{"payload":${payload},"signature":"`));
  assertEquals(parseNptRequest(text, verify), REQUEST);
  const more = { ...REQUEST, twinKeys: true, numberedPairing: true, timeoutMs: 0 };
  assertEquals(parseNptRequest(encodeNptRequest(more, sign), verify), more);
});

Deno.test("parseNptRequest() takes a request without timeout to mean 60 s", () => {
  const payload = JSON.parse(encodeNptRequest(REQUEST, sign)).payload;
  delete payload.timeout;
  const text = JSON.stringify({
    payload,
    signature: sign(JSON.stringify(payload)),
    hashingAlgo: "sha256",
    signingAlgo: "rsa2048",
  });
  assertEquals(parseNptRequest(text, verify).timeoutMs, 60_000);
});

Deno.test("parseNptRequest() refuses requests that miss or misstate a member", async () => {
  const rows: [keyof NptRequest, unknown][] = [
    ["sessionId", "abc"],
    ["rvdHost", ""],
    ["rvdHost", "a b"],
    ["rvdPort", 0],
    ["requestedPort", 70000],
    ["requestedHost", "a\u0000b"],
    ["authenticateToRvd", 1],
    ["clientNonce", null],
    ["rvdNonce", undefined],
    ["encryptRvdTraffic", "yes"],
    ["clientEphemeralPKType", "ed25519"],
    ["timeoutMs", -1],
    ["timeoutMs", 1.5],
  ];
  for (const [name, value] of rows) {
    const text = encodeNptRequest({ ...REQUEST, [name]: value } as NptRequest, sign);
    await assertRejects(() => parseNptRequest(text, verify), NoportsError, {
      code: "protocol_violation",
    });
  }
  await assertRejects(
    () => parseNptRequest(encodeNptRequest(REQUEST, sign), verifyWith(PUBLIC_KEY)),
    NoportsError,
    { code: "auth_failed" },
  );
});

Deno.test("session keys pass through a response, with one key or one for each direction", () => {
  for (const twin of [false, true]) {
    const keys = createSessionKeys(systemEntropy, { twin });
    const text = encodeSessionResponse(
      { sessionId: SESSION_ID, keys: wrapSessionKeys(keys, pair.publicKey) },
      sign,
    );
    const response = parseSessionResponse(text, { sessionId: SESSION_ID, verify });
    assert(response.kind === "connected" && response.keys !== null);
    assertEquals(unwrapSessionKeys(response.keys, pair.privateKey), keys);
    assertEquals(keys.toDaemon === keys.toClient, !twin);
  }
});

Deno.test("encodeSessionResponse() gives null keys when nothing is encrypted", () => {
  const text = encodeSessionResponse({ sessionId: SESSION_ID, keys: null }, sign);
  assert(
    text.startsWith(
      `{"payload":{"status":"connected","sessionId":"${SESSION_ID}","sessionAESKey":null,"sessionIV":null},`,
    ),
  );
  assertEquals(parseSessionResponse(text, { sessionId: SESSION_ID, verify }), {
    kind: "connected",
    sessionId: SESSION_ID,
    keys: null,
  });
});

Deno.test("parseSessionResponse() checks status, session and signature", async () => {
  const answer = (payload: Record<string, unknown>) =>
    JSON.stringify({
      payload,
      signature: sign(JSON.stringify(payload)),
      hashingAlgo: "sha256",
      signingAlgo: "rsa2048",
    });
  const other = "00000000-0000-4000-8000-000000000000";
  const rows: [string, string, typeof verify][] = [
    [answer({ status: "connected", sessionId: other }), "protocol_violation", verify],
    [answer({ status: "failed", sessionId: SESSION_ID }), "protocol_violation", verify],
    [
      answer({ status: "connected", sessionId: SESSION_ID, sessionAESKey: 5 }),
      "protocol_violation",
      verify,
    ],
    [answer({ status: "connected", sessionId: SESSION_ID }), "auth_failed", verifyWith(PUBLIC_KEY)],
    ["{", "protocol_violation", verify],
  ];
  for (const [text, code, check] of rows) {
    const error = await assertRejects(
      () => parseSessionResponse(text, { sessionId: SESSION_ID, verify: check }),
      NoportsError,
    );
    assertEquals(error.code, code);
  }
});

Deno.test("parseSessionResponse() takes plain text for a refusal and makes it one safe line", () => {
  const text = "Daemon does not permit connections to h:1\u001b[31m\n";
  const response = parseSessionResponse(text, { sessionId: SESSION_ID, verify });
  assertEquals(response, {
    kind: "refused",
    text: "Daemon does not permit connections to h:1 [31m",
  });
  assertEquals(refusalError("Daemon does not permit connections to h:1").code, "permit_denied");
  assertEquals(refusalError("Signature not verified: x").code, "daemon_refused");
});

Deno.test("wrapSessionKeys() refuses keys whose modulus is not 2048 bits", async () => {
  const keys = createSessionKeys(systemEntropy);
  const small = await crypto.subtle.generateKey(
    {
      name: "RSA-OAEP",
      hash: "SHA-256",
      modulusLength: 1024,
      publicExponent: new Uint8Array([1, 0, 1]),
    },
    true,
    ["encrypt", "decrypt"],
  );
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", small.publicKey)).toBase64();
  for (const key of [spki, "AAAA", ""]) {
    await assertRejects(() => wrapSessionKeys(keys, key), NoportsError, {
      code: "protocol_violation",
    });
  }
});

Deno.test("unwrapSessionKeys() refuses what was not encrypted for the key or has another length", async () => {
  const other = await systemEntropy.rsaKeyPair();
  const keys = createSessionKeys(systemEntropy);
  const wrapped = wrapSessionKeys(keys, pair.publicKey);
  await assertRejects(() => unwrapSessionKeys(wrapped, other.privateKey), NoportsError, {
    code: "protocol_violation",
  });
  const short = wrapSessionKeys({
    ...keys,
    toDaemon: { key: keys.toDaemon.iv, iv: keys.toDaemon.iv },
    toClient: { key: keys.toDaemon.iv, iv: keys.toDaemon.iv },
  }, pair.publicKey);
  await assertRejects(() => unwrapSessionKeys(short, pair.privateKey), NoportsError);
});
