import { assert, assertEquals } from "../../tests/assert.ts";
import { createLog, type LogFormat, Secret } from "./log.ts";

function collect(format: LogFormat): { lines: string[]; log: ReturnType<typeof createLog> } {
  const lines: string[] = [];
  const log = createLog({
    level: "info",
    format,
    write: (line) => lines.push(line),
    now: () => new Date(0),
  });
  return { lines, log };
}

Deno.test("a log writes one line per event with its fields, in text and in JSON", () => {
  const text = collect("text");
  text.log.with({ role: "relay" }).info("session opened", { bytes: 5, peer: "a b" });
  assertEquals(text.lines, [
    '1970-01-01T00:00:00.000Z INFO  session opened role=relay bytes=5 peer="a b"',
  ]);
  const json = collect("json");
  json.log.warn("x", { error: new Error("why") });
  assertEquals(JSON.parse(json.lines[0] ?? ""), {
    time: "1970-01-01T00:00:00.000Z",
    level: "warn",
    event: "x",
    error: "why",
  });
});

Deno.test("a log below its level writes nothing", () => {
  const { lines, log } = collect("text");
  log.debug("detail");
  assertEquals(lines, []);
});

Deno.test("a secret never prints, and a peer's text cannot forge lines or fill the disk", () => {
  const { lines, log } = collect("text");
  const key = new Secret("hunter2");
  log.info("login", { key, name: "a\nINFO forged\x1b[31m", long: "x".repeat(10_000) });
  const line = lines[0] ?? "";
  assert(!line.includes("hunter2") && line.includes("[secret]"));
  assert(!line.includes("\n") && !line.includes("\x1b"));
  assert(line.length < 1000);
  assertEquals(
    `${key} ${JSON.stringify(key)} ${Deno.inspect(key)}`,
    '[secret] "[secret]" [secret]',
  );
});
