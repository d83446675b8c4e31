import fc from "fast-check";
import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { vectorKey, vectors } from "../../../tests/vectors.ts";
import { NoportsError } from "../../base/mod.ts";
import { decryptAesKeyRsa, decryptAesText } from "../../crypto/mod.ts";
import {
  encodeAllResult,
  encodeMetadata,
  encodeMetadataJson,
  encodeStoredMetadataJson,
  encodeTimestamp,
  type Metadata,
  parseAllResult,
  parseMetadataJson,
  parseReply,
  parseTimestamp,
  type StoredMetadata,
} from "./mod.ts";

const FULL: StoredMetadata = {
  skeEncAlgo: "n",
  skeEncKeyName: "m",
  ivNonce: "l==",
  encAlgo: "AES/SIC/PKCS7Padding",
  encKeyName: "k",
  encoding: "base64",
  pubKeyCS: "j",
  sharedKeyEnc: "i",
  dataSignature: "h",
  isEncrypted: true,
  isBinary: false,
  ccd: true,
  ttr: -1,
  ttb: 5,
  ttl: 60_000,
  version: 3,
  status: "active",
  refreshAt: 1_700_000_000_005,
  expiresAt: 1_700_000_000_004,
  availableAt: 1_700_000_000_003,
  updatedAt: 1_700_000_000_002,
  createdAt: 1_700_000_000_001,
  updatedBy: "@alice",
  createdBy: "@alice",
};

Deno.test("encodeMetadata() writes the options in the specified order", () => {
  const metadata: Metadata = { ...FULL, sharedKeyStatus: "s" };
  assertEquals(
    encodeMetadata(metadata),
    ":ttl:60000:ttb:5:ttr:-1:ccd:true:dataSignature:h:sharedKeyStatus:s:isBinary:false:isEncrypted:true" +
      ":sharedKeyEnc:i:pubKeyCS:j:encoding:base64:encKeyName:k:encAlgo:AES/SIC/PKCS7Padding:ivNonce:l==" +
      ":skeEncKeyName:m:skeEncAlgo:n",
  );
  assertEquals(encodeMetadata({}), "");
});

Deno.test("encodeMetadata() refuses values that would break the line", async () => {
  for (const text of ["", "a:b", "a@b", "a b", "a\nb"]) {
    await assertRejects(() => encodeMetadata({ ivNonce: text }), NoportsError, { code: "usage" });
  }
  for (const ttl of [1.5, NaN, Infinity]) {
    await assertRejects(() => encodeMetadata({ ttl }), NoportsError, { code: "usage" });
  }
});

Deno.test("encodeStoredMetadataJson() writes the specified order and dates, and omits what is absent", () => {
  assertEquals(
    encodeStoredMetadataJson(FULL),
    '{"createdBy":"@alice","updatedBy":"@alice","createdAt":"2023-11-14 22:13:20.001Z",' +
      '"updatedAt":"2023-11-14 22:13:20.002Z","availableAt":"2023-11-14 22:13:20.003Z",' +
      '"expiresAt":"2023-11-14 22:13:20.004Z","refreshAt":"2023-11-14 22:13:20.005Z",' +
      '"status":"active","version":3,"ttl":60000,"ttb":5,"ttr":-1,"ccd":true,"isBinary":false,' +
      '"isEncrypted":true,"dataSignature":"h","sharedKeyEnc":"i","pubKeyCS":"j","encoding":"base64",' +
      '"encKeyName":"k","encAlgo":"AES/SIC/PKCS7Padding","ivNonce":"l==","skeEncKeyName":"m","skeEncAlgo":"n"}',
  );
  assertEquals(encodeStoredMetadataJson({}), "{}");
  assertEquals(parseMetadataJson(encodeStoredMetadataJson(FULL)), FULL);
  assertEquals(encodeMetadataJson({ isBinary: false, ttl: 1 }), '{"ttl":1,"isBinary":false}');
});

Deno.test("parseMetadataJson() takes nulls, the text null, and booleans and numbers as text", () => {
  assertEquals(
    parseMetadataJson(
      '{"ttl":"60000","ttr":null,"isBinary":"False","isEncrypted":"true","ivNonce":"null",' +
        '"encAlgo":null,"version":"0","createdAt":"2025-01-31T09:15:42.123456Z","expiresAt":"null",' +
        '"unknown":1,"pubKeyCS":7,"__proto__":{"ttl":1},"ccd":"maybe","ttb":1.5}',
    ),
    {
      ttl: 60_000,
      isBinary: false,
      isEncrypted: true,
      version: 0,
      createdAt: Date.UTC(2025, 0, 31, 9, 15, 42, 123),
    },
  );
});

Deno.test("parseMetadataJson() and parseAllResult() throw nothing but NoportsError", async () => {
  for (const text of ["", "null", "[]", "1", '"x"', "{", "{]}"]) {
    await assertRejects(() => parseMetadataJson(text), NoportsError, {
      code: "protocol_violation",
    });
    await assertRejects(() => parseAllResult(text), NoportsError, { code: "protocol_violation" });
  }
  fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
    try {
      parseMetadataJson(text);
      parseAllResult(text);
    } catch (error) {
      assert(error instanceof NoportsError);
    }
  }));
});

Deno.test("parseAllResult() reads the vendor's lookup, whose value decrypts", () => {
  const cases = vectors<{ response: string; decryptWith: string; plaintextUtf8: string }[]>(
    "atclient",
    "lookupAll",
  );
  for (const v of cases) {
    const reply = parseReply(v.response);
    assert(reply.kind === "data");
    const { key, data, metadata } = parseAllResult(reply.value);
    assertEquals(key, "@bob:device_info.dev1.sshnp@alice");
    assertEquals(metadata.ttl, 2_592_000_000);
    assertEquals(metadata.ttr, -1);
    assertEquals(metadata.createdAt, Date.UTC(2023, 10, 14, 22, 13, 20));
    const aesKey = decryptAesKeyRsa(
      vectorKey(v.decryptWith).privateKey,
      metadata.sharedKeyEnc ?? "",
    );
    assertEquals(decryptAesText(aesKey, metadata.ivNonce ?? null, data ?? ""), v.plaintextUtf8);
    assertEquals(encodeAllResult({ key, data, metadata }), reply.value);
  }
});

Deno.test("parseTimestamp() reads both forms of what encodeTimestamp() writes, and nothing else", () => {
  fc.assert(
    fc.property(fc.date({ min: new Date(0), max: new Date(9e12), noInvalidDate: true }), (date) => {
      const text = encodeTimestamp(date.getTime());
      assertEquals(parseTimestamp(text), date.getTime());
      assertEquals(parseTimestamp(text.replace(" ", "T")), date.getTime());
    }),
  );
  for (
    const text of [
      "",
      "null",
      "2025-01-31",
      "2025-13-31 09:15:42.123Z",
      "x2025-01-31 09:15:42Z",
      "2025-01-31 99:15:42Z",
    ]
  ) {
    assertEquals(parseTimestamp(text), null);
  }
  assertEquals(parseTimestamp("2025-01-31 09:15:42"), Date.UTC(2025, 0, 31, 9, 15, 42));
});
