import { assert, assertEquals } from "../tests/assert.ts";
import { fileURLToPath } from "node:url";

const RUNNER = fileURLToPath(new URL("run_tests.ts", import.meta.url));

const CASES: { name: string; files: Record<string, string>; line: string; ok: boolean }[] = [
  {
    name: "passes when tests pass, and counts skipped ones apart",
    files: {
      "a_test.ts": `Deno.test("one", () => {});
        Deno.test({ name: "two [skipped: no sshd]", ignore: true, fn() {} });`,
    },
    line: "1 passed, 0 failed, 1 skipped",
    ok: true,
  },
  {
    name: "fails when a test fails or leaks, or a file cannot be loaded",
    files: {
      "a_test.ts": `Deno.test("one", () => { throw new Error("no"); });
        Deno.test("two", () => { setTimeout(() => {}, 60_000); });
        Deno.test("three", () => {});`,
      "b_test.ts": `Deno.test("four", () => {}); throw new Error("at load");`,
    },
    line: "1 passed, 3 failed",
    ok: false,
  },
  {
    name: "counts a type error as one failure",
    files: { "a_test.ts": `const n: number = "one"; Deno.test(String(n), () => {});` },
    line: "0 passed, 1 failed",
    ok: false,
  },
  { name: "fails when there are no tests", files: {}, line: "0 passed, 1 failed", ok: false },
  {
    name: "fails when every test was skipped",
    files: { "a_test.ts": `Deno.test({ name: "one", ignore: true, fn() {} });` },
    line: "0 passed, 1 failed, 1 skipped",
    ok: false,
  },
];

for (const { name, files, line, ok } of CASES) {
  Deno.test(`run_tests ${name}`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "noports-run-tests-" });
    try {
      for (const [file, text] of Object.entries(files)) {
        await Deno.writeTextFile(`${folder}/${file}`, text);
      }
      const { success, stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--quiet", RUNNER, folder],
        stderr: "null",
      }).output();
      const lines = new TextDecoder().decode(stdout).split("\n");
      assertEquals(lines.at(-2), line, lines.join("\n"));
      assertEquals(lines.at(-1), "");
      assert(success === ok);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
