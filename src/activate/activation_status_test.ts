import { parseAtSign } from "../atprotocol/wire/mod.ts";
import { type ErrorCode, NoportsError } from "../base/mod.ts";
import { assertEquals } from "../../tests/assert.ts";
import { describeActivation } from "./activation_status.ts";

Deno.test("describeActivation prints the vendor's number and gives our exit status", async () => {
  const cases: [boolean | ErrorCode, string, number][] = [
    [true, "returning 0: found public:publickey@alice OK", 0],
    [false, "returning 1: public:publickey@alice does not exist: not activated", 3],
    ["atserver_unreachable", "returning 2: atServer cannot be reached @alice (Cannot: x)", 6],
    ["timeout", "returning 2: atServer cannot be reached @alice (Cannot: x)", 7],
    ["atsign_unknown", "returning 3: atDirectory has no record for @alice", 3],
    ["directory_unreachable", "returning 4: Caught NoportsError : Cannot: x", 6],
  ];
  for (const [outcome, line, exitStatus] of cases) {
    const ask = () =>
      typeof outcome === "boolean"
        ? Promise.resolve(outcome)
        : Promise.reject(new NoportsError(outcome, "Cannot: x"));
    const { signal } = new AbortController();
    assertEquals(await describeActivation(parseAtSign("@alice"), ask, signal), {
      line,
      exitStatus,
    });
  }
});
