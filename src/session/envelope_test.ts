import { assert, assertEquals, assertRejects } from "../../tests/assert.ts";
import { vectors } from "../../tests/vectors.ts";
import { NoportsError, systemEntropy } from "../base/mod.ts";
import { encodeSignedEnvelope, parseSignedEnvelope } from "./envelope.ts";
import { signWith, verifyWith } from "./signature.ts";

const pair = await systemEntropy.rsaKeyPair();
const sign = signWith(pair.privateKey);
const verify = verifyWith(pair.publicKey);

Deno.test("parseSignedEnvelope() accepts what the C daemon signed", () => {
  const v = vectors<Record<"payload" | "public_key_base64_spki" | "signature_base64", string>>(
    "peers",
    "c.envelope_signature",
  );
  const text =
    `{"payload":${v.payload},"signature":"${v.signature_base64}","hashingAlgo":"sha256","signingAlgo":"rsa2048"}`;
  assertEquals(
    parseSignedEnvelope(text, verifyWith(v.public_key_base64_spki)),
    JSON.parse(v.payload),
  );
});

Deno.test("encodeSignedEnvelope() keeps the order of members and signs compact JSON", () => {
  const text = encodeSignedEnvelope({ b: 1, a: "x", c: null }, sign);
  assert(text.startsWith('{"payload":{"b":1,"a":"x","c":null},"signature":"'));
  assert(text.endsWith('","hashingAlgo":"sha256","signingAlgo":"rsa2048"}'));
  assertEquals(parseSignedEnvelope(text, verify), { b: 1, a: "x", c: null });
});

Deno.test("parseSignedEnvelope() verifies the payload as received, then as compact JSON", () => {
  const spaced = '{ "a" : [1, {"payload": "}"}],\n"s":"\\"}" }';
  const tail = (text: string) =>
    `"signature" : "${sign(text)}","hashingAlgo":"sha256","signingAlgo":"rsa2048"}`;
  const payload = { a: [1, { payload: "}" }], s: '"}' };
  const asReceived = `{"payload" :${spaced} ,${tail(spaced)}`;
  assertEquals(parseSignedEnvelope(asReceived, verify), payload);
  const asCompact = `{"payload" :${spaced} ,${tail(JSON.stringify(payload))}`;
  assertEquals(parseSignedEnvelope(asCompact, verify), payload);
});

Deno.test("parseSignedEnvelope() gives the payload that was signed when there are two", async () => {
  const evil = '{"port":1}';
  const good = '{"port":2}';
  const tail = `"signature":"${sign(good)}","hashingAlgo":"sha256","signingAlgo":"rsa2048"}`;
  assertEquals(
    parseSignedEnvelope(`{"payload":${evil},"payload":${good},${tail}`, verify),
    { port: 2 },
  );
  await assertRejects(
    () => parseSignedEnvelope(`{"payload":${good},"payload":${evil},${tail}`, verify),
    NoportsError,
    { code: "auth_failed" },
  );
});

Deno.test("parseSignedEnvelope() refuses other forms, algorithms and signatures", async () => {
  const good = JSON.parse(encodeSignedEnvelope({ a: 1 }, sign)) as Record<string, unknown>;
  const rows: [string, string, string][] = [
    ["not JSON", "connected", "protocol_violation"],
    ["an array", "[]", "protocol_violation"],
    ["too long", JSON.stringify({ ...good, x: "x".repeat(70_000) }), "protocol_violation"],
    ["no payload", JSON.stringify({ ...good, payload: undefined }), "protocol_violation"],
    ["payload is text", JSON.stringify({ ...good, payload: "a" }), "protocol_violation"],
    ["sha512", JSON.stringify({ ...good, hashingAlgo: "sha512" }), "protocol_violation"],
    ["ecc", JSON.stringify({ ...good, signingAlgo: "ecc" }), "protocol_violation"],
    ["no signature", JSON.stringify({ ...good, signature: 7 }), "protocol_violation"],
    ["changed payload", JSON.stringify({ ...good, payload: { a: 2 } }), "auth_failed"],
    ["no base64", JSON.stringify({ ...good, signature: "***" }), "auth_failed"],
    [
      "nested too deeply",
      `{"payload":{"a":${"[".repeat(30_000)}${"]".repeat(30_000)}},` +
      '"signature":"x","hashingAlgo":"sha256","signingAlgo":"rsa2048"}',
      "protocol_violation",
    ],
  ];
  for (const [name, text, code] of rows) {
    const error = await assertRejects(() => parseSignedEnvelope(text, verify), NoportsError);
    if (name === "nested too deeply") assert(/auth_failed|protocol_violation/.test(error.code));
    else assertEquals(error.code, code, name);
  }
});
