import { NoportsError } from "../base/mod.ts";
import { assertEquals, assertRejects } from "../../tests/assert.ts";
import { parseDurationMs, parseHostPort, parsePort } from "./values.ts";

Deno.test("parseDurationMs() reads the vendor's durations", () => {
  const rows: [string, number][] = [
    ["30s", 30_000],
    ["0", 0],
    ["1h,14m,30s", 4_470_000],
    ["7d", 604_800_000],
    ["500ms", 500],
    ["45", 45_000],
  ];
  for (const [text, ms] of rows) assertEquals(parseDurationMs(text, "-T"), ms, text);
});

Deno.test("parseDurationMs(), parsePort() and parseHostPort() refuse what is not one", async () => {
  for (const text of ["", "soon", "-1s", "1.5h", "1h 3m"]) {
    await assertRejects(() => parseDurationMs(text, "-T"), NoportsError, { code: "usage" });
  }
  for (const text of ["", "65536", "-1", "22x", "1e3"]) {
    await assertRejects(() => parsePort(text, "-p"), NoportsError, { code: "usage" });
  }
  for (const text of ["", "host", "a b:1", "host:99999", "1:2:3"]) {
    await assertRejects(() => parseHostPort(text, "--listen"), NoportsError, { code: "usage" });
  }
});

Deno.test("parseHostPort() takes names, IPv4 and bracketed IPv6, with a default port", () => {
  assertEquals(parseHostPort("[::1]:64", "x"), { host: "::1", port: 64 });
  assertEquals(parseHostPort("root.example.org", "x", 64), { host: "root.example.org", port: 64 });
  assertEquals(parseHostPort("0.0.0.0:0", "x"), { host: "0.0.0.0", port: 0 });
});
