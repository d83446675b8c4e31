import { assertEquals } from "../../tests/assert.ts";
import { TaskGroup } from "./task_group.ts";

Deno.test("TaskGroup waits for its tasks, also those started meanwhile, and reports what they throw", async () => {
  const errors: unknown[] = [];
  const done: string[] = [];
  const gate = Promise.withResolvers<void>();
  const group = new TaskGroup((error) => errors.push(error));
  group.run(async () => {
    await gate.promise;
    group.run(() => {
      done.push("inner");
      return Promise.reject("boom");
    });
    done.push("outer");
  });
  assertEquals(group.size, 1);
  gate.resolve();
  await group[Symbol.asyncDispose]();
  assertEquals(done, ["inner", "outer"]);
  assertEquals(errors, ["boom"]);
});
