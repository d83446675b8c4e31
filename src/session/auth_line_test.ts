import { createHash } from "node:crypto";
import { assert, assertEquals } from "../../tests/assert.ts";
import { systemEntropy } from "../base/mod.ts";
import { AUTH_LINE, CLIENT_NONCE, PUBLIC_KEY, RVD_NONCE, SESSION_ID } from "./_appendix.ts";
import { createAuthLines, encodeAuthLine, verifyAuthLine } from "./auth_line.ts";
import { signWith, verifyWith } from "./signature.ts";

const PAYLOAD = { sessionId: SESSION_ID, clientNonce: CLIENT_NONCE, rvdNonce: RVD_NONCE };
const verify = verifyWith(PUBLIC_KEY);

Deno.test("verifyAuthLine() accepts the line of the test vectors", () => {
  assertEquals(AUTH_LINE.length, 553);
  assertEquals(
    createHash("sha256").update(AUTH_LINE).digest("hex"),
    "fc79acc7e99337693d66a5bdc0688af36d1f19950b087eb39fbddb9b2c40f1d8",
  );
  assertEquals(verifyAuthLine(AUTH_LINE, PAYLOAD, verify), { ok: true, connection: null });
});

Deno.test("encodeAuthLine() gives the layout of the test vectors", () => {
  const signature = (JSON.parse(AUTH_LINE) as { signature: string }).signature;
  const signed: string[] = [];
  const line = encodeAuthLine(PAYLOAD, (text) => {
    signed.push(text);
    return signature;
  });
  assertEquals(line, AUTH_LINE + "\n");
  assertEquals(signed, [AUTH_LINE.slice(11, AUTH_LINE.indexOf(',"signature"'))]);
});

Deno.test("createAuthLines() signs once and numbers each line outside of what is signed", async () => {
  const pair = await systemEntropy.rsaKeyPair();
  let signatures = 0;
  const sign = signWith(pair.privateKey);
  const lines = createAuthLines(PAYLOAD, (text) => {
    signatures++;
    return sign(text);
  });
  for (const connection of [0, 1, 77]) {
    const line = lines.line(connection).trimEnd();
    assertEquals(verifyAuthLine(line, PAYLOAD, verifyWith(pair.publicKey)), {
      ok: true,
      connection,
    });
  }
  assertEquals(signatures, 1);
});

Deno.test("verifyAuthLine() refuses what is not this session's line", () => {
  const good = JSON.parse(AUTH_LINE) as Record<string, unknown>;
  const other = { ...PAYLOAD, sessionId: "00000000-0000-4000-8000-000000000000" };
  const rows: [string, string, typeof PAYLOAD, string][] = [
    ["garbage", "GET / HTTP/1.1", PAYLOAD, "not a JSON object"],
    ["an array", "[1]", PAYLOAD, "not a JSON object"],
    ["deep nesting", "[".repeat(4000), PAYLOAD, "not a JSON object"],
    ["no payload", JSON.stringify({ ...good, payload: null }), PAYLOAD, "no payload"],
    ["sha512", JSON.stringify({ ...good, hashingAlgo: "sha512" }), PAYLOAD, "other algorithms"],
    ["no signature", JSON.stringify({ ...good, signature: 1 }), PAYLOAD, "no signature"],
    ["bad signature", AUTH_LINE.replace("EIPt", "AIPt"), PAYLOAD, "wrong signature"],
    ["another session's line", AUTH_LINE, other, "wrong signature"],
    [
      "another nonce",
      AUTH_LINE,
      { ...PAYLOAD, rvdNonce: "other" },
      "nonce of another session",
    ],
  ];
  for (const [name, line, expected, reason] of rows) {
    assertEquals(verifyAuthLine(line, expected, verify), { ok: false, reason }, name);
  }
});

Deno.test("verifyAuthLine() does not take a number that is none", () => {
  for (const connection of [-1, 1.5, "1", 2 ** 40, null]) {
    const line = JSON.stringify({ ...JSON.parse(AUTH_LINE), connection });
    assertEquals(verifyAuthLine(line, PAYLOAD, verify), { ok: true, connection: null });
  }
});

Deno.test("verifyWith() refuses keys that are not RSA-2048", () => {
  assert(!verifyWith("AAAA")("text", "AAAA"));
});
