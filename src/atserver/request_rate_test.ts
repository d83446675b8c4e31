import { assertEquals, assertRejects } from "../../tests/assert.ts";
import { AtError } from "../atprotocol/wire/mod.ts";
import { ManualClock } from "../base/mod.ts";
import { RequestRate } from "./request_rate.ts";

const { signal } = new AbortController();

function setUp(): { clock: ManualClock; rate: RequestRate } {
  const clock = new ManualClock();
  const limits = { strangerRequestsPerSecond: 10, strangerRequestBurst: 3 };
  return { clock, rate: new RequestRate(clock, limits) };
}

Deno.test("RequestRate lets a burst through at once, then one command for each new token", async () => {
  const { clock, rate } = setUp();
  for (let i = 0; i < 3; i++) assertEquals(rate.take("a", signal), null);
  const waits = rate.take("a", signal);
  assertEquals(waits instanceof Promise, true);
  assertEquals(rate.take("b", signal), null, "another address has tokens of its own");
  clock.advance(100);
  await waits;
  clock.advance(10_000);
  for (let i = 0; i < 3; i++) assertEquals(rate.take("a", signal), null, "never above the burst");
  assertEquals(rate.take("a", signal) instanceof Promise, true);
});

Deno.test("RequestRate refuses who is more than two seconds over it", async () => {
  const { clock, rate } = setUp();
  const waiting: (Promise<void> | null)[] = [];
  for (let i = 0; i < 3 + 20; i++) waiting.push(rate.take("a", signal));
  await assertRejects(() => rate.take("a", signal) ?? undefined, AtError, {
    code: "AT0012",
    closes: true,
  });
  clock.advance(2_000);
  await Promise.all(waiting);
  assertEquals(rate.take("a", signal) instanceof Promise, true);
  clock.advance(1_000);
});
