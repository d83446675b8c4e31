import fc from "fast-check";
import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { NoportsError } from "../../base/mod.ts";
import {
  AtError,
  type AtKey,
  encodeKeyRef,
  isSharedKeyName,
  normalizeKey,
  parseAtKey,
} from "./mod.ts";

Deno.test("parseAtKey() takes every kind of key apart", () => {
  const rows: [string, AtKey][] = [
    ["public:publickey@alice", {
      kind: "public",
      cached: false,
      entity: "publickey",
      owner: "@alice",
    }],
    ["@Bob:Phone.Wavi@alice", {
      kind: "shared",
      cached: false,
      sharedWith: "@bob",
      entity: "phone.wavi",
      namespace: "wavi",
      owner: "@alice",
    }],
    ["x.dev1.sshnp@alice", {
      kind: "self",
      cached: false,
      entity: "x.dev1.sshnp",
      namespace: "sshnp",
      owner: "@alice",
    }],
    ["@alice:x@alice", {
      kind: "self",
      cached: false,
      sharedWith: "@alice",
      entity: "x",
      owner: "@alice",
    }],
    ["cached:@alice:k.ns@bob", {
      kind: "shared",
      cached: true,
      sharedWith: "@alice",
      entity: "k.ns",
      namespace: "ns",
      owner: "@bob",
    }],
    ["cached:public:k@bob", { kind: "public", cached: true, entity: "k", owner: "@bob" }],
    ["private:blocklist@alice", {
      kind: "private",
      cached: false,
      entity: "blocklist",
      owner: "@alice",
    }],
    ["private:@bob:x@alice", {
      kind: "private",
      cached: false,
      sharedWith: "@bob",
      entity: "x",
      owner: "@alice",
    }],
    ["local:x.ns@alice", {
      kind: "local",
      cached: false,
      entity: "x.ns",
      namespace: "ns",
      owner: "@alice",
    }],
    ["privatekey:at_secret", { kind: "reserved", cached: false, entity: "privatekey:at_secret" }],
    ["configkey", { kind: "reserved", cached: false, entity: "configkey" }],
    ["public:__x@alice", { kind: "public", cached: false, entity: "__x", owner: "@alice" }],
  ];
  for (const [text, key] of rows) assertEquals(parseAtKey(text), key);
});

Deno.test("parseAtKey() refuses what is no key", async () => {
  const hostile = [
    "",
    "@",
    "@alice",
    "x",
    "x@",
    "@bob:x",
    "@bob:@alice",
    "public:",
    "public:x",
    "public::x@alice",
    "public:@bob:x@alice",
    "@bob:@carol:x@alice",
    "@bob::x@alice",
    "x@alice@bob",
    "x@al:ice",
    "cached:x@alice",
    "cached:private:x@alice",
    "cached:cached:public:x@alice",
    "privatekey:",
    "privatekey:a:b",
    "privatekey:a@alice",
  ];
  for (const text of hostile) {
    await assertRejects(() => parseAtKey(text), AtError, { code: "AT0016", closes: false });
  }
});

Deno.test("normalizeKey() lower-cases, drops white space and caps the length", async () => {
  assertEquals(normalizeKey(" @Bob:Ph one.WAVI@Alice "), "@bob:phone.wavi@alice");
  const key = (length: number, front = ""): string =>
    `${front}${"a".repeat(length - front.length - 6)}@alice`;
  assertEquals(normalizeKey(key(248)).length, 248);
  assertEquals(normalizeKey(key(255, "cached:public:")).length, 255);
  for (const text of [key(249), key(256, "cached:public:"), "a".repeat(5_000_000)]) {
    await assertRejects(() => normalizeKey(text), AtError, { code: "AT0016" });
  }
});

Deno.test("parseAtKey() throws nothing but AtError for any text", () =>
  fc.assert(fc.property(keyLikeText(), (text) => {
    try {
      parseAtKey(text);
    } catch (error) {
      assert(error instanceof AtError);
    }
  })));

Deno.test("encodeKeyRef() writes each form and refuses parts that would break the line", async () => {
  assertEquals(
    encodeKeyRef({
      cached: true,
      visibility: "shared",
      sharedWith: "@a",
      entity: "k",
      owner: "@b",
    }),
    "cached:@a:k@b",
  );
  assertEquals(
    encodeKeyRef({ cached: false, visibility: "public", entity: "publickey", owner: "@b" }),
    "public:publickey@b",
  );
  assertEquals(
    encodeKeyRef({ cached: false, visibility: "self", entity: "privatekey:at_secret" }),
    "privatekey:at_secret",
  );
  const self = { cached: false, visibility: "self", owner: "@b" } as const;
  for (const entity of ["", "a b", "a:b", "a@b", "a\nb", "privatekey:", "privatekey:a b"]) {
    await assertRejects(() => encodeKeyRef({ ...self, entity }), NoportsError, { code: "usage" });
  }
  for (const owner of ["b", "@", "@a@b", "@a b", "@a:b"]) {
    await assertRejects(() => encodeKeyRef({ ...self, entity: "k", owner }), NoportsError);
  }
  await assertRejects(
    () => encodeKeyRef({ cached: false, visibility: "shared", entity: "k", owner: "@b" }),
    NoportsError,
  );
});

Deno.test("isSharedKeyName() knows the keys that carry an AES key", () => {
  for (const key of ["@bob:shared_key@alice", "shared_key.bob@alice", "SHARED_KEY@alice"]) {
    assert(isSharedKeyName(key), key);
  }
  for (
    const key of [
      "@bob:my_shared_key@alice",
      "@bob:shared_keys@alice",
      "@bob:x.shared_key@alice",
      "shared_key",
      "@bob:ping.dev1.sshnp@alice",
      "public:shared_key_x@alice",
    ]
  ) assert(!isSharedKeyName(key), key);
});

function keyLikeText(): fc.Arbitrary<string> {
  const part = fc.constantFrom(
    "public:",
    "private:",
    "cached:",
    "@bob",
    ":",
    "x",
    ".",
    "@",
    " ",
    "privatekey:",
  );
  return fc.oneof(fc.string({ unit: "binary" }), fc.array(part).map((parts) => parts.join("")));
}
