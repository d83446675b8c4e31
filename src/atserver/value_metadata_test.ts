import { assertEquals } from "../../tests/assert.ts";
import { parseAtSign } from "../atprotocol/wire/mod.ts";
import { isActive, isFresh, mergeMetadata } from "./value_metadata.ts";

const alice = parseAtSign("@alice");

Deno.test("mergeMetadata() keeps ttl and restarts its clock, but not isEncrypted", () => {
  const first = mergeMetadata(null, { ttl: 1000, ivNonce: "n", isEncrypted: true }, alice, 10_000);
  assertEquals(first, {
    createdBy: "@alice",
    updatedBy: "@alice",
    createdAt: 10_000,
    updatedAt: 10_000,
    status: "active",
    version: 0,
    isBinary: false,
    isEncrypted: true,
    ttl: 1000,
    expiresAt: 11_000,
    ivNonce: "n",
  });
  const second = mergeMetadata(first, {}, alice, 20_000);
  assertEquals(second.expiresAt, 21_000);
  assertEquals(second.createdAt, 10_000);
  assertEquals(second.version, 1);
  assertEquals(second.isEncrypted, false);
  assertEquals(second.ivNonce, "n");
  const third = mergeMetadata(second, { ttl: 0, ivNonce: "null" }, alice, 30_000);
  assertEquals([third.ttl, third.expiresAt, third.ivNonce], [undefined, undefined, undefined]);
});

Deno.test("mergeMetadata() counts ttr in seconds, drops ccd without ttr, adds ttb to the end", () => {
  const plain = mergeMetadata(null, { ccd: true }, alice, 0);
  assertEquals(plain.ccd, undefined);
  const cached = mergeMetadata(null, { ttr: 5, ccd: true, ttb: 100, ttl: 50 }, alice, 1000);
  assertEquals(
    [cached.refreshAt, cached.ccd, cached.availableAt, cached.expiresAt],
    [6000, true, 1100, 1150],
  );
  assertEquals(mergeMetadata(null, { ttr: -1 }, alice, 0).refreshAt, undefined);
});

Deno.test("isActive() and isFresh() compare with the clock", () => {
  assertEquals(isActive({}, 5), true);
  assertEquals(isActive({ availableAt: 6 }, 5), false);
  assertEquals(isActive({ expiresAt: 5 }, 5), true);
  assertEquals(isActive({ expiresAt: 4 }, 5), false);
  assertEquals(isFresh({ ttr: -1 }, 5), true);
  assertEquals(isFresh({ ttr: 1, refreshAt: 5 }, 5), true);
  assertEquals(isFresh({ ttr: 1, refreshAt: 4 }, 5), false);
  assertEquals(isFresh({}, 5), false);
  assertEquals(isFresh({ ttr: -1, expiresAt: 4 }, 5), false);
});
