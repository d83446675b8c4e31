import fc from "fast-check";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { assert, assertEquals, assertMatch, assertRejects } from "../../../tests/assert.ts";
import { vectors } from "../../../tests/vectors.ts";
import { NoportsError } from "../../base/mod.ts";
import { encryptAesText } from "../../crypto/mod.ts";
import { type AtKeys, encodeAtKeysFile, parseAtKeysFile, parseAtSign } from "./mod.ts";

const alice = parseAtSign("@alice");
const invalid = { code: "key_file_invalid" } as const;

interface DartFile {
  readonly fileContent: string;
  readonly decrypted: Record<string, string>;
}
interface PeerFile {
  readonly file: Record<string, string>;
  readonly decrypted: Record<string, string>;
}

const dart = vectors<DartFile>("atclient", "atKeysFile");

Deno.test("parseAtKeysFile() reads the vendor's file and encodeAtKeysFile() writes the same bytes", () => {
  const keys = parseAtKeysFile(dart.fileContent);
  assertEquals(keys, {
    pkam: {
      publicKey: dart.decrypted["aesPkamPublicKey"] ?? "",
      privateKey: dart.decrypted["aesPkamPrivateKey"] ?? "",
    },
    encryption: {
      publicKey: dart.decrypted["aesEncryptPublicKey"] ?? "",
      privateKey: dart.decrypted["aesEncryptPrivateKey"] ?? "",
    },
    selfEncryptionKey: dart.decrypted["selfEncryptionKey"] ?? "",
    apkamSymmetricKey: dart.decrypted["apkamSymmetricKey"] ?? "",
    enrollmentId: dart.decrypted["enrollmentId"] ?? "",
  });
  assertEquals(encodeAtKeysFile(alice, keys), dart.fileContent);
});

Deno.test("parseAtKeysFile() reads the C and Python SDKs' files, indented or not", () => {
  for (const path of ["c.atkeys", "c_enrolled_atkeys"]) {
    const v = vectors<PeerFile>("peers", path);
    for (const text of [JSON.stringify(v.file), JSON.stringify(v.file, null, 4)]) {
      const keys = parseAtKeysFile(text);
      assertEquals(keys.pkam.publicKey, v.decrypted["pkamPublicKey"]);
      assertEquals(keys.pkam.privateKey, v.decrypted["pkamPrivateKey"]);
      assertEquals(keys.encryption.publicKey, v.decrypted["encryptPublicKey"]);
      assertEquals(keys.encryption.privateKey, v.decrypted["encryptPrivateKey"]);
      assertEquals(keys.enrollmentId, v.decrypted["enrollmentId"]);
      assertEquals(keys.apkamSymmetricKey, v.decrypted["apkamSymmetricKey"]);
    }
  }
  const python = vectors<PeerFile>("peers", "python.atkeys");
  const keys = parseAtKeysFile(JSON.stringify(python.file, null, 4));
  assertEquals(keys.pkam.privateKey, python.decrypted["aesPkamPrivateKey"]);
  assertEquals(keys.encryption.privateKey, python.decrypted["aesEncryptPrivateKey"]);
  assertEquals("enrollmentId" in keys, false);
});

Deno.test("encodeAtKeysFile() leaves absent members out and parseAtKeysFile() gives back the rest", () => {
  const { apkamSymmetricKey: _a, enrollmentId: _b, ...legacy } = parseAtKeysFile(dart.fileContent);
  const text = encodeAtKeysFile(alice, legacy);
  assertEquals(Object.keys(JSON.parse(text)), [
    "aesPkamPublicKey",
    "aesEncryptPublicKey",
    "aesEncryptPrivateKey",
    "selfEncryptionKey",
    "@alice",
    "aesPkamPrivateKey",
  ]);
  assertEquals(parseAtKeysFile(text), legacy);
});

Deno.test("parseAtKeysFile() accepts PKCS#1 keys inside", () => {
  const keys = parseAtKeysFile(dart.fileContent);
  const der = { format: "der" } as const;
  const old: AtKeys = {
    ...keys,
    pkam: {
      publicKey: createPublicKey({
        key: Buffer.from(keys.pkam.publicKey, "base64"),
        ...der,
        type: "spki",
      })
        .export({ ...der, type: "pkcs1" }).toString("base64"),
      privateKey: createPrivateKey({
        key: Buffer.from(keys.pkam.privateKey, "base64"),
        ...der,
        type: "pkcs8",
      })
        .export({ ...der, type: "pkcs1" }).toString("base64"),
    },
  };
  assertEquals(parseAtKeysFile(encodeAtKeysFile(alice, old)), keys);
});

Deno.test("parseAtKeysFile() names a passphrase-protected file and an unknown envelope", async () => {
  const { fileContent } = vectors<{ fileContent: string }>("atclient", "passphraseAtKeysFile");
  const error = await assertRejects(() => parseAtKeysFile(fileContent), NoportsError, invalid);
  assertMatch(error.message, /protected by a passphrase/);
  assertMatch(error.hint ?? "", /decrypt/);
  for (const text of ['{"content":"AA==","version":1,"iv":"x"}', '{"content":"AA=="}']) {
    const unknown = await assertRejects(() => parseAtKeysFile(text), NoportsError, invalid);
    assertMatch(unknown.message, /does not know/);
  }
});

Deno.test("parseAtKeysFile() names the field that is missing or bad", async () => {
  const file = JSON.parse(dart.fileContent) as Record<string, unknown>;
  const required = [
    "selfEncryptionKey",
    "aesPkamPublicKey",
    "aesPkamPrivateKey",
    "aesEncryptPublicKey",
    "aesEncryptPrivateKey",
  ];
  const selfKey = String(file["selfEncryptionKey"]);
  const rows: [string, unknown][] = [
    ...required.flatMap((field): [string, unknown][] => [
      [field, undefined],
      [field, null],
      [field, ""],
      [field, 7],
      [field, "no base64"],
      [field, "AAAA"],
    ]),
    ["aesPkamPrivateKey", file["aesPkamPublicKey"]],
    ["aesPkamPublicKey", encryptAesText(selfKey, null, "not a key")],
    ["apkamSymmetricKey", "AAAA"],
    ["apkamSymmetricKey", 7],
    ["enrollmentId", "a:b"],
    ["enrollmentId", "a\nb"],
  ];
  for (const [field, value] of rows) {
    const text = JSON.stringify({ ...file, [field]: value });
    const error = await assertRejects(() => parseAtKeysFile(text), NoportsError, invalid);
    assert(error.message.includes(`"${field}"`), error.message);
  }
});

Deno.test("parseAtKeysFile() refuses large files and what is no JSON object, and shows nothing of the text", async () => {
  for (const text of ["", "null", "[]", '"x"', "secret{", `{"a":"${"x".repeat(65_536)}"}`]) {
    const error = await assertRejects(() => parseAtKeysFile(text), NoportsError, invalid);
    assert(!`${error.message}${error.cause}`.includes("secret"));
  }
});

Deno.test("parseAtKeysFile() throws nothing but NoportsError for any JSON", () => {
  const value = fc.oneof(fc.base64String(), fc.string(), fc.jsonValue());
  const file = fc.dictionary(fc.constantFrom(...Object.keys(JSON.parse(dart.fileContent))), value);
  fc.assert(
    fc.property(fc.oneof(file.map((f) => JSON.stringify(f)), fc.json(), fc.string()), (text) => {
      try {
        parseAtKeysFile(text);
      } catch (error) {
        assert(error instanceof NoportsError && error.code === "key_file_invalid");
      }
    }),
  );
});
