import fc from "fast-check";
import { assertEquals, assertMatch } from "../../tests/assert.ts";
import { type Client, World } from "../../tests/at_server_world.ts";

/**
 * The keys of one atSign against a model that a page can hold, over several connections: values, expiry, versions and
 * the commit log, whatever the order of the commands.
 */

interface Entry {
  readonly value: string;
  readonly expiresAt: number | null;
  readonly ttl: number | null;
  readonly version: number;
}

interface Model {
  now: number;
  lastCommit: number;
  readonly keys: Map<string, Entry>;
}

interface Real {
  readonly world: World;
  readonly clients: readonly Client[];
}

type Command = fc.AsyncCommand<Model, Real>;

const OWNER = "@alice@";

function isActive(entry: Entry, now: number): boolean {
  return entry.expiresAt === null || entry.expiresAt >= now;
}

class Update implements Command {
  constructor(
    readonly on: number,
    readonly key: string,
    readonly value: string,
    readonly ttl: number | null,
  ) {}
  check = (): boolean => true;
  async run(model: Model, { clients }: Real): Promise<void> {
    const before = model.keys.get(this.key);
    const ttl = this.ttl ?? before?.ttl ?? null;
    const answer = await ask(
      clients,
      this.on,
      `update${this.ttl === null ? "" : `:ttl:${this.ttl}`}:${this.key} ${this.value}`,
    );
    assertEquals(answer, `data:${++model.lastCommit}\n${OWNER}`);
    model.keys.set(this.key, {
      value: this.value,
      ttl,
      expiresAt: ttl === null || ttl === 0 ? null : model.now + ttl,
      version: before === undefined ? 0 : before.version + 1,
    });
  }
  toString = (): string => `${this.on}: update ${this.key} ttl ${this.ttl}`;
}

class Delete implements Command {
  constructor(readonly on: number, readonly key: string) {}
  check = (): boolean => true;
  async run(model: Model, { clients }: Real): Promise<void> {
    const answer = await ask(clients, this.on, `delete:${this.key}`);
    assertEquals(answer, `data:${++model.lastCommit}\n${OWNER}`);
    model.keys.delete(this.key);
  }
  toString = (): string => `${this.on}: delete ${this.key}`;
}

class Read implements Command {
  constructor(readonly on: number, readonly key: string) {}
  check = (): boolean => true;
  async run(model: Model, { clients }: Real): Promise<void> {
    const entry = model.keys.get(this.key);
    const answer = await ask(clients, this.on, `llookup:all:${this.key}`);
    if (entry === undefined) {
      assertEquals(
        answer,
        `error:AT0015-key not found : ${this.key} does not exist in keystore\n${OWNER}`,
      );
    } else if (!isActive(entry, model.now)) {
      assertEquals(answer, `data:null\n${OWNER}`);
    } else {
      const { key, data, metaData } = JSON.parse(answer.slice("data:".length, -OWNER.length));
      assertEquals([key, data, metaData.version], [this.key, entry.value, entry.version]);
    }
  }
  toString = (): string => `${this.on}: read ${this.key}`;
}

class Scan implements Command {
  constructor(readonly on: number) {}
  check = (): boolean => true;
  async run(model: Model, { clients }: Real): Promise<void> {
    const answer = await ask(clients, this.on, "scan model");
    const expected = [...model.keys].filter(([, entry]) => isActive(entry, model.now))
      .map(([key]) => key).sort();
    assertEquals(JSON.parse(answer.slice("data:".length, -OWNER.length)), expected);
  }
  toString = (): string => `${this.on}: scan`;
}

class Sync implements Command {
  constructor(readonly on: number) {}
  check = (): boolean => true;
  async run(model: Model, { clients }: Real): Promise<void> {
    const answer = await ask(clients, this.on, "stats:3");
    assertMatch(answer, new RegExp(`"value":"${model.lastCommit}"`));
    const commits = JSON.parse(
      (await ask(clients, this.on, "sync:from:0:limit:25:model"))
        .slice("data:".length, -OWNER.length),
    ) as { atKey: string; operation: string; commitId: number }[];
    const ids = commits.map(({ commitId }) => commitId);
    assertEquals(ids, ids.toSorted((a, b) => a - b));
    const live = commits.filter(({ operation }) => operation === "*").map(({ atKey }) => atKey);
    assertEquals(live.filter((key) => key.includes("model")).sort(), [...model.keys.keys()].sort());
  }
  toString = (): string => `${this.on}: sync`;
}

class Wait implements Command {
  constructor(readonly ms: number) {}
  check = (): boolean => true;
  async run(model: Model, { world }: Real): Promise<void> {
    world.clock.advance(this.ms);
    model.now += this.ms;
    await world.settle();
  }
  toString = (): string => `wait ${this.ms}`;
}

const on = fc.nat(2);
const key = fc.constantFrom("a", "b", "c").map((name) => `${name}.model@alice`);
const ttl = fc.oneof(fc.constant(null), fc.constantFrom(0, 1_000, 60_000));
const COMMANDS = [
  fc.tuple(on, key, fc.constantFrom("v", "w", "x y: z@"), ttl)
    .map((parts) => new Update(...parts)),
  fc.tuple(on, key).map((parts) => new Delete(...parts)),
  fc.tuple(on, key).map((parts) => new Read(...parts)),
  on.map((client) => new Scan(client)),
  on.map((client) => new Sync(client)),
  fc.constantFrom(1, 999, 1_000, 1_001, 60_000).map((ms) => new Wait(ms)),
];

Deno.test("the keys of an atSign agree with a model, whatever its connections do in turn", async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(COMMANDS, { maxCommands: 40 }), async (commands) => {
      await using world = new World();
      await world.activate("@alice");
      const clients = [
        await world.login("@alice"),
        await world.login("@alice"),
        await world.login("@alice"),
      ];
      const model: Model = { now: world.clock.now(), lastCommit: 0, keys: new Map() };
      await fc.asyncModelRun(() => ({ model, real: { world, clients } }), commands);
    }),
    { numRuns: 40 },
  );
});

async function ask(clients: readonly Client[], on: number, line: string): Promise<string> {
  return await clients[on]?.ask(line) ?? "";
}
