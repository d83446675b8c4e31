import fc from "fast-check";
import { assert, assertEquals, assertMatch, assertRejects } from "../../../tests/assert.ts";
import { vectors } from "../../../tests/vectors.ts";
import {
  AtError,
  encodeVerb,
  isNotificationEncrypted,
  type KeyRef,
  type Metadata,
  type NotifyVerb,
  parseVerb,
  type Verb,
} from "./mod.ts";

const SELF = { cached: false, visibility: "self" } as const;
const SHARED = { cached: false, visibility: "shared", sharedWith: "@bob" } as const;
const NOTIFY: NotifyVerb = {
  verb: "notify",
  operation: "update",
  messageType: "key",
  priority: "low",
  strategy: "all",
  latestN: 1,
  metadata: {},
  recipient: "@bob",
  key: "k.ns",
  owner: "@alice",
};
const MONITOR = {
  verb: "monitor",
  strict: false,
  selfNotifications: false,
  multiplexed: false,
} as const;

Deno.test("parseVerb() accepts every client's variants", () => {
  const rows: [string, Verb][] = [
    ["from:@alice", { verb: "from", atSign: "@alice" }],
    ["from:alice", { verb: "from", atSign: "@alice" }],
    [" FROM:Alice \t", { verb: "from", atSign: "@Alice" }],
    [
      'from:@a:clientConfig:{"version":"3.3.0","clientId":"x:y","level":3,"appName":7}',
      { verb: "from", atSign: "@a", clientConfig: { version: "3.3.0", clientId: "x:y" } },
    ],
    ["from:a:CLIENTCONFIG:{}", { verb: "from", atSign: "@a", clientConfig: {} }],
    ["cram:AB", { verb: "cram", digest: "AB" }],
    ["pkam:QQ==", {
      verb: "pkam",
      signingAlgo: "rsa2048",
      hashingAlgo: "sha256",
      signature: "QQ==",
    }],
    [
      "PKAM:enrollmentid:1-2:QQ==",
      {
        verb: "pkam",
        signingAlgo: "rsa2048",
        hashingAlgo: "sha256",
        enrollmentId: "1-2",
        signature: "QQ==",
      },
    ],
    [
      "pkam:hashingAlgo:SHA512:signingAlgo:ecc_secp256r1:QQ==",
      { verb: "pkam", signingAlgo: "ecc_secp256r1", hashingAlgo: "sha512", signature: "QQ==" },
    ],
    ["POL", { verb: "pol" }],
    ["noop:0", { verb: "noop", durationMs: 0 }],
    ["noop:99999", { verb: "noop", durationMs: 99_999 }],
    ["INFO", { verb: "info", brief: false }],
    ["info:Brief", { verb: "info", brief: true }],
    ["stats", { verb: "stats", ids: [] }],
    ["stats:1,2,15", { verb: "stats", ids: ["1", "2", "15"] }],
    ["stats:3:a:b c", { verb: "stats", ids: ["3"], regex: "a:b c" }],
    [
      "update:@bob:phone.wavi@alice   two leading blanks: a@b",
      {
        verb: "update",
        key: { ...SHARED, entity: "phone.wavi", owner: "@alice" },
        value: "  two leading blanks: a@b",
        metadata: {},
      },
    ],
    [
      "update:privatekey:AT_pkam_publickey MIIB",
      {
        verb: "update",
        key: { ...SELF, entity: "privatekey:at_pkam_publickey" },
        value: "MIIB",
        metadata: {},
      },
    ],
    [
      "update:PUBLIC:publickey@Alice MIIB",
      {
        verb: "update",
        key: { cached: false, visibility: "public", entity: "publickey", owner: "@Alice" },
        value: "MIIB",
        metadata: {},
      },
    ],
    [
      // the C client's order
      "update:ttl:1:ttb:2:ttr:-1:ccd:true:isBinary:false:isEncrypted:true:dataSignature:d:sharedKeyStatus:s:ivNonce:i:x v",
      {
        verb: "update",
        key: { ...SELF, entity: "x" },
        value: "v",
        metadata: {
          ttl: 1,
          ttb: 2,
          ttr: -1,
          ccd: true,
          isBinary: false,
          isEncrypted: true,
          dataSignature: "d",
          sharedKeyStatus: "s",
          ivNonce: "i",
        },
      },
    ],
    [
      // the Python client's words
      "update:TTL:0:ttr:0:ccd:True:isBinary:False:hash:ab:algo:sha512:ivNonce:null:@bob:x@alice v",
      {
        verb: "update",
        key: { ...SHARED, entity: "x", owner: "@alice" },
        value: "v",
        metadata: { ttl: 0, ccd: true, isBinary: false, ivNonce: "null" },
      },
    ],
    [
      "update:ttl@alice v",
      {
        verb: "update",
        key: { ...SELF, entity: "ttl", owner: "@alice" },
        value: "v",
        metadata: {},
      },
    ],
    [
      "update:meta@alice v",
      {
        verb: "update",
        key: { ...SELF, entity: "meta", owner: "@alice" },
        value: "v",
        metadata: {},
      },
    ],
    ["delete:privatekey:at_secret", {
      verb: "delete",
      key: { ...SELF, entity: "privatekey:at_secret" },
    }],
    ["delete:Priority:HIGH:cached:@alice:k@bob", {
      verb: "delete",
      priority: "high",
      key: { cached: true, visibility: "shared", sharedWith: "@alice", entity: "k", owner: "@bob" },
    }],
    ["llookup:all:cached:public:publickey@bob", {
      verb: "llookup",
      detail: "all",
      key: { cached: true, visibility: "public", entity: "publickey", owner: "@bob" },
    }],
    ["llookup:all@alice", {
      verb: "llookup",
      detail: "value",
      key: { ...SELF, entity: "all", owner: "@alice" },
    }],
    ["llookup:x@alice", {
      verb: "llookup",
      detail: "value",
      key: { ...SELF, entity: "x", owner: "@alice" },
    }],
    ["llookup:meta:@alice:x@alice", {
      verb: "llookup",
      detail: "meta",
      key: { ...SHARED, sharedWith: "@alice", entity: "x", owner: "@alice" },
    }],
    ["lookup:BypassCache:True:ALL:k.ns@bob", {
      verb: "lookup",
      entity: "k.ns",
      owner: "@bob",
      detail: "all",
      bypassCache: true,
    }],
    ["plookup:meta:bypassCache:false:p@bob", {
      verb: "plookup",
      entity: "p",
      owner: "@bob",
      detail: "meta",
      bypassCache: false,
    }],
    ["lookup:all@bob", {
      verb: "lookup",
      entity: "all",
      owner: "@bob",
      detail: "value",
      bypassCache: false,
    }],
    ["scan", { verb: "scan", showHidden: false }],
    ["SCAN \\.sshnp\\D@", { verb: "scan", showHidden: false, regex: "\\.sshnp\\D@" }],
    ["scan a:b", { verb: "scan", showHidden: false, regex: "a:b" }],
    ["scan:showHidden:true rx", { verb: "scan", showHidden: true, regex: "rx" }],
    ["scan:@bob:page:2:showhidden:False  rx", {
      verb: "scan",
      showHidden: false,
      atSign: "@bob",
      regex: "rx",
    }],
    ["notify:@bob:k.ns@alice", NOTIFY],
    ["notify:@bob:x", { ...withoutOwner(NOTIFY), key: "x" }],
    ["notify:delete:@bob:k.ns@alice", { ...NOTIFY, operation: "delete" }],
    ["notify:@bob:k.ns@alice:a:b @c  d", { ...NOTIFY, value: "a:b @c  d" }],
    ["notify:@bob:k.ns@alice: lead", { ...NOTIFY, value: " lead" }],
    ["notify:@bob:public:k@alice", { ...NOTIFY, key: "public:k" }],
    ["notify:public:k@alice", { ...NOTIFY, recipient: "public", key: "k" }],
    ["notify:messageType:text:@bob:hello: you", {
      ...withoutOwner(NOTIFY),
      messageType: "text",
      key: "hello: you",
    }],
    ["notify:message_type:KEY:isEncrypted:True:ttln:5:@bob:k.ns@alice:v", {
      ...NOTIFY,
      ttlnMs: 5,
      metadata: { isEncrypted: true },
      value: "v",
    }],
    [
      "notify:strategy:latest:latestN:3:notifier:me@x:priority:medium:id:a-B_1:sharedKeyEnc:AA==:@bob:k.ns@alice",
      {
        ...NOTIFY,
        strategy: "latest",
        latestN: 3,
        notifier: "me@x",
        priority: "medium",
        id: "a-B_1",
        metadata: { sharedKeyEnc: "AA==" },
      },
    ],
    ["monitor", MONITOR],
    ["MONITOR dev1\\.SSHNP@", { ...MONITOR, regex: "dev1\\.SSHNP@" }],
    ["monitor:0 .dev1.sshnp", { ...MONITOR, sinceEpochMs: 0, regex: ".dev1.sshnp" }],
    ["monitor:multiplexed:5:selfnotifications:strict a b:c", {
      verb: "monitor",
      strict: true,
      selfNotifications: true,
      multiplexed: true,
      sinceEpochMs: 5,
      regex: "a b:c",
    }],
    ["enroll:list", { verb: "enroll", operation: "list", force: false }],
    ['enroll:Revoke:FORCE:{"enrollmentId":"a:b"}', {
      verb: "enroll",
      operation: "revoke",
      force: true,
      params: '{"enrollmentId":"a:b"}',
    }],
    ["@exit", { verb: "exit" }],
    ["@EXIT", { verb: "exit" }],
  ];
  for (const [line, verb] of rows) {
    assertEquals(parseVerb(line), verb, line);
  }
});

