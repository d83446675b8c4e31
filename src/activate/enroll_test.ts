import { ConnectionLost } from "../atprotocol/client/mod.ts";
import type { AtKeys } from "../atprotocol/wire/mod.ts";
import { ManualClock, NoportsError } from "../base/mod.ts";
import { assertEquals, assertRejects } from "../../tests/assert.ts";
import { awaitApproval } from "./enroll.ts";

const PAIR = { publicKey: "p", privateKey: "s" };
const GRANTED: AtKeys = { pkam: PAIR, encryption: PAIR, selfEncryptionKey: "k" };

/** Waits for an approval whose looks give `answers` in turn; time passes by itself. */
async function run(answers: readonly (AtKeys | null | Error)[], signal?: AbortSignal) {
  const lines: string[] = [];
  const clock = new ManualClock();
  const started = clock.now();
  let looks = 0;
  const look = () => {
    const answer = answers[looks++] ?? null;
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const hurried = {
    now: () => clock.now(),
    sleep: (ms: number, until?: AbortSignal) => {
      const slept = clock.sleep(ms, until);
      clock.advance(ms);
      return slept;
    },
  };
  const keys = await awaitApproval({ enrollmentId: "e1" }, look, {
    clock: hurried,
    stderr: (line) => lines.push(line),
    signal: signal ?? new AbortController().signal,
  });
  return { keys, lines, waitedMs: clock.now() - started };
}

Deno.test("awaitApproval looks every 10 s and waits out a lost server, however long", async () => {
  const lost = new NoportsError("atserver_unreachable", "Cannot reach it");
  const busy = new NoportsError("auth_failed", "Cannot log in: too many connections");
  const { keys, lines, waitedMs } = await run([
    null,
    ...Array.from({ length: 20 }, () => lost),
    new ConnectionLost("gone"),
    busy,
    GRANTED,
  ]);
  assertEquals(keys, GRANTED);
  assertEquals(waitedMs, 230_000);
  assertEquals(lines[0], "Checking ...  not approved. Will retry in 10 seconds");
  assertEquals(lines[1], "Checking ...  Cannot reach it. Will retry in 10 seconds");
  assertEquals(lines[21], "Checking ...  gone. Will retry in 10 seconds");
  assertEquals(lines.at(-1), "Checking ...  approved.");
});

Deno.test("awaitApproval stops at what waiting does not mend", async () => {
  const gone = new NoportsError("atsign_unknown", "Cannot find @alice");
  assertEquals(await assertRejects(() => run([null, gone]), NoportsError), gone);
});
