import fc from "fast-check";
import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { vectors } from "../../../tests/vectors.ts";
import { NoportsError } from "../../base/mod.ts";
import { encodeDataReply, parseReply, type Reply } from "./mod.ts";

Deno.test("parseReply() reads each form, with and without the prompts of earlier replies", () => {
  const rows: [string, Reply][] = [
    ["data:ok", { kind: "data", value: "ok" }],
    ["data:", { kind: "data", value: "" }],
    ["data:null", { kind: "data", value: "null" }],
    ["data: [1]", { kind: "data", value: "[1]" }],
    ["data:data:x", { kind: "data", value: "data:x" }],
    ["data:a@b:error:x", { kind: "data", value: "a@b:error:x" }],
    ["error:AT0015-key not found : x@y", {
      kind: "error",
      code: "AT0015",
      text: "key not found : x@y",
    }],
    ["error:AT0401-Exception: no", { kind: "error", code: "AT0401", text: "Exception: no" }],
    ["error:AT0026:enrollment_id: 1 is pending", {
      kind: "error",
      code: "AT0026",
      text: "enrollment_id: 1 is pending",
    }],
    ['error:{"errorCode":"AT0009","errorDescription":"a : b"}', {
      kind: "error",
      code: "AT0009",
      text: "a : b",
    }],
    ["error:{}", { kind: "error", code: "AT0014", text: "" }],
    ["error:null:bad id", { kind: "error", code: "AT0014", text: "bad id" }],
    ["error:something else", { kind: "error", code: "AT0014", text: "something else" }],
    ["error:AT00155-x", { kind: "error", code: "AT0014", text: "AT00155-x" }],
    ["error:", { kind: "error", code: "AT0014", text: "" }],
    ['notification: {"id":"1"}', { kind: "notification", json: '{"id":"1"}' }],
    ['notification:{"id":"1"}', { kind: "notification", json: '{"id":"1"}' }],
  ];
  for (const [line, reply] of rows) {
    for (const prompt of ["", "@", "@alice@", "@🛠@", "@@alice@", "@data@", "@@bob@@bob@"]) {
      assertEquals(parseReply(prompt + line), reply, prompt + line);
    }
  }
});

Deno.test("parseReply() refuses any other line", async () => {
  for (
    const line of [
      "",
      "@",
      "@alice@",
      "ok",
      "Data:x",
      " data:x",
      "xdata:ok",
      "alice@data:ok",
      "@al ice@data:ok",
      "@a:b@data:ok",
      "@alicedata:ok",
      "stream:ack 1",
      "error:{",
      "error:{]}",
      "null",
      "x".repeat(100_000),
    ]
  ) {
    const error = await assertRejects(() => parseReply(line), NoportsError, {
      code: "protocol_violation",
    });
    assert(error.message.length < 200);
  }
});

Deno.test("parseReply() reads the answers of the vendor's vectors", () => {
  const logins = vectors<{ fromResponseLine?: string; challenge: string }[]>("atclient", "pkam")
    .filter((v) => v.fromResponseLine !== undefined);
  assert(logins.length > 0);
  for (const v of logins) {
    assertEquals(parseReply(v.fromResponseLine ?? ""), { kind: "data", value: v.challenge });
  }
  type Approval = Record<
    | "keysGetPrivateResponse"
    | "keysGetSelfResponse"
    | "encryptedDefaultEncryptionPrivateKey"
    | "encryptedDefaultSelfEncryptionKey",
    string
  >;
  for (const v of vectors<Approval[]>("atclient", "enrollmentApproval")) {
    for (
      const [line, value] of [
        [v.keysGetPrivateResponse, v.encryptedDefaultEncryptionPrivateKey],
        [v.keysGetSelfResponse, v.encryptedDefaultSelfEncryptionKey],
      ] as const
    ) {
      const reply = parseReply(line);
      assertEquals(reply.kind === "data" && JSON.parse(reply.value).value, value);
    }
  }
});

Deno.test("parseReply() throws nothing but NoportsError for any text", () => {
  const part = fc.constantFrom(
    "@",
    "alice",
    ":",
    "data",
    "error",
    "notification",
    "{",
    '"',
    "AT0001",
    " ",
  );
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.array(part).map((p) => p.join("")));
  fc.assert(fc.property(text, (line) => {
    for (const variant of [line, `error:${line}`, `data:${line}`, `error:{${line}`]) {
      try {
        parseReply(variant);
      } catch (error) {
        assert(error instanceof NoportsError);
      }
    }
  }));
});

Deno.test("encodeDataReply() prefixes once and refuses line breaks", async () => {
  assertEquals(encodeDataReply("42"), "data:42");
  assertEquals(encodeDataReply(""), "data:");
  assertEquals(encodeDataReply("data: []"), "data: []");
  for (const result of ["a\nb", "a\r"]) {
    await assertRejects(() => encodeDataReply(result), NoportsError, { code: "internal" });
  }
});
