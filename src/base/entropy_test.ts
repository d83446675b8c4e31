import { isRsaPair, rsaModulusBits } from "../crypto/mod.ts";
import { assert, assertEquals } from "../../tests/assert.ts";
import { prepareRsaKeyPair, systemEntropy } from "./entropy.ts";

Deno.test("rsaKeyPair() gives pairs of 2048 bits, a prepared one once", {
  // a prepared pair is the first of two: the other one is still being made when this test ends
  sanitizeOps: false,
}, async () => {
  prepareRsaKeyPair();
  prepareRsaKeyPair();
  const pairs = await Promise.all([systemEntropy.rsaKeyPair(), systemEntropy.rsaKeyPair()]);
  for (const { publicKey, privateKey } of pairs) {
    assertEquals(rsaModulusBits(publicKey), 2048);
    assert(isRsaPair(publicKey, privateKey));
  }
  assert(pairs[0].publicKey !== pairs[1].publicKey);
});
