import fc from "fast-check";
import { assert, assertEquals, assertRejects } from "../../tests/assert.ts";
import { NoportsError, systemEntropy } from "../base/mod.ts";
import { CtrStream } from "../crypto/mod.ts";
import { encodeUtf8 } from "../encoding/mod.ts";
import {
  controlBytes,
  ControlFramer,
  encodeConnectMessage,
  encodeHeartbeat,
  parseControlMessage,
} from "./control_message.ts";
import { createSessionKeys, type StreamKey } from "./session_keys.ts";

const AA: StreamKey = { key: new Uint8Array(32).fill(0xaa), iv: new Uint8Array(16).fill(0xbb) };
const CC: StreamKey = { key: new Uint8Array(32).fill(0xcc), iv: new Uint8Array(16).fill(0xdd) };

Deno.test("encodeConnectMessage() gives the encrypted bytes of the test vectors", () => {
  const message = encodeConnectMessage({ toDaemon: AA, toClient: AA });
  assertEquals(
    message,
    "connect:qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=:u7u7u7u7u7u7u7u7u7u7uw==\n",
  );
  const cipher = new CtrStream(
    Uint8Array.from({ length: 32 }, (_, i) => i),
    Uint8Array.from({ length: 16 }, (_, i) => i),
  );
  assertEquals(
    cipher.transform(controlBytes(message)).toHex(),
    "39016a396d9805ac815f244c73b2d7e3118261a4b2f4292c24678a20039451be6d14062a4bb4bdd5ca907ad49460b6e3e7ba684f12e5909a5e356a65ce11da28393e155bcf383e5ffbd8b344a9cd",
  );
});

Deno.test("parseControlMessage() reads what encodeConnectMessage() wrote in all three forms", () => {
  for (const keys of [{ toDaemon: AA, toClient: AA }, { toDaemon: AA, toClient: CC }, null]) {
    const line = encodeConnectMessage(keys).trimEnd();
    assertEquals(parseControlMessage(line), { kind: "connect", keys });
  }
  assertEquals(encodeConnectMessage({ toDaemon: AA, toClient: CC }).length, 148);
});

Deno.test("parseControlMessage() ignores heartbeats and unknown words", () => {
  assertEquals(parseControlMessage(encodeHeartbeat(7).trimEnd()), { kind: "heartbeat" });
  assertEquals(parseControlMessage("future:1"), { kind: "unknown", chars: 8 });
});

Deno.test("parseControlMessage() refuses a connect that has none of its forms", async () => {
  const short = encodeConnectMessage({
    toDaemon: { key: new Uint8Array(16), iv: new Uint8Array(16) },
    toClient: AA,
  }).trimEnd();
  for (
    const line of ["connect", "connect:", "connect:a:b", "connect:no:", short, "connect:1:2:3"]
  ) {
    await assertRejects(() => parseControlMessage(line), NoportsError, {
      code: "protocol_violation",
    });
  }
});

Deno.test("ControlFramer yields the same messages however the bytes are cut", () =>
  fc.assert(fc.property(fc.integer({ min: 1, max: 6 }), fc.nat(400), (count, step) => {
    const messages = Array.from(
      { length: count },
      (_, i) =>
        i % 3 === 2
          ? encodeHeartbeat(i)
          : encodeConnectMessage(createSessionKeys(systemEntropy, { twin: i % 2 === 1 })),
    );
    const bytes = encodeUtf8(messages.join("\n"));
    const framer = new ControlFramer();
    const got: string[] = [];
    for (let at = 0; at < bytes.length; at += step + 1) {
      got.push(...framer.push(bytes.subarray(at, at + step + 1)));
    }
    assertEquals(got.map((line) => line + "\n"), messages);
  })));

Deno.test("ControlFramer takes messages without LF of clients before 5.6.1", () => {
  const one = encodeConnectMessage({ toDaemon: AA, toClient: AA }).trimEnd();
  const two = encodeConnectMessage({ toDaemon: CC, toClient: CC }).trimEnd();
  assertEquals(one.length, 77);
  const framer = new ControlFramer();
  assertEquals(framer.push(encodeUtf8(one)), [one]);
  assertEquals(framer.push(encodeUtf8(one + two)), [one, two]);
  assertEquals(framer.push(encodeUtf8(two.slice(0, 30))), []);
  assertEquals(framer.push(encodeUtf8(two.slice(30))), [two]);
});

Deno.test("ControlFramer does not take 77 bytes of another kind for a message", () => {
  const framer = new ControlFramer();
  assertEquals(framer.push(encodeUtf8("x".repeat(77))), []);
  assertEquals(framer.push(encodeUtf8("y\n")), ["x".repeat(77) + "y"]);
});

Deno.test("ControlFramer stops a stream without line ends", async () => {
  const framer = new ControlFramer();
  await assertRejects(
    () => {
      for (let i = 0; i < 100; i++) assert(framer.push(new Uint8Array(1000)).length === 0);
    },
    NoportsError,
    { code: "protocol_violation" },
  );
});
