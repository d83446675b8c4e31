import fc from "fast-check";
import { assert, assertEquals } from "../tests/assert.ts";
import { PairQueue, type Side, type Ticket } from "./pairing.ts";

/** Enters a socket that is ready at once. */
function enterReady(
  queue: PairQueue<string>,
  side: Side,
  name: string,
  number?: number,
): Ticket<string> {
  const ticket = queue.enter(side, name);
  ticket.ready = true;
  ticket.number = number ?? null;
  return ticket;
}

function takeAll(queue: PairQueue<string>): string[] {
  const pairs: string[] = [];
  for (let pair = queue.takePair(); pair !== null; pair = queue.takePair()) {
    pairs.push(`${pair.a.conn}-${pair.b.conn}`);
  }
  return pairs;
}

Deno.test("PairQueue joins the oldest of each side", () => {
  const queue = new PairQueue<string>();
  enterReady(queue, "A", "a1");
  enterReady(queue, "A", "a2");
  assertEquals(queue.takePair(), null);
  enterReady(queue, "B", "b1");
  enterReady(queue, "B", "b2");
  enterReady(queue, "B", "b3");
  assertEquals(takeAll(queue), ["a1-b1", "a2-b2"]);
  assertEquals(queue.all(), ["b3"]);
});

Deno.test("PairQueue holds a socket back while an older one still blocks", () => {
  const queue = new PairQueue<string>();
  const slow = queue.enter("A", "a1");
  enterReady(queue, "A", "a2");
  enterReady(queue, "B", "b1");
  assertEquals(takeAll(queue), []);
  slow.blocks = false;
  assertEquals(takeAll(queue), ["a2-b1"]);
  slow.ready = true;
  enterReady(queue, "B", "b2");
  assertEquals(takeAll(queue), ["a1-b2"]);
});

Deno.test("PairQueue lets the next socket pass when an older one gives its place up", () => {
  const queue = new PairQueue<string>();
  const bad = queue.enter("B", "b1");
  enterReady(queue, "B", "b2");
  enterReady(queue, "A", "a1");
  queue.leave(bad);
  assertEquals(takeAll(queue), ["a1-b2"]);
});

Deno.test("PairQueue joins numbered sockets by number, past any that block", () => {
  const queue = new PairQueue<string>();
  queue.enter("A", "slow");
  enterReady(queue, "A", "a2", 2);
  enterReady(queue, "A", "a1", 1);
  enterReady(queue, "B", "b1", 1);
  enterReady(queue, "B", "b3", 3);
  assertEquals(takeAll(queue), ["a1-b1"]);
  assert(queue.hasNumber("A", 2));
  assert(!queue.hasNumber("A", 1));
  enterReady(queue, "B", "b2", 2);
  assertEquals(takeAll(queue), ["a2-b2"]);
});

Deno.test("PairQueue never joins a numbered socket with one that has no number", () => {
  const queue = new PairQueue<string>();
  enterReady(queue, "A", "a", 1);
  enterReady(queue, "B", "b");
  assertEquals(takeAll(queue), []);
});

Deno.test("PairQueue keeps the order of acceptance whatever the order of readiness", () =>
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.infiniteStream(fc.nat()), (count, random) => {
      const queue = new PairQueue<string>();
      const waiting: Ticket<string>[] = [];
      for (let i = 0; i < count; i++) {
        waiting.push(queue.enter("A", `a${i}`), queue.enter("B", `b${i}`));
      }
      const pairs: string[] = [];
      while (waiting.length > 0) {
        const at = (random.next().value ?? 0) % waiting.length;
        const [ticket] = waiting.splice(at, 1);
        if (ticket !== undefined) ticket.ready = true;
        pairs.push(...takeAll(queue));
      }
      assertEquals(pairs, Array.from({ length: count }, (_, i) => `a${i}-b${i}`));
    }),
  ));
