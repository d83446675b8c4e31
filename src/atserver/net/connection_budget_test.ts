import { assert, assertEquals } from "../../../tests/assert.ts";
import { parseOpenFilesLimit, splitBudget } from "./connection_budget.ts";

Deno.test("splitBudget() leaves descriptors free at every limit", () => {
  for (const openFiles of [150, 256, 1_024, 4_096, 20_000, 1_000_000]) {
    const { atServers, directory } = splitBudget(openFiles);
    assert(atServers >= 1 && directory >= 1, `${openFiles}`);
    assert(atServers + directory <= openFiles - 128, `${openFiles}`);
  }
  assertEquals(splitBudget(1_024), { atServers: 546, directory: 137 });
  assertEquals(splitBudget(20_000), { atServers: 10_000, directory: 2_000 });
});

Deno.test("parseOpenFilesLimit() reads the soft limit", () => {
  const limits = "Limit            Soft Limit  Hard Limit  Units\n" +
    "Max processes    100         200         processes\n" +
    "Max open files   1024        524288      files\n";
  assertEquals(parseOpenFilesLimit(limits), 1024);
  assertEquals(parseOpenFilesLimit("Max open files  unlimited unlimited files\n"), 1_000_000);
  assertEquals(parseOpenFilesLimit("nothing here"), null);
});
