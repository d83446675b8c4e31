import fc from "fast-check";
import { assert, assertEquals } from "../../../tests/assert.ts";
import { AT_ERROR_TEXT, AtError, type AtErrorCode, encodeErrorReply, parseReply } from "./mod.ts";

const OWNER = { json: false, ownerAuthenticated: true };
const STRANGER = { json: false, ownerAuthenticated: false };

Deno.test("encodeErrorReply() writes the specification's samples byte for byte", () => {
  const rows: [AtError, { json: boolean; ownerAuthenticated: boolean }, string][] = [
    [
      new AtError("AT0003", "invalid command"),
      STRANGER,
      "error:AT0003-Exception: invalid command",
    ],
    [
      new AtError("AT0003", "Invalid syntax. e.g. update:@alice:location@bob San Francisco"),
      OWNER,
      "error:AT0003-Invalid syntax : Invalid syntax. e.g. update:@alice:location@bob San Francisco",
    ],
    [
      new AtError("AT0015", "shared_key.bob@alice does not exist in keystore"),
      OWNER,
      "error:AT0015-key not found : shared_key.bob@alice does not exist in keystore",
    ],
    [
      new AtError("AT0015", "public:publickey@alice does not exist in keystore"),
      STRANGER,
      "error:AT0015-Exception: public:publickey@alice does not exist in keystore",
    ],
    [
      new AtError("AT0015", "nokey.wavi@alice does not exist in keystore"),
      { json: true, ownerAuthenticated: true },
      'error:{"errorCode":"AT0015","errorDescription":"key not found : nokey.wavi@alice does not exist in keystore"}',
    ],
    [
      new AtError("AT0025", "enrollment_id: 0a9d is denied", { handlerForm: true }),
      { json: true, ownerAuthenticated: true },
      "error:AT0025:enrollment_id: 0a9d is denied",
    ],
    [
      new AtError("AT0011", "appName is mandatory for enroll:request"),
      OWNER,
      "error:AT0011-Internal server exception : appName is mandatory for enroll:request",
    ],
    [
      new AtError("AT0401", "Command cannot be executed without auth"),
      STRANGER,
      "error:AT0401-Exception: Command cannot be executed without auth",
    ],
    [new AtError("AT0010", "oops"), OWNER, "error:AT0010-Exception: oops"],
    [new AtError("AT0012", "full"), STRANGER, "error:AT0012-Inbound connection limit exceeded"],
    [
      new AtError("AT0013", "Unable to connect"),
      STRANGER,
      "error:AT0013-Exception: Unable to connect",
    ],
  ];
  for (const [error, form, line] of rows) assertEquals(encodeErrorReply(error, form), line);
});

Deno.test("AtError closes the connection for the codes of the specification, unless told otherwise", () => {
  const closing = (Object.keys(AT_ERROR_TEXT) as AtErrorCode[])
    .filter((code) => new AtError(code, "x").closes);
  assertEquals(closing, ["AT0001", "AT0002", "AT0005", "AT0012", "AT0013", "AT0024"]);
  assert(new AtError("AT0011", "x", { closes: true }).closes);
  assert(!new AtError("AT0002", "x", { closes: false }).closes);
  assert(!new AtError("AT0002", "x", { handlerForm: true }).closes);
});

Deno.test("encodeErrorReply() is one bounded line without data: that parseReply() gives back, for any message", () => {
  const message = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fc.constantFrom("data:", "da", "ta:", "\n", "\r", "error:", "@", "x")).map((p) =>
      p.join("")
    ),
    fc.constant("data:".repeat(1_000)),
  );
  const code = fc.constantFrom(...Object.keys(AT_ERROR_TEXT) as AtErrorCode[]);
  fc.assert(
    fc.property(code, message, fc.boolean(), fc.boolean(), fc.boolean(), (code, text, a, b, c) => {
      const error = new AtError(code, text, { handlerForm: a });
      const line = encodeErrorReply(error, { json: b, ownerAuthenticated: c });
      assert(!/[\r\n]/.test(line));
      assert(!line.includes("data:"));
      assert(line.length < 7_000);
      const reply = parseReply(line);
      assert(reply.kind === "error" && reply.code === code);
    }),
  );
});
