import fc from "fast-check";
import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { NoportsError } from "../../base/mod.ts";
import { AtError, encodeVerb, parseVerb, type Verb } from "./mod.ts";

Deno.test("parseVerb() reads otp and keys as clients write them", () => {
  const rows: [string, Verb][] = [
    ["otp:get", { verb: "otp", operation: "get" }],
    ["OTP:GET:TTL:300000\r", { verb: "otp", operation: "get", ttlMs: 300_000 }],
    ["otp:put:Abc_12", { verb: "otp", operation: "put", passcode: "Abc_12" }],
    ["otp:put:abc123:ttl:0", { verb: "otp", operation: "put", passcode: "abc123", ttlMs: 0 }],
    ["keys:get:self", { verb: "keys", operation: "get", visibility: "self" }],
    [
      "keys:get:keyName:0a-9d.default_enc_private_key.__manage@alice",
      {
        verb: "keys",
        operation: "get",
        keyName: "0a-9d.default_enc_private_key.__manage@alice",
      },
    ],
    [
      "keys:delete:keyName:public:x.__public_keys.__global@alice",
      {
        verb: "keys",
        operation: "delete",
        keyName: "public:x.__public_keys.__global@alice",
      },
    ],
    [
      "keys:put:Private:deviceName:d:appName:a:keytype:rsa2048:keyname:k v: 1",
      {
        verb: "keys",
        operation: "put",
        visibility: "private",
        deviceName: "d",
        appName: "a",
        keyType: "rsa2048",
        keyName: "k",
        value: "v: 1",
      },
    ],
  ];
  for (const [line, verb] of rows) assertEquals(parseVerb(line), verb, line);
});

Deno.test("parseVerb() refuses otp and keys in a bad form", async () => {
  const lines = [
    "otp",
    "otp:",
    "otp:new",
    "otp:get:",
    "otp:get:300",
    "otp:get:ttl",
    "otp:get:ttl:-1",
    "otp:get:ttl:1:ttl:1",
    "otp:get:ttl:1:",
    "otp:put",
    "otp:put:12345",
    "otp:put:12-456",
    "otp:put:123456:1",
    `otp:put:${"a".repeat(101)}`,
    "otp get",
    "keys",
    "keys:get",
    "keys:get:other",
    "keys:get:keyName:",
    "keys:get:self v",
    "keys:get:self:namespace",
    "keys:get:self:namespace:a.b",
    "keys:get:self:namespace:a:namespace:b",
    "keys:delete:self",
    "keys:put:keyName:k v",
    "keys:put:self:keyName:k",
    "keys:put:self:keyName:k ",
    "keys:put:self v",
    "keys:update:self:keyName:k v",
  ];
  for (const line of lines) {
    await assertRejects(() => parseVerb(line), AtError, { code: "AT0003", closes: false });
  }
});

Deno.test("parseVerb() gives back the otp, keys and enroll that encodeVerb() wrote", () => {
  const word = fc.stringMatching(/^[\w-]{1,20}$/);
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const ttlMs = maybe(fc.nat());
  const keyName = fc.stringMatching(/^[\w.:@-]{1,40}$/).filter((name) => !/keyname/i.test(name));
  const options = {
    namespace: maybe(word),
    appName: maybe(word),
    deviceName: maybe(word),
    keyType: maybe(word),
    encryptionKeyName: maybe(word),
  };
  const visibility = fc.constantFrom("public" as const, "private" as const, "self" as const);
  const verb = fc.oneof(
    fc.record({ verb: fc.constant("otp"), operation: fc.constant("get"), ttlMs }),
    fc.record({
      verb: fc.constant("otp"),
      operation: fc.constant("put"),
      passcode: fc.stringMatching(/^\w{6,16}$/),
      ttlMs,
    }),
    fc.record({
      verb: fc.constant("keys"),
      operation: fc.constant("put"),
      visibility,
      ...options,
      keyName,
      value: fc.stringMatching(/^\S[^\r\n]*\S$/).map((text) => text.trim()),
    }),
    fc.record({
      verb: fc.constant("keys"),
      operation: fc.constantFrom("get", "delete"),
      ...options,
      keyName,
    }),
    fc.record({ verb: fc.constant("keys"), operation: fc.constant("get"), visibility, ...options }),
    fc.record({
      verb: fc.constant("enroll"),
      operation: fc.constantFrom("request", "approve", "deny", "revoke", "unrevoke", "list"),
      force: fc.boolean(),
      params: maybe(fc.dictionary(fc.string(), fc.string()).map((value) => JSON.stringify(value))),
    }),
  ).map((made) =>
    Object.fromEntries(Object.entries(made).filter(([, value]) => value !== undefined))
  );
  fc.assert(
    fc.property(verb, (made) => {
      const typed = made as unknown as Verb;
      assertEquals(parseVerb(encodeVerb(typed)), typed);
    }),
    { numRuns: 500 },
  );
});

Deno.test("encodeVerb() refuses otp and keys that would be read differently", async () => {
  const get = { verb: "keys", operation: "get" } as const;
  const rows: Verb[] = [
    { verb: "otp", operation: "put" },
    { verb: "otp", operation: "get", passcode: "abcdef" },
    { verb: "otp", operation: "put", passcode: "ab:cd" },
    { verb: "otp", operation: "get", ttlMs: -1 },
    { ...get, keyName: "a b" },
    { ...get, keyName: "" },
    { ...get, keyName: "a\nb" },
    { ...get, namespace: "a:b", visibility: "self" },
    { ...get, operation: "put", visibility: "self", keyName: "k", value: " " },
    { ...get, operation: "put", visibility: "self", keyName: "k", value: "a\nb" },
  ];
  for (const verb of rows) {
    await assertRejects(() => encodeVerb(verb), NoportsError, { code: "usage" });
  }
});

Deno.test("parseVerb() needs linear time for long otp, keys and enroll commands", () => {
  for (
    const word of ["otp:", "otp:put:", "keys:", "keys:get:", "keys:put:self:keyName:", "enroll:"]
  ) {
    for (const unit of [":", "a", "a:", "keyName:", " ", "@", "{", "ttl:1:"]) {
      const started = performance.now();
      try {
        parseVerb(`${word}${unit.repeat(200_000)}x`);
      } catch (error) {
        assert(error instanceof AtError);
      }
      const elapsedMs = performance.now() - started;
      assert(elapsedMs < 1_000, `${word}(${unit})* took ${elapsedMs} ms`);
    }
  }
});
