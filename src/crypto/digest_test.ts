import { assertEquals } from "../../tests/assert.ts";
import { vectorKey, vectors } from "../../tests/vectors.ts";
import { cramDigest, publicKeyChecksum } from "./mod.ts";

Deno.test("cramDigest() agrees with the vendor's and the Python SDK's digests", () => {
  const cases = vectors<{ secret: string; challenge: string; digestHex: string }[]>(
    "atclient",
    "cram",
  );
  for (const v of cases) assertEquals(cramDigest(v.secret, v.challenge), v.digestHex);
  const python = vectors<{ secret: string; challenge: string; digest: string }>(
    "peers",
    "python.cram",
  );
  assertEquals(cramDigest(python.secret, python.challenge), python.digest);
  assertEquals(
    cramDigest(
      "secret",
      "_7f0c9c0e-6f6d-4f2e-9a55-0d7b8f1f2a33@alice:2f6a1f5e-0c7e-4b0a-8d4b-6c1f0a9b7e55",
    ),
    "32efac556479416969e4119511ed5302be57eddc2e41ed29dacadd0fab3b408f" +
      "7279f5155c5535be7f7f3e55653f85f4011ab399baf795e42516459a8b21f26a",
  );
});

Deno.test("publicKeyChecksum() agrees with the vendor's checksums", () => {
  const cases = vectors<{ publicKey: string; md5HexOfPublicKeyBase64Text: string }[]>(
    "atclient",
    "pubKeyCS",
  );
  for (const v of cases) {
    assertEquals(
      publicKeyChecksum(vectorKey(v.publicKey).publicKey),
      v.md5HexOfPublicKeyBase64Text,
    );
  }
});