Deno.test("parseVerb() reads the commands of the vendor's vectors, in the Dart, C and Python forms", () => {
  const [dart, c, python] = vectors<{ command: string }[]>("atclient", "notifyCommands")
    .map((v) => parseVerb(v.command) as NotifyVerb);
  const value = "q38XiW2vgU6H+YBb8dHcpQ==";
  const ivNonce = "AAECAwQFBgcICQoLDA0ODw==";
  const common = { ...NOTIFY, key: "ping.dev1.sshnp", value };
  const id = "8f2b7a34-5f0c-4a57-9c0c-0d0b2f6f8d11";
  assertEquals(dart, {
    ...common,
    id,
    notifier: "SYSTEM",
    ttlnMs: 60_000,
    metadata: {
      ttl: 10_000,
      isEncrypted: true,
      sharedKeyEnc: dart?.metadata.sharedKeyEnc ?? "",
      pubKeyCS: "212f683bc66f5f315b500ad671d9d161",
      ivNonce,
    },
  });
  assertEquals(c, { ...common, metadata: { ttl: 10_000, isEncrypted: true, ivNonce } });
  assertEquals(python, {
    ...common,
    id,
    metadata: { ttl: 10_000, ttr: -1, isEncrypted: true, ivNonce },
  });
  const logins = vectors<{ command: string; hashingAlgo: string; signatureBase64: string }[]>(
    "atclient",
    "pkam",
  );
  for (const v of logins) {
    const verb = parseVerb(v.command);
    assert(verb.verb === "pkam");
    assertEquals([verb.hashingAlgo, verb.signature], [v.hashingAlgo, v.signatureBase64]);
  }
  assertEquals(
    logins.map((v) => "enrollmentId" in parseVerb(v.command)),
    [false, true, false],
  );
});

