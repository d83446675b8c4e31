import fc from "fast-check";
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { assert, assertEquals, assertRejects } from "../../tests/assert.ts";
import { vectorKey, vectors } from "../../tests/vectors.ts";
import { NoportsError } from "../base/mod.ts";
import { encodeBase64 } from "../encoding/mod.ts";
import {
  decryptAesKeyRsa,
  decryptBase64Rsa,
  decryptRsaPkcs1,
  encryptRsaPkcs1,
  isRsaPair,
  normalizeRsaPrivateKey,
  normalizeRsaPublicKey,
  type RsaHash,
  rsaModulusBits,
  signRsa,
  signRsaSha256,
  verifyRsa,
} from "./mod.ts";

const alice = vectorKey("aliceEncryption");
const bob = vectorKey("bobEncryption");
const violation = { code: "protocol_violation" } as const;

Deno.test("signRsa() reproduces the vendor's PKAM signatures and verifyRsa() accepts them", () => {
  const cases = vectors<
    { privateKey: string; challenge: string; hashingAlgo: RsaHash; signatureBase64: string }[]
  >("atclient", "pkam");
  for (const v of cases) {
    const pair = vectorKey(v.privateKey);
    assertEquals(signRsa(pair.privateKey, v.challenge, v.hashingAlgo), v.signatureBase64);
    assert(verifyRsa(pair.publicKey, v.challenge, v.signatureBase64, v.hashingAlgo));
    const other: RsaHash = v.hashingAlgo === "sha256" ? "sha512" : "sha256";
    assert(!verifyRsa(pair.publicKey, v.challenge, v.signatureBase64, other));
    assert(!verifyRsa(pair.publicKey, `${v.challenge} `, v.signatureBase64, v.hashingAlgo));
    assert(!verifyRsa(bob.publicKey, v.challenge, v.signatureBase64, v.hashingAlgo));
  }
  const [data] = vectors<{ valueUtf8: string; dataSignature: string }[]>(
    "atclient",
    "publicDataSignature",
  );
  assertEquals(signRsaSha256(alice.privateKey, data?.valueUtf8 ?? ""), data?.dataSignature);
});

Deno.test("signRsaSha256() reproduces the C and Python SDKs' signatures", () => {
  const pkam = vectors<Record<string, string>>("peers", "c.pkam_signature");
  const python = vectors<Record<string, string>>("peers", "python.pkam_signature");
  const envelope = vectors<Record<string, string>>("peers", "c.envelope_signature");
  const key = pkam["pkam_private_key_base64_pkcs8"] ?? "";
  assertEquals(signRsaSha256(key, pkam["challenge"] ?? ""), pkam["signature_base64"]);
  assertEquals(signRsaSha256(key, python["challenge"] ?? ""), python["signature_base64"]);
  assert(
    verifyRsa(
      envelope["public_key_base64_spki"] ?? "",
      envelope["payload"] ?? "",
      envelope["signature_base64"] ?? "",
    ),
  );
});

Deno.test("decryptAesKeyRsa() reads what the vendor's, the C and the Python SDK encrypted", () => {
  const cases = vectors<{ privateKey: string; ciphertextBase64: string; plaintextUtf8: string }[]>(
    "atclient",
    "rsaPkcs1v15Decrypt",
  );
  for (const v of cases) {
    const { privateKey } = vectorKey(v.privateKey);
    assertEquals(decryptAesKeyRsa(privateKey, v.ciphertextBase64), v.plaintextUtf8);
  }
  const c = vectors<Record<string, string>>("peers", "c.rsa_pkcs1v15");
  const python = vectors<Record<string, string>>("peers", "python.rsa_pkcs1v15");
  const crossed = vectors<Record<string, string>>("peers", "c.rsa_cross_decrypt");
  const key = c["private_key_base64_pkcs8"] ?? "";
  assertEquals(decryptAesKeyRsa(key, c["ciphertext_base64"] ?? ""), c["plaintext"]);
  assertEquals(decryptAesKeyRsa(key, python["ciphertext_base64"] ?? ""), python["plaintext"]);
  assertEquals(decryptAesKeyRsa(key, crossed["ciphertext_base64"] ?? ""), crossed["decrypted"]);
});

