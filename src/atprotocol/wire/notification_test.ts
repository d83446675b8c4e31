import fc from "fast-check";
import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { vectorKey, vectors } from "../../../tests/vectors.ts";
import { NoportsError } from "../../base/mod.ts";
import { decryptAesKeyRsa, decryptAesText } from "../../crypto/mod.ts";
import {
  encodeNotificationLine,
  type Notification,
  parseNotification,
  parseReply,
  STATS_NOTIFICATION_ID,
} from "./mod.ts";

interface MonitorLine {
  readonly name: string;
  readonly line: string;
  readonly lookupSharedKeyResponse?: string;
  readonly plaintextUtf8?: string;
}

const NOTIFICATION: Notification = {
  id: "2a8b",
  from: "@alice",
  to: "@bob",
  key: "@bob:req.dev1.sshnp@alice",
  value: "8fXw==",
  operation: "update",
  epochMillis: 1_738_314_942_123,
  messageType: "key",
  isEncrypted: true,
  metadata: { ivNonce: "Zm9v", sharedKeyEnc: "AA==", expiresAt: 1_700_000_000_000 },
};

Deno.test("parseNotification() reads every line of the vendor's vectors, and their values decrypt", () => {
  for (const v of vectors<MonitorLine[]>("atclient", "monitorLines")) {
    const reply = parseReply(`@bob@${v.line}`);
    assert(reply.kind === "notification", v.name);
    const n = parseNotification(reply.json);
    assertEquals(n.epochMillis, 1_700_000_000_000, v.name);
    if (v.plaintextUtf8 === undefined) {
      assertEquals(n.isEncrypted, false, v.name);
      continue;
    }
    if (!n.isEncrypted) {
      assertEquals(n.value, v.plaintextUtf8, v.name);
      continue;
    }
    const lookup = parseReply(v.lookupSharedKeyResponse ?? "data:");
    const wrapped = n.metadata.sharedKeyEnc ?? (lookup.kind === "data" ? lookup.value : "");
    const aesKey = decryptAesKeyRsa(vectorKey("bobEncryption").privateKey, wrapped);
    const text = decryptAesText(aesKey, n.metadata.ivNonce ?? null, n.value ?? "");
    assertEquals(text, v.plaintextUtf8, v.name);
  }
});

Deno.test("encodeNotificationLine() writes the specified members, omits absent metadata, ends in LF alone", () => {
  assertEquals(
    encodeNotificationLine(NOTIFICATION),
    'notification: {"id":"2a8b","from":"@alice","to":"@bob","key":"@bob:req.dev1.sshnp@alice",' +
      '"value":"8fXw==","operation":"update","epochMillis":1738314942123,"messageType":"MessageType.key",' +
      '"isEncrypted":true,"metadata":{"ivNonce":"Zm9v","sharedKeyEnc":"AA==","expiresAt":"2023-11-14 22:13:20.000Z"}}\n',
  );
  const { metadata: _, ...bare } = NOTIFICATION;
  assert(encodeNotificationLine({ ...bare, value: null, metadata: {} }).includes('"value":null'));
  assert(encodeNotificationLine({ ...bare, metadata: {} }).endsWith('"metadata":{}}\n'));
  assert(
    encodeNotificationLine({ ...bare, id: STATS_NOTIFICATION_ID, metadata: {} })
      .endsWith('"metadata":null}\n'),
  );
});

Deno.test("parseNotification() gives back what encodeNotificationLine() wrote", () => {
  const text = fc.string({ unit: "grapheme", minLength: 1 }).filter((t) => t !== "null");
  const field = fc.option(text, { nil: undefined });
  const arbitrary = fc.record({
    id: text,
    from: text,
    to: text,
    key: text,
    value: fc.option(text),
    operation: fc.constantFrom("update", "delete", null),
    epochMillis: fc.maxSafeNat(),
    messageType: fc.constantFrom("key", "text"),
    isEncrypted: fc.boolean(),
    metadata: fc.record({ ivNonce: field, sharedKeyEnc: field, pubKeyCS: field, encAlgo: field })
      .map((m) => JSON.parse(JSON.stringify(m))),
  }, { noNullPrototype: true }).filter((n) => n.id !== STATS_NOTIFICATION_ID);
  fc.assert(fc.property(arbitrary, (n) => {
    const line = encodeNotificationLine(n as Notification);
    assertEquals(line.indexOf("\n"), line.length - 1);
    const reply = parseReply(line.slice(0, -1));
    assert(reply.kind === "notification");
    assertEquals(parseNotification(reply.json), n as Notification);
  }));
});

Deno.test("parseNotification() fills in what old servers leave out", () => {
  const base = '"id":"1","from":"@a","to":"@b","epochMillis":5';
  const read = (key: string, more = ""): Notification =>
    parseNotification(`{${base},"key":"${key}"${more}}`);
  assertEquals(read("@b:k@a").isEncrypted, true);
  assertEquals(read("k@a").isEncrypted, false);
  assertEquals(read("public:k@a").isEncrypted, false);
  assertEquals(read("@b:k@a", ',"isEncrypted":"false"').isEncrypted, false);
  assertEquals(read("@b:k@a", ',"value":"null","operation":null,"metadata":null'), {
    id: "1",
    from: "@a",
    to: "@b",
    key: "@b:k@a",
    value: null,
    operation: null,
    epochMillis: 5,
    messageType: "key",
    isEncrypted: true,
    metadata: {},
  });
  assertEquals(
    read("@b:k@a", ',"metadata":{"ivNonce":"null","sharedKeyEnc":"","availableAt":"null","x":1}')
      .metadata,
    {},
  );
  assertEquals(read("@b:k@a", ',"messageType":"MessageType.text"').messageType, "text");
});

Deno.test("parseNotification() refuses lines without the needed members and throws nothing else", async () => {
  const hostile = [
    "",
    "{",
    "null",
    "[]",
    "{}",
    '{"id":1,"from":"@a","to":"@b","key":"k","epochMillis":5}',
    '{"id":"1","from":"@a","to":"@b","key":"k"}',
    '{"id":"1","from":"@a","to":"@b","key":"k","epochMillis":1e400}',
    '{"id":"1","to":"@b","key":"k","epochMillis":5}',
    '{"__proto__":{"id":"1","from":"@a","to":"@b","key":"k","epochMillis":5}}',
  ];
  for (const json of hostile) {
    await assertRejects(() => parseNotification(json), NoportsError, {
      code: "protocol_violation",
    });
  }
  fc.assert(fc.property(fc.oneof(fc.json(), fc.string({ unit: "binary" })), (json) => {
    try {
      parseNotification(json);
    } catch (error) {
      assert(error instanceof NoportsError);
    }
  }));
});
