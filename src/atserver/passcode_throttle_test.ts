import { AtError, parseAtSign } from "../atprotocol/wire/mod.ts";
import { ManualClock } from "../base/mod.ts";
import { assert, assertEquals, assertRejects } from "../../tests/assert.ts";
import { CountingEntropy, settle } from "../../tests/at_server_world.ts";
import { PasscodeThrottle } from "./passcode_throttle.ts";
import { makeOtp } from "./passcodes.ts";

const alice = parseAtSign("@alice");
const never = new AbortController().signal;

function setUp() {
  const clock = new ManualClock();
  const throttle = new PasscodeThrottle(clock, { wrongPasscodeDelayMs: 55_000 });
  let addresses = 0;
  /** Guesses wrong from `address`, a new one by default; gives how long the answer took. */
  const guess = async (
    address = `192.0.2.${++addresses}`,
    signal = never,
    of = alice,
  ): Promise<number> => {
    const start = clock.now();
    const answer = throttle.guard(of, address, signal, () => false).then(() => clock.now() - start);
    answer.catch(() => {});
    for (let s = 0; s <= 60; s++) {
      await settle();
      if (await isDone(answer)) break;
      clock.advance(1_000);
    }
    return await answer;
  };
  return { clock, throttle, guess };
}

Deno.test("PasscodeThrottle delays wrong answers by the series, from whatever address, and begins anew", async () => {
  const { clock, guess } = setUp();
  const seconds: number[] = [];
  for (let i = 0; i < 12; i++) seconds.push(await guess() / 1000);
  assertEquals(seconds, [1, 2, 3, 5, 8, 13, 21, 34, 55, 55, 55, 55]);
  assertEquals(await guess("192.0.2.99", never, parseAtSign("@bob")), 1_000);
  clock.advance(53_000); // one second went by for @bob
  assertEquals(await guess(), 55_000);
  clock.advance(55_000);
  assertEquals(await guess(), 1_000);
});

Deno.test("PasscodeThrottle gives an address its next guess when the last answer was due, also after it hung up", async () => {
  const { clock, throttle, guess } = setUp();
  for (let i = 0; i < 4; i++) await guess();
  const gone = new AbortController();
  const first = throttle.guard(alice, "2001:db8::1", gone.signal, () => false);
  gone.abort(new RangeError("hung up"));
  await assertRejects(() => first, RangeError);
  let checks = 0;
  const right = () => {
    checks++;
    return true;
  };
  const waiting = [1, 2, 3, 4].map(() => throttle.guard(alice, "2001:db8::2", never, right));
  await assertRejects(() => throttle.guard(alice, "2001:db8::3", never, right), AtError, {
    code: "AT0011",
  });
  assert(await throttle.guard(alice, "2001:db8:0:1::1", never, right), "another network");
  clock.advance(7_999);
  await settle();
  assertEquals(checks, 1);
  clock.advance(1);
  assertEquals(await Promise.all(waiting), [true, true, true, true]);
});

Deno.test("PasscodeThrottle lets one of those that wait guess wrong at a time", async () => {
  const { clock, throttle, guess } = setUp();
  await guess("192.0.2.1"); // 1 s
  throttle.guard(alice, "192.0.2.1", never, () => false).catch(() => {}); // due in 2 s
  let checks = 0;
  const waiting = [1, 2, 3].map(() =>
    throttle.guard(alice, "192.0.2.1", never, () => {
      checks++;
      return false;
    })
  );
  for (const [at, expected] of [[2, 1], [3, 2], [5, 3]] as const) {
    clock.advance(at * 1_000 - 1);
    await settle();
    assertEquals(checks, expected - 1);
    clock.advance(1);
    await settle();
    assertEquals(checks, expected);
  }
  clock.advance(8_000);
  assertEquals(await Promise.all(waiting), [false, false, false]);
});

Deno.test("makeOtp() gives six symbols that cannot be confused, one of them a digit", () => {
  const entropy = new CountingEntropy();
  const seen = new Set<string>();
  for (let i = 0; i < 250; i++) {
    const otp = makeOtp(entropy);
    assert(/^[A-NP-Z1-9]{6}$/.test(otp) && /[1-9]/.test(otp), otp);
    seen.add(otp);
  }
  const random = makeOtp({
    ...entropy,
    uuid: () => "",
    rsaKeyPair: () => entropy.rsaKeyPair(),
    bytes: (n) => crypto.getRandomValues(new Uint8Array(n)),
  });
  assert(/^[A-NP-Z1-9]{6}$/.test(random));
  assert(seen.size > 30);
});

async function isDone(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol();
  return await Promise.race([promise, Promise.resolve(pending)]).catch(() => 0) !== pending;
}