Deno.test("parseVerb() says invalid command for an unknown verb or an empty line", async () => {
  for (
    const line of [
      "",
      "  ",
      "\r",
      ":",
      "@",
      "@alice",
      "hello",
      "fromx:alice",
      "scanx",
      "exit",
      "sync:1",
      "sync",
      "stream:init",
      "__proto__:x",
      "constructor",
      "pol\nscan",
      "update:@bob:k@alice a\rb",
    ]
  ) {
    await assertRejects(() => parseVerb(line), AtError, {
      code: "AT0003",
      message: "invalid command",
      closes: false,
    });
  }
});

Deno.test("parseVerb() says Invalid syntax for a known verb in a bad form", async () => {
  const lines = [
    "from",
    "from:",
    "from:@",
    "from:a b",
    "from:a@b",
    "from:@a:clientConfig:x",
    "from:@a:x",
    "cram",
    "cram:",
    "cram:a b",
    "pkam",
    "pkam:",
    "pkam:signingAlgo:ed25519:QQ==",
    "pkam:hashingAlgo:md5:QQ==",
    "pkam:enrollmentId:QQ==",
    "pkam:enrollmentId::QQ==",
    "pkam:hashingAlgo:sha256:hashingAlgo:sha256:QQ==",
    "pkam:x:y:QQ==",
    "pol:x",
    "noop",
    "noop:",
    "noop:x",
    "noop:-1",
    "noop:1.5",
    "noop:9999999999999999",
    "info:x",
    "stats:",
    "stats:x",
    "stats:1,",
    "stats:4:rx",
    "stats:3,15:rx",
    `stats:${Array(33).fill("1").join(",")}`,
    "update",
    "update:k@alice",
    "update: v",
    "update:k@ v",
    "update:@bob: v",
    "update:@bob:@alice v",
    "update:@bob:k@al:ice v",
    "update:@bob:k@alice@x v",
    "update:public:@bob:k@alice v",
    "update:cached:@bob:k@alice v",
    "update:private:k@alice v",
    "update:privatekey:at_secret v",
    "update:privatekey:at_pkam_publickey@alice v",
    "update:unknown:1:k@alice v",
    "update:ttl:k@alice v",
    "update:ttl::k@alice v",
    "update:ttl:x:k@alice v",
    "update:ttl:1:ttl:1:k@alice v",
    "update:isBinary:yes:k@alice v",
    "update:ivNonce::k@alice v",
    "delete",
    "delete:",
    "delete:priority:none:k@alice",
    "delete:privatekey:at_pkam_publickey",
    "delete:k@alice extra",
    "llookup:k",
    "llookup:all:",
    "llookup:all:meta:k@alice",
    "llookup:privatekey:at_secret",
    "llookup:private:k@alice",
    "lookup:",
    "lookup:@bob",
    "lookup:k",
    "lookup:k@",
    "lookup:x:k@bob",
    "lookup:bypassCache:k@bob",
    "lookup:bypassCache:maybe:k@bob",
    "lookup:all:meta:k@bob",
    "plookup:k b@bob",
    "scan:x",
    "scan:@",
    "scan:@a:@b",
    "scan:showHidden",
    "scan:showHidden:1",
    "scan:page:x",
    "scan a b",
    "notify",
    "notify:",
    "notify:@bob",
    "notify:@bob:",
    "notify:@bob:@alice",
    "notify:@bob::k@alice",
    "notify:@bob:a::b@alice",
    "notify:@bob:k@alice:",
    "notify:@bob:k@:v",
    "notify:@:k@alice",
    "notify:@bo b:k@alice",
    "notify:update:delete:@bob:k@alice",
    "notify:id:a b:@bob:k@alice",
    `notify:id:${"a".repeat(256)}:@bob:k@alice`,
    "notify:messageType:x:@bob:k@alice",
    "notify:messageType:key:message_type:key:@bob:k@alice",
    "notify:priority:x:@bob:k@alice",
    "notify:strategy:x:@bob:k@alice",
    "notify:latestN:-1:@bob:k@alice",
    "notify:notifier::@bob:k@alice",
    "notify:ttln:x:@bob:k@alice",
    "notify:unknown:1:@bob:k@alice",
    "notify:constructor:1:@bob:k@alice",
    "notify @bob:k@alice",
    "monitor:",
    "monitor:x",
    "monitor:-5",
    "monitor:strict:strict",
    "monitor:1:2",
    "enroll",
    "enroll:",
    "enroll:update:{}",
    "enroll:list:x",
    "enroll:force:{}",
    "@exit:now",
  ];
  for (const line of lines) {
    const error = await assertRejects(() => parseVerb(line), AtError, {
      code: "AT0003",
      closes: false,
    });
    assertMatch(error.message, /^Invalid syntax\. /, line);
  }
});

