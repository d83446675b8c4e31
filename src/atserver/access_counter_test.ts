import fc from "fast-check";
import { assert, assertEquals } from "../../tests/assert.ts";
import { AccessCounter } from "./access_counter.ts";

Deno.test("AccessCounter lists the most frequent names first", () => {
  const counter = new AccessCounter();
  for (const name of ["b", "a", "c", "b", "a", "b"]) counter.count(name);
  assertEquals(counter.top(2), { b: 3, a: 2 });
  assertEquals([counter.size, counter.dropped], [3, 0]);
});

Deno.test("AccessCounter stays bounded, never counts too few, and keeps what is frequent", () => {
  fc.assert(fc.property(fc.array(fc.nat({ max: 30 }), { maxLength: 300 }), (names) => {
    const counter = new AccessCounter(5);
    const exact = new Map<string, number>();
    for (const name of names.map(String)) {
      counter.count(name);
      exact.set(name, (exact.get(name) ?? 0) + 1);
    }
    assert(counter.size <= 5);
    const kept = counter.top(5);
    for (const [name, n] of Object.entries(kept)) assert(n >= (exact.get(name) ?? 0));
    // what makes up more than a fifth cannot have been dropped
    for (const [name, n] of exact) assert(n <= names.length / 5 || Object.hasOwn(kept, name));
  }));
});