Deno.test("decryptBase64Rsa() reads what encryptRsaPkcs1() wrote, for its key and length only", async () => {
  const key = encodeBase64(new Uint8Array(32).fill(3));
  const iv = encodeBase64(new Uint8Array(16).fill(4));
  const encryptedKey = encryptRsaPkcs1(bob.publicKey, key);
  assertEquals(decryptBase64Rsa(bob.privateKey, encryptedKey, 32), key);
  assertEquals(decryptBase64Rsa(bob.privateKey, encryptRsaPkcs1(bob.publicKey, iv), 16), iv);
  const hostile: [string, string, number][] = [
    [alice.privateKey, encryptedKey, 32],
    [bob.privateKey, encryptedKey, 16],
    [bob.privateKey, encryptRsaPkcs1(bob.publicKey, "hello"), 32],
    [bob.privateKey, encryptRsaPkcs1(bob.publicKey, ""), 0 + 32],
    [bob.privateKey, "", 32],
    [bob.privateKey, "AAAA", 32],
    [bob.privateKey, encodeBase64(new Uint8Array(256)), 32],
    [bob.privateKey, encodeBase64(new Uint8Array(256).fill(0xff)), 32],
    ["", encryptedKey, 32],
    [bob.publicKey, encryptedKey, 32],
  ];
  for (const [privateKey, ciphertext, bytes] of hostile) {
    await assertRejects(
      () => decryptBase64Rsa(privateKey, ciphertext, bytes),
      NoportsError,
      violation,
    );
  }
});

Deno.test("encryptRsaPkcs1() refuses bad keys and texts that do not fit", async () => {
  await assertRejects(() => encryptRsaPkcs1("AAAA", "x"), NoportsError, violation);
  await assertRejects(
    () => encryptRsaPkcs1(bob.publicKey, "x".repeat(246)),
    NoportsError,
    violation,
  );
  assertEquals(
    decryptRsaPkcs1(bob.privateKey, encryptRsaPkcs1(bob.publicKey, "é".repeat(122))),
    "é".repeat(122),
  );
});

Deno.test("RSA keys are accepted in PKCS#1 form and turned into the usual one", () => {
  const privateKey = createPrivateKey({
    key: Buffer.from(alice.privateKey, "base64"),
    format: "der",
    type: "pkcs8",
  }).export({ format: "der", type: "pkcs1" }).toString("base64");
  const publicKey = createPublicKey({
    key: Buffer.from(alice.publicKey, "base64"),
    format: "der",
    type: "spki",
  }).export({ format: "der", type: "pkcs1" }).toString("base64");
  assert(verifyRsa(publicKey, "text", signRsaSha256(privateKey, "text")));
  assertEquals(normalizeRsaPrivateKey(privateKey), alice.privateKey);
  assertEquals(normalizeRsaPublicKey(publicKey), alice.publicKey);
  assertEquals(normalizeRsaPrivateKey(alice.privateKey), alice.privateKey);
  assertEquals(normalizeRsaPublicKey(alice.publicKey), alice.publicKey);
});

Deno.test("isRsaPair() tells a pair from two halves", () => {
  assert(isRsaPair(alice.publicKey, alice.privateKey));
  assert(!isRsaPair(bob.publicKey, alice.privateKey));
  assert(!isRsaPair("", alice.privateKey));
  assert(!isRsaPair(alice.publicKey, "AAAA"));
});

Deno.test("rsaModulusBits() gives the size of an RSA key and null for anything else", () => {
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey
    .export({ format: "der", type: "spki" }).toString("base64");
  assertEquals(rsaModulusBits(alice.publicKey), 2048);
  for (const bad of ["", "AAAA", "no base64", alice.privateKey, ec, "A".repeat(10_000)]) {
    assertEquals(rsaModulusBits(bad), null);
    assertEquals(verifyRsa(bad, "x", encodeBase64(new Uint8Array(256))), false);
  }
});

Deno.test("RSA functions throw nothing but NoportsError for any text, verifyRsa() nothing at all", () =>
  fc.assert(
    fc.property(fc.oneof(fc.base64String(), fc.string()), fc.base64String(), (key, text) => {
      verifyRsa(key, text, text);
      verifyRsa(alice.publicKey, text, key);
      for (
        const run of [
          () => signRsaSha256(key, text),
          () => encryptRsaPkcs1(key, text),
          () => decryptRsaPkcs1(key, text),
          () => decryptRsaPkcs1(alice.privateKey, text),
        ]
      ) {
        try {
          run();
        } catch (error) {
          assert(error instanceof NoportsError);
        }
      }
    }),
  ));