Deno.test("parseVerb() refuses times out of range in the specification's words", async () => {
  const rows = [
    ["ttl:-1", "Valid value for TTL should be greater than or equal to 0"],
    ["ttb:-1", "Valid value for TTB should be greater than or equal to 0"],
    ["ttr:-2", "Valid values for TTR are -1 and greater than or equal to 1"],
  ] as const;
  for (const [option, message] of rows) {
    for (const line of [`update:${option}:k@a v`, `notify:${option}:@b:k@a`]) {
      await assertRejects(() => parseVerb(line), AtError, { code: "AT0003", message });
    }
  }
  await assertRejects(() => parseVerb("notify:strategy:latest:@b:k@a"), AtError, {
    code: "AT0003",
    message: "For Strategy latest, notifier cannot be null",
  });
});

Deno.test("parseVerb() closes for a client configuration that is no JSON", async () => {
  for (const config of ["{", "{]}", `{"a":${"[".repeat(100_000)}`]) {
    await assertRejects(() => parseVerb(`from:@a:clientConfig:${config}`), AtError, {
      code: "AT0011",
      closes: true,
    });
  }
});

Deno.test("isNotificationEncrypted() follows the type, the option and the key", () => {
  const rows: [string, boolean][] = [
    ["notify:@b:k@a:v", true],
    ["notify:isEncrypted:true:@b:k@a:v", true],
    ["notify:isEncrypted:false:@b:k@a:v", false],
    ["notify:@b:public:k@a:v", false],
    ["notify:messageType:text:@b:hello", false],
    ["notify:messageType:text:isEncrypted:true:@b:hello", true],
  ];
  for (const [line, expected] of rows) {
    const verb = parseVerb(line);
    assert(verb.verb === "notify");
    assertEquals(isNotificationEncrypted(verb), expected, line);
  }
});

