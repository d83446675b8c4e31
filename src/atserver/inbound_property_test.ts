import fc from "fast-check";
import { assert } from "../../tests/assert.ts";
import { settle, World } from "../../tests/at_server_world.ts";
import { encodeUtf8 } from "../encoding/mod.ts";

const WORDS = [
  "from:@alice",
  "from:@zoe",
  "cram:00",
  "pkam:AAAA",
  "pkam:enrollmentId:x:AAAA",
  "pol",
  "lookup:all:publickey@alice",
  "lookup:bypassCache:true:meta:x.y@bob",
  "plookup:publickey@alice",
  "llookup:cached:public:publickey@bob",
  "update:ttl:1:ttr:999999999999999:@bob:x.y@alice v",
  "update:public:x@alice v",
  "delete:@bob:x.y@alice",
  "delete:privatekey:at_secret",
  "scan:showhidden:true .*",
  "scan (a+)+$",
  "notify:id:1:ttln:999999999999999:ttb:999999999999999:@alice:x.y@alice:v",
  "notify:messageType:text:@alice:x",
  "monitor:selfNotifications:0 .*",
  "monitor:strict",
  "noop:5000",
  "info",
  "stats:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
  "stats",
  "enroll:request:{}",
  'enroll:fetch:{"enrollmentId":"x"}',
  "@exit",
  "😀",
  "\0",
  "\r",
];

/** One complete reply: a line with a prompt or, on a monitor connection, without. Or what stands alone: prompts. */
const WHOLE = /^(?:@(?:\w+@)?|[^\n]+\n(?:@(?:\w+@)?)?)$/;

const text = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...WORDS) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(...WORDS), fc.nat(40), fc.string({ maxLength: 5 }))
      .map(([word, at, extra]) => word.slice(0, at) + extra + word.slice(at)),
  },
);
const chunk = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.array(text, { maxLength: 4 }).map((all) => encodeUtf8(all.join("\n") + "\n")),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
);

for (const isOwner of [false, true]) {
  Deno.test(`whatever ${isOwner ? "an owner" : "a stranger"} sends, every reply is whole and the connection lives or ends`, async () => {
    await using world = new World({ limits: { freeLoginFailures: 1e9, loginFailures: 1e9 } });
    await world.activate("@alice", "@bob");
    await fc.assert(
      fc.asyncProperty(fc.array(chunk, { maxLength: 6 }), async (chunks) => {
        const client = isOwner ? await world.login("@alice") : await world.connect();
        for (const bytes of chunks) await client.send(bytes);
        await client.send("\nnoop:0\n");
        for (let i = 0; i < 60; i++) {
          await turn();
          world.clock.advance(500); // for noop
        }
        await settle();
        const writes = client.takeWrites();
        for (const write of writes) assert(WHOLE.test(write), JSON.stringify(write));
        const hasAnswered = writes.some((write) => write.startsWith("data:ok\n"));
        assert(hasAnswered || !client.isServed, JSON.stringify(writes.slice(-3)));
        await client.end();
      }),
      { numRuns: 120, endOnFailure: true },
    );
  });
}

async function turn(): Promise<void> {
  for (let i = 0; i < 40; i++) await Promise.resolve();
}
