import { ECDH, generateKeyPairSync, sign } from "node:crypto";
import { Buffer } from "node:buffer";
import { assert } from "../../tests/assert.ts";
import { encodeBase64, encodeUtf8 } from "../encoding/mod.ts";
import { verifyEccP256 } from "./mod.ts";

Deno.test("verifyEccP256() accepts either form of the point and refuses everything else", () => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const point = publicKey.export({ format: "der", type: "spki" }).subarray(-65).toString("hex");
  const short = ECDH.convertKey(point, "prime256v1", "hex", "hex", "compressed") as string;
  const raw = sign("sha256", Buffer.from("text"), { key: privateKey, dsaEncoding: "ieee-p1363" });
  const signature = encodeBase64(encodeUtf8(raw.toString("hex")));
  assert(verifyEccP256(point, "text", signature));
  assert(verifyEccP256(short, "text", signature));
  assert(verifyEccP256(point.toUpperCase(), "text", signature));
  assert(!verifyEccP256(point, "other", signature));
  assert(!verifyEccP256(point, "text", encodeBase64(raw)), "bytes instead of their hex");
  assert(!verifyEccP256("04" + "00".repeat(64), "text", signature), "not on the curve");
  assert(!verifyEccP256("", "text", signature));
  assert(!verifyEccP256(point.slice(2), "text", signature));
  assert(!verifyEccP256(point, "text", "*"));
});