Deno.test("parseVerb() gives back what encodeVerb() wrote", () =>
  fc.assert(
    fc.property(anyVerb(), (verb) => {
      assertEquals(parseVerb(encodeVerb(verb)), verb);
    }),
    { numRuns: 1_000 },
  ));

Deno.test("parseVerb() throws nothing but AtError for any text", () =>
  fc.assert(
    fc.property(verbLikeText(), (line) => {
      try {
        parseVerb(line);
      } catch (error) {
        assert(error instanceof AtError, String(error));
      }
    }),
    { numRuns: 2_000 },
  ));

Deno.test("parseVerb() needs linear time for any repetition", () => {
  const units = [
    ":",
    "@",
    " ",
    "a",
    "a:",
    ":a",
    "@a",
    "a@",
    "ttl:1:",
    "hash:a:",
    "1,",
    "{",
    "::",
    "\t",
    "\r",
    "é",
  ];
  const words = [
    "",
    "from:",
    "from:a:clientConfig:",
    "cram:",
    "pkam:",
    "update:",
    "update:k ",
    "delete:",
    "llookup:",
    "lookup:",
    "scan:",
    "scan ",
    "notify:",
    "notify:@b:",
    "notify:@b:k@",
    "monitor:",
    "monitor ",
    "enroll:list:",
    "stats:",
    "noop:",
  ];
  for (const word of words) {
    for (const unit of units) {
      const line = word + unit.repeat(200_000);
      const started = performance.now();
      try {
        parseVerb(`${line}x`);
      } catch (error) {
        assert(error instanceof AtError);
      }
      const elapsedMs = performance.now() - started;
      assert(elapsedMs < 1_000, `${word}(${unit})* took ${elapsedMs} ms`);
    }
  }
});

function withoutOwner(verb: NotifyVerb): NotifyVerb {
  const { owner: _owner, ...rest } = verb;
  return rest;
}

