/** Every assertion of the tests comes from here, so that their origin is one line. */
import assert from "node:assert/strict";

export { assert };
export const assertEquals: typeof assert.deepStrictEqual = assert.deepStrictEqual;
export const assertMatch: typeof assert.match = assert.match;

/** Asserts that `run` throws (or rejects with) an error that `check` accepts, and gives it back. */
export async function assertRejects<E extends Error>(
  run: () => unknown,
  // deno-lint-ignore no-explicit-any -- any constructor will do
  type: new (...args: any[]) => E,
  check?: Partial<Record<keyof E, unknown>>,
): Promise<E> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof type)) throw error;
    for (const [name, value] of Object.entries(check ?? {})) {
      assert.deepStrictEqual(error[name as keyof E], value, `${name} of ${error.message}`);
    }
    return error;
  }
  assert.fail(`expected a ${type.name}, but nothing was thrown`);
}
