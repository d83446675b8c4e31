import fc from "fast-check";
import { assert, assertEquals, assertRejects } from "../../tests/assert.ts";
import { vectorKey, vectors } from "../../tests/vectors.ts";
import { NoportsError } from "../base/mod.ts";
import { encodeBase64 } from "../encoding/mod.ts";
import { decryptAesText, encryptAesText } from "./mod.ts";

const KEY = encodeBase64(new Uint8Array(32).fill(7));
const IV = encodeBase64(new Uint8Array(16).fill(9));

Deno.test("AES text agrees with the vendor's vectors both ways", () => {
  const cases = vectors<
    {
      name: string;
      keyBase64: string;
      ivBase64: string;
      plaintextUtf8: string;
      ciphertextBase64: string;
    }[]
  >("atclient", "aes256CtrPkcs7");
  for (const v of cases) {
    assertEquals(encryptAesText(v.keyBase64, v.ivBase64, v.plaintextUtf8), v.ciphertextBase64);
    assertEquals(
      decryptAesText(v.keyBase64, v.ivBase64, v.ciphertextBase64),
      v.plaintextUtf8,
      v.name,
    );
  }
});

for (const peer of ["c", "python"] as const) {
  Deno.test(`AES text agrees with the ${peer} SDK both ways`, () => {
    const cases = vectors<
      { key_base64: string; iv_base64: string; plaintext: string; ciphertext_base64: string }[]
    >("peers", `${peer}.aes_ctr_pkcs7`);
    for (const v of cases) {
      assertEquals(encryptAesText(v.key_base64, v.iv_base64, v.plaintext), v.ciphertext_base64);
      assertEquals(decryptAesText(v.key_base64, v.iv_base64, v.ciphertext_base64), v.plaintext);
    }
  });
}

Deno.test("AES text reads and writes self keys and enrollment keys as the vendor does", () => {
  const selfKeys = vectors<
    {
      selfEncryptionKey: string;
      ivBase64: string;
      plaintextUtf8: string;
      ciphertextBase64: string;
    }[]
  >("atclient", "selfKey");
  for (const v of selfKeys) {
    assertEquals(
      encryptAesText(v.selfEncryptionKey, v.ivBase64, v.plaintextUtf8),
      v.ciphertextBase64,
    );
  }
  const approvals = vectors<
    {
      apkamSymmetricKey: string;
      encPrivateKeyIV?: string;
      selfEncKeyIV?: string;
      encryptedDefaultEncryptionPrivateKey: string;
      encryptedDefaultSelfEncryptionKey: string;
      decryptedSelfEncryptionKey: string;
    }[]
  >("atclient", "enrollmentApproval");
  for (const v of approvals) {
    const read = (iv: string | undefined, text: string): string =>
      decryptAesText(v.apkamSymmetricKey, iv ?? null, text);
    assertEquals(
      read(v.encPrivateKeyIV, v.encryptedDefaultEncryptionPrivateKey),
      vectorKey("aliceEncryption").privateKey,
    );
    assertEquals(
      read(v.selfEncKeyIV, v.encryptedDefaultSelfEncryptionKey),
      v.decryptedSelfEncryptionKey,
    );
  }
});

Deno.test("decryptAesText() gives back any text", () =>
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), fc.boolean(), (text, withIv) => {
    const iv = withIv ? IV : null;
    assertEquals(decryptAesText(KEY, iv, encryptAesText(KEY, iv, text)), text);
  })));

Deno.test("decryptAesText() refuses a wrong key, IV, length or padding", async () => {
  const padded = (...last: number[]): string => {
    // counter mode: the cipher of zeros is the keystream, so any padded plaintext can be forged
    const zeros = encryptAesText(KEY, null, "\0".repeat(15));
    const stream = Uint8Array.fromBase64(zeros);
    stream[15] = (stream[15] ?? 0) ^ 1;
    const plain = new Uint8Array(16).fill(0x61);
    plain.set(last, 16 - last.length);
    return encodeBase64(stream.map((byte, i) => byte ^ (plain[i] ?? 0)));
  };
  assertEquals(decryptAesText(KEY, null, padded(1)), "a".repeat(15));
  const whole = encryptAesText(KEY, null, "x");
  const hostile: [string, string | null, string][] = [
    [KEY, null, padded(0)],
    [KEY, null, padded(17)],
    [KEY, null, padded(2, 3, 3)],
    [KEY, null, padded(3, 2, 3)],
    [KEY, null, padded(0xff, 1)],
    [KEY, null, ""],
    [KEY, null, encodeBase64(Uint8Array.fromBase64(whole).subarray(0, 15))],
    [KEY, null, "not base64"],
    [encodeBase64(new Uint8Array(32).fill(8)), null, whole],
    [encodeBase64(new Uint8Array(16)), null, whole],
    ["", null, whole],
    [KEY, "", whole],
    [KEY, encodeBase64(new Uint8Array(12)), whole],
  ];
  for (const [key, iv, text] of hostile) {
    await assertRejects(() => decryptAesText(key, iv, text), NoportsError, {
      code: "protocol_violation",
    });
  }
});

Deno.test("decryptAesText() throws nothing else for any arguments", () =>
  fc.assert(fc.property(fc.base64String(), fc.base64String(), fc.string(), (a, b, text) => {
    try {
      decryptAesText(a, b, text);
      decryptAesText(KEY, IV, a);
    } catch (error) {
      assert(error instanceof NoportsError);
    }
  })));