/** Commands that differ from their encoded form in nothing that is defaulted. */
function anyVerb(): fc.Arbitrary<Verb> {
  const token = fc.oneof(
    fc.stringMatching(/^[\w.+/=-]{1,20}$/),
    fc.constantFrom("public", "cached", "ttl", "all", "meta", "null", "🛠", "privatekey", "update"),
  );
  const atSign = token.map((name) => `@${name}`);
  const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 })
    .filter((t) => !/[\r\n]/.test(t) && t.trim() !== "" && t.trimEnd() === t);
  const trimmed = text.map((t) => t.trim()).filter((t) => t !== "");
  const metadata = record({
    ttl: optional(fc.maxSafeNat().map((n) => n % 1e15)),
    ttb: optional(fc.nat()),
    ttr: optional(fc.oneof(fc.constant(-1), fc.integer({ min: 1 }))),
    ccd: optional(fc.boolean()),
    dataSignature: optional(token),
    sharedKeyStatus: optional(token),
    isBinary: optional(fc.boolean()),
    isEncrypted: optional(fc.boolean()),
    sharedKeyEnc: optional(token),
    pubKeyCS: optional(token),
    encoding: optional(token),
    encKeyName: optional(token),
    encAlgo: optional(token),
    ivNonce: optional(token),
    skeEncKeyName: optional(token),
    skeEncAlgo: optional(token),
  }) as fc.Arbitrary<Metadata>;
  const key = (cached: boolean): fc.Arbitrary<KeyRef> =>
    fc.oneof(
      record({
        cached: cached ? fc.boolean() : fc.constant(false),
        visibility: fc.constantFrom("public", "self"),
        entity: token,
        owner: atSign,
      }),
      record({
        cached: cached ? fc.boolean() : fc.constant(false),
        visibility: fc.constant("shared"),
        sharedWith: atSign,
        entity: token,
        owner: atSign,
      }),
    ) as fc.Arbitrary<KeyRef>;
  const secret = (name: string): fc.Arbitrary<KeyRef> =>
    fc.constant({ ...SELF, entity: `privatekey:${name}` });
  const detail = fc.constantFrom("value", "meta", "all");
  const regex = fc.stringMatching(/^[!-~]{1,20}$/);
  const noteKey = trimmed.filter((t) => !/@|::|^:/.test(t));
  const notify = record({
    verb: fc.constant("notify"),
    id: optional(fc.stringMatching(/^[\w-]{1,40}$/)),
    operation: fc.constantFrom("update", "delete"),
    messageType: fc.constantFrom("key", "text"),
    priority: fc.constantFrom("low", "medium", "high"),
    strategy: fc.constantFrom("all", "latest"),
    latestN: fc.nat(),
    notifier: token,
    ttlnMs: optional(fc.integer({ min: 1 })),
    metadata,
    recipient: fc.oneof(atSign, fc.constant("public")),
    key: noteKey,
    owner: atSign,
    value: optional(text),
  });
  return fc.oneof(
    record({
      verb: fc.constant("from"),
      atSign,
      clientConfig: optional(record({ version: optional(text), appName: optional(fc.string()) })),
    }),
    record({ verb: fc.constant("cram"), digest: token }),
    record({
      verb: fc.constant("pkam"),
      signingAlgo: fc.constantFrom("rsa2048", "ecc_secp256r1"),
      hashingAlgo: fc.constantFrom("sha256", "sha512"),
      enrollmentId: optional(token),
      signature: token,
    }),
    fc.constant({ verb: "pol" }),
    record({ verb: fc.constant("noop"), durationMs: fc.nat() }),
    record({ verb: fc.constant("info"), brief: fc.boolean() }),
    record({
      verb: fc.constant("stats"),
      ids: fc.array(fc.nat({ max: 999 }).map(String), { maxLength: 20 }),
    }),
    record({ verb: fc.constant("stats"), ids: fc.constant(["15"]), regex: trimmed }),
    record({ verb: fc.constant("update"), key: key(false), value: text, metadata }),
    record({
      verb: fc.constant("update"),
      key: secret("at_pkam_publickey"),
      value: text,
      metadata,
    }),
    record({
      verb: fc.constant("delete"),
      key: fc.oneof(key(true), secret("at_secret")),
      priority: optional(fc.constantFrom("low", "medium", "high")),
    }),
    record({ verb: fc.constant("llookup"), key: key(true), detail }),
    record({
      verb: fc.constantFrom("lookup", "plookup"),
      entity: token,
      owner: atSign,
      detail,
      bypassCache: fc.boolean(),
    }),
    record({
      verb: fc.constant("scan"),
      showHidden: fc.boolean(),
      atSign: optional(atSign),
      regex: optional(regex),
    }),
    notify,
    notify.map(({ owner: _owner, value: _value, ...rest }) => rest),
    record({
      verb: fc.constant("monitor"),
      strict: fc.boolean(),
      selfNotifications: fc.boolean(),
      multiplexed: fc.boolean(),
      sinceEpochMs: optional(fc.nat()),
      regex: optional(trimmed),
    }),
    record({
      verb: fc.constant("enroll"),
      operation: fc.constantFrom("request", "approve", "unrevoke", "list", "fetch", "delete"),
      force: fc.boolean(),
      params: optional(fc.object().map((value) => JSON.stringify(value))),
    }),
    fc.constant({ verb: "exit" }),
  ) as fc.Arbitrary<Verb>;
}

/** A record whose undefined members are absent, as in what a parser makes. */
function record<T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true }).map((value) =>
    Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T
  );
}

function verbLikeText(): fc.Arbitrary<string> {
  const part = fc.constantFrom(
    ..."from cram pkam pol noop info stats update delete llookup lookup plookup scan notify monitor enroll @exit"
      .split(" "),
    ..."meta all public cached privatekey at_secret ttl ttr ccd true False -1 0 12 id text key value strict"
      .split(" "),
    ...[
      ":",
      ":",
      ":",
      ":",
      "@",
      "@bob",
      "@alice",
      " ",
      "x",
      "{",
      "}",
      '"',
      "🛠",
      "\t",
      "\u0000",
      "__proto__",
      "clientConfig",
      "isEncrypted",
    ],
  );
  return fc.oneof(
    fc.array(part, { maxLength: 14 }).map((parts) => parts.join("")),
    fc.string({ unit: "binary" }),
  );
}
