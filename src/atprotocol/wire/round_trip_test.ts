/** Every command that our encoder writes is read back as what it was, whatever its fields hold. */

import fc from "fast-check";
import { assertEquals } from "../../../tests/assert.ts";
import { NoportsError } from "../../base/mod.ts";
import { AtError, encodeVerb, type KeyRef, type Metadata, parseVerb, type Verb } from "./mod.ts";

const token = fc.stringMatching(/^[a-zA-Z0-9_.-]{1,12}$/);
const atSign = fc.stringMatching(/^@[a-z0-9_]{1,8}$/);
const freeText = fc.string({ minLength: 1, maxLength: 20 })
  .filter((text) => !/[\r\n]/.test(text) && text.trimEnd() === text && text.trim() !== "");
const word = fc.stringMatching(/^[!-~]{1,12}$/);
const count = fc.nat({ max: 1_000_000 });
const optional = <T>(member: string, value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.oneof(fc.constant({}), value.map((v) => ({ [member]: v })));

const metadata = fc.tuple(
  optional("ttl", count),
  optional("ttb", count),
  optional("ttr", fc.constantFrom(-1, 1, 60)),
  optional("ccd", fc.boolean()),
  optional("isEncrypted", fc.boolean()),
  optional("ivNonce", token),
  optional("sharedKeyEnc", token),
).map((parts): Metadata => Object.assign({}, ...parts));

const key = fc.tuple(fc.constantFrom("self", "public", "shared"), token, atSign, atSign)
  .map(([visibility, entity, owner, sharedWith]): KeyRef =>
    ({
      ...{ cached: false, visibility, entity, owner },
      ...(visibility === "shared" ? { sharedWith } : {}),
    }) as KeyRef
  );

/** With an owner there may be a value; without one the key is the rest of the line. */
const target = fc.oneof(
  fc.record({ key: token }),
  fc.record({ key: token, owner: atSign }),
  fc.record({ key: token, owner: atSign, value: freeText }),
);

const date = fc.integer({ min: 0, max: 40_000 })
  .map((day) => new Date(day * 86_400_000).toISOString().slice(0, 10));

const verb: fc.Arbitrary<Verb> = fc.oneof(
  fc.record({ key, value: freeText, metadata }).map((v) => ({ verb: "update" as const, ...v })),
  fc.record({ key, metadata }).map((v) => ({ verb: "update:meta" as const, ...v })),
  fc.record({ key }).map((v) => ({ verb: "delete" as const, ...v })),
  fc.tuple(
    fc.record({
      operation: fc.constantFrom("update" as const, "delete" as const),
      messageType: fc.constantFrom("key" as const, "text" as const),
      metadata,
      recipients: fc.array(atSign, { minLength: 1, maxLength: 4 }),
    }),
    target,
  ).map(([a, b]) => ({ verb: "notify:all" as const, ...a, ...b })),
  fc.tuple(fc.array(date, { maxLength: 2 }), optional("regex", word)).map(([dates, regex]) => {
    const [fromDate, toDate] = dates.sort();
    return {
      ...{ verb: "notify:list" as const },
      ...(fromDate === undefined ? {} : { fromDate }),
      ...(toDate === undefined ? {} : { toDate }),
      ...regex,
    };
  }),
  fc.tuple(
    fc.constantFrom("notify:status" as const, "notify:fetch" as const, "notify:remove" as const),
    word,
  ).map(([name, id]) => ({ verb: name, id })),
  fc.tuple(fc.integer({ min: -1, max: 1_000 }), count, optional("regex", freeText))
    .map(([fromCommitId, limit, regex]) => ({
      ...{ verb: "sync" as const, fromCommitId, limit },
      ...regex,
    })),
  fc.array(fc.record({ id: fc.oneof(count, token), command: fc.string() }), { maxLength: 5 })
    .map((commands) => ({
      ...{ verb: "batch" as const },
      commands: commands.map(({ id, command }) => ({ id, command })),
    })),
  fc.tuple(
    fc.constantFrom("block:add" as const, "block:remove" as const),
    fc.array(atSign, { minLength: 1, maxLength: 4 }),
  ).map(([operation, atSigns]) => ({ verb: "config" as const, operation, atSigns })),
  fc.constant({ verb: "config" as const, operation: "block:show" as const }),
  fc.tuple(
    fc.constantFrom("set" as const, "reset" as const, "print" as const),
    freeText.filter((text) => text.trim() === text),
  ).map(([operation, setting]) => ({ verb: "config" as const, operation, setting })),
);

Deno.test("parseVerb() reads what encodeVerb() writes", () => {
  fc.assert(
    fc.property(verb, (given) => assertEquals(parseVerb(encodeVerb(given).slice(0, -1)), given)),
    { numRuns: 2_000 },
  );
});

Deno.test("encodeVerb() refuses what it cannot write, and never writes two lines", () => {
  const hostile = fc.string({ unit: "binary", maxLength: 12 });
  const hostileVerb: fc.Arbitrary<Verb> = fc.oneof(
    hostile.map((id) => ({ verb: "notify:status" as const, id })),
    hostile.map((regex) => ({ verb: "notify:list" as const, regex })),
    hostile.map((regex) => ({ verb: "sync" as const, fromCommitId: 1, limit: 1, regex })),
    hostile.map((setting) => ({ verb: "config" as const, operation: "set" as const, setting })),
    hostile.map((text) => ({
      ...{ verb: "config" as const, operation: "block:add" as const },
      atSigns: [`@${text}`],
    })),
    fc.tuple(hostile, hostile).map(([to, name]) => ({
      ...{ verb: "notify:all" as const, operation: "update" as const, messageType: "key" as const },
      ...{ metadata: {}, recipients: [`@${to}`], key: name },
    })),
    hostile.map((command) => ({ verb: "batch" as const, commands: [{ id: 1, command }] })),
  );
  fc.assert(
    fc.property(hostileVerb, (given) => {
      let line: string;
      try {
        line = encodeVerb(given);
      } catch (error) {
        if (error instanceof NoportsError && error.code === "usage") return;
        throw error;
      }
      assertEquals(line.indexOf("\n"), line.length - 1);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("update:json is read for any JSON, or refused with a code", () => {
  const member = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
  const object = fc.record({
    atKey: member,
    value: member,
    sharedBy: member,
    sharedWith: member,
    metadata: fc.oneof(
      fc.dictionary(fc.constantFrom("ttl", "isPublic", "ivNonce"), member),
      member,
    ),
  }, { requiredKeys: [] });
  fc.assert(
    fc.property(object, (given) => {
      try {
        const { verb: name, ...rest } = parseVerb(`update:json:${JSON.stringify(given)}`);
        assertEquals(name, "update");
        // what came in as JSON is a command like any other
        encodeVerb({ verb: name, ...rest } as Verb);
      } catch (error) {
        if (!(error instanceof AtError) && !(error instanceof NoportsError)) throw error;
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("no key of a command holds a control character", () => {
  for (const char of ["\u0001", "\u007f", "\u0085"]) {
    for (
      const line of [
        `update:a${char}b@alice v`,
        `update:meta:a${char}b@alice:ttl:1`,
        `update:json:${JSON.stringify({ atKey: `a${char}b`, value: "v", sharedBy: "@alice" })}`,
        `llookup:@b${char}:a@alice`,
        `lookup:a${char}b@alice`,
        `delete:a@al${char}ice`,
      ]
    ) {
      let code = "";
      try {
        parseVerb(line);
      } catch (error) {
        if (error instanceof AtError) code = error.code;
      }
      assertEquals(code, "AT0003", line);
    }
  }
});
