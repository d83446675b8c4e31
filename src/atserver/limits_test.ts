import { assertEquals } from "../../tests/assert.ts";
import { idleAllowanceMs } from "./limits.ts";

Deno.test("idleAllowanceMs() shrinks from all to one minute as the second half of the places fills", () => {
  const day = 86_400_000;
  assertEquals(idleAllowanceMs(0, 200, 30 * day), 30 * day);
  assertEquals(idleAllowanceMs(100, 200, 30 * day), 30 * day);
  assertEquals(idleAllowanceMs(150, 200, 30 * day), 15 * day + 30_000);
  assertEquals(idleAllowanceMs(200, 200, 30 * day), 60_000);
  assertEquals(idleAllowanceMs(500, 200, 30 * day), 60_000);
});
