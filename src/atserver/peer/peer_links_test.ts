import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { memoryConnPair } from "../../../tests/memory_conn.ts";
import { ManualClock, silentLog } from "../../base/mod.ts";
import { AtError, type AtSign, parseAtSign } from "../../atprotocol/wire/mod.ts";
import { LinkLostError, PeerLink } from "./peer_link.ts";
import { type LinkPair, PeerLinks } from "./peer_links.ts";

const [ALICE, BOB, CAROL] = ["@alice", "@bob", "@carol"].map(parseAtSign) as [
  AtSign,
  AtSign,
  AtSign,
];
const PAIR: LinkPair = { peer: BOB, as: ALICE };

async function withLinks(
  test: (links: PeerLinks, opened: PeerLink[], clock: ManualClock) => Promise<void>,
  maxLinks = 200,
): Promise<void> {
  const opened: PeerLink[] = [];
  const clock = new ManualClock();
  const open = () => {
    const link = new PeerLink(memoryConnPair()[0]);
    opened.push(link);
    return Promise.resolve(link);
  };
  await using links = new PeerLinks({ open, clock, log: silentLog, maxLinks });
  await test(links, opened, clock);
}

Deno.test("PeerLinks uses a free connection again, one for each pair", () =>
  withLinks(async (links, opened) => {
    const same = (link: PeerLink) => Promise.resolve(link);
    const first = await links.withLink(PAIR, same);
    assertEquals(await links.withLink(PAIR, same), first);
    assert(await links.withLink({ peer: BOB, as: null }, same) !== first);
    assert(await links.withLink({ peer: BOB, as: CAROL }, same) !== first);
    assertEquals([opened.length, links.size], [3, 3]);
  }));

Deno.test("PeerLinks opens up to four connections of a pair, then makes requests wait in turn", () =>
  withLinks(async (links, opened) => {
    const gates = Array.from({ length: 6 }, () => Promise.withResolvers<void>());
    const done: number[] = [];
    const running = gates.map((gate, i) =>
      links.withLink(PAIR, async () => {
        await gate.promise;
        done.push(i);
      })
    );
    await Promise.resolve();
    assertEquals(links.size, 4);
    for (const [i, gate] of gates.entries()) {
      gate.resolve();
      await running[i];
    }
    assertEquals([opened.length, done], [4, [0, 1, 2, 3, 4, 5]]);
  }));

Deno.test("PeerLinks refuses when too many requests wait", () =>
  withLinks(async (links) => {
    const gate = Promise.withResolvers<void>();
    const running = Array.from({ length: 68 }, () => links.withLink(PAIR, () => gate.promise));
    await assertRejects(() => links.withLink(PAIR, () => Promise.resolve()), AtError, {
      code: "AT0006",
    });
    gate.resolve();
    await Promise.all(running);
  }));

Deno.test("PeerLinks gives up the longest idle connection for a new pair, and none that is busy", () =>
  withLinks(async (links, opened, clock) => {
    await links.withLink({ peer: BOB, as: null }, () => Promise.resolve());
    clock.advance(1);
    await links.withLink({ peer: CAROL, as: null }, () => Promise.resolve());
    await links.withLink(PAIR, () => Promise.resolve());
    assertEquals(opened.map((link) => link.closed), [true, false, false]);
    const gate = Promise.withResolvers<void>();
    const busy = [
      links.withLink(PAIR, () => gate.promise),
      links.withLink({ peer: CAROL, as: null }, () => gate.promise),
    ];
    await assertRejects(
      () => links.withLink({ peer: BOB, as: null }, () => Promise.resolve()),
      AtError,
      { code: "AT0006" },
    );
    gate.resolve();
    await Promise.all(busy);
  }, 2));

Deno.test("PeerLinks replaces a kept connection that is dead, but a new one that dies is an error", () =>
  withLinks(async (links, opened) => {
    await links.withLink(PAIR, () => Promise.resolve());
    const answer = await links.withLink(PAIR, (link) => {
      if (link !== opened[0]) return Promise.resolve("answered");
      link.close();
      return Promise.reject(new LinkLostError("gone"));
    });
    assertEquals([answer, links.size], ["answered", 1]);
    const die = (link: PeerLink) => {
      link.close();
      return Promise.reject(new LinkLostError("gone"));
    };
    await assertRejects(() => links.withLink(PAIR, die), AtError, { code: "AT0021" });
    assertEquals([opened.length, links.size], [3, 0]);
  }));

Deno.test("PeerLinks closes what was idle for ten minutes", () =>
  withLinks(async (links, opened, clock) => {
    await links.withLink(PAIR, () => Promise.resolve());
    clock.advance(9 * 60_000);
    await settled();
    assertEquals(links.size, 1);
    clock.advance(60_000);
    await settled();
    assertEquals([links.size, opened[0]?.closed], [0, true]);
  }));

Deno.test("PeerLinks forgets a connection that could not be opened", async () => {
  const open = () => Promise.reject(new AtError("AT0021", "no"));
  await using links = new PeerLinks({ open, clock: new ManualClock(), log: silentLog });
  for (let i = 0; i < 10; i++) {
    await assertRejects(() => links.withLink(PAIR, () => Promise.resolve()), AtError, {
      code: "AT0021",
    });
  }
  assertEquals(links.size, 0);
});

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
