import { assertEquals, assertRejects } from "../../../tests/assert.ts";
import { vectors } from "../../../tests/vectors.ts";
import { NoportsError } from "../../base/mod.ts";
import { encodeVerb, type MonitorVerb, type NotifyVerb, parseVerb, type Verb } from "./mod.ts";

const KEY = {
  cached: false,
  visibility: "shared",
  sharedWith: "@bob",
  entity: "k.ns",
  owner: "@alice",
} as const;

const NOTIFY: NotifyVerb = {
  verb: "notify",
  id: "8f2b7a34",
  operation: "update",
  messageType: "key",
  priority: "low",
  strategy: "all",
  latestN: 1,
  notifier: "SYSTEM",
  ttlnMs: 60_000,
  metadata: { ttl: 10_000, isEncrypted: true },
  recipient: "@bob",
  key: "ping.dev1.sshnp",
  owner: "@alice",
  value: "a: b@c",
};

const MONITOR: MonitorVerb = {
  verb: "monitor",
  strict: false,
  selfNotifications: true,
  multiplexed: false,
};

Deno.test("encodeVerb() writes the vendor's form of each command", () => {
  const rows: [Verb, string][] = [
    [{ verb: "from", atSign: "@alice" }, "from:@alice"],
    [
      { verb: "from", atSign: "@alice", clientConfig: { version: "3.3.0", clientId: "x\ny" } },
      'from:@alice:clientConfig:{"version":"3.3.0","clientId":"x\\ny"}',
    ],
    [{ verb: "cram", digest: "ab" }, "cram:ab"],
    [
      { verb: "pkam", signingAlgo: "rsa2048", hashingAlgo: "sha256", signature: "QQ==" },
      "pkam:signingAlgo:rsa2048:hashingAlgo:sha256:QQ==",
    ],
    [{ verb: "pol" }, "pol"],
    [{ verb: "noop", durationMs: 0 }, "noop:0"],
    [{ verb: "info", brief: false }, "info"],
    [{ verb: "info", brief: true }, "info:brief"],
    [{ verb: "stats", ids: [] }, "stats"],
    [{ verb: "stats", ids: ["3", "15"] }, "stats:3,15"],
    [{ verb: "stats", ids: ["3"], regex: "\\.wavi" }, "stats:3:\\.wavi"],
    [
      { verb: "update", key: KEY, value: " 8 fXw==", metadata: { ttr: -1, isEncrypted: true } },
      "update:ttr:-1:isEncrypted:true:@bob:k.ns@alice  8 fXw==",
    ],
    [{ verb: "delete", key: { ...KEY, cached: true } }, "delete:cached:@bob:k.ns@alice"],
    [{ verb: "delete", priority: "high", key: KEY }, "delete:priority:high:@bob:k.ns@alice"],
    [
      {
        verb: "delete",
        key: { cached: false, visibility: "self", entity: "privatekey:at_secret" },
      },
      "delete:privatekey:at_secret",
    ],
    [
      {
        verb: "llookup",
        key: { cached: false, visibility: "public", entity: "publickey", owner: "@a" },
        detail: "meta",
      },
      "llookup:meta:public:publickey@a",
    ],
    [{ verb: "llookup", key: KEY, detail: "value" }, "llookup:@bob:k.ns@alice"],
    [
      { verb: "lookup", entity: "shared_key", owner: "@bob", detail: "value", bypassCache: false },
      "lookup:shared_key@bob",
    ],
    [
      { verb: "plookup", entity: "publickey", owner: "@bob", detail: "all", bypassCache: true },
      "plookup:bypassCache:true:all:publickey@bob",
    ],
    [{ verb: "scan", showHidden: false }, "scan"],
    [
      { verb: "scan", showHidden: true, atSign: "@bob", regex: "device:.*" },
      "scan:showhidden:true:@bob device:.*",
    ],
    [
      NOTIFY,
      "notify:id:8f2b7a34:update:messageType:key:priority:low:strategy:all:latestN:1:notifier:SYSTEM" +
      ":ttln:60000:ttl:10000:isEncrypted:true:@bob:ping.dev1.sshnp@alice:a: b@c",
    ],
    [MONITOR, "monitor:selfNotifications"],
    [
      { ...MONITOR, strict: true, multiplexed: true, sinceEpochMs: 5, regex: "a b" },
      "monitor:strict:selfNotifications:multiplexed:5 a b",
    ],
    [{ ...MONITOR, selfNotifications: false }, "monitor"],
    [{ verb: "enroll", operation: "list", force: false }, "enroll:list"],
    [
      { verb: "enroll", operation: "revoke", force: true, params: '{"enrollmentId":"1"}' },
      'enroll:revoke:force:{"enrollmentId":"1"}',
    ],
    [{ verb: "exit" }, "@exit"],
  ];
  for (const [verb, line] of rows) assertEquals(encodeVerb(verb), `${line}\n`);
});

Deno.test("encodeVerb() reproduces the commands of the vendor's vectors", () => {
  const commands = [
    ...vectors<{ command: string }[]>("atclient", "cram").map((v) => v.command),
    ...vectors<{ updateCommand: string }[]>("atclient", "publicDataSignature").map((v) =>
      v.updateCommand
    ),
    ...vectors<{ updateCommand: string }[]>("atclient", "selfKey").map((v) => v.updateCommand),
    ...vectors<{ command: string }[]>("atclient", "pkam").map((v) => v.command).slice(1),
    vectors<{ command: string }[]>("atclient", "notifyCommands")[0]?.command ?? "",
  ];
  assertEquals(commands.length, 6);
  for (const command of commands) assertEquals(encodeVerb(parseVerb(command)), command);
});

Deno.test("encodeVerb() refuses a line break in any field", async () => {
  const hostile: Verb[] = [];
  for (const bad of ["a\nb", "a\rb", "a\n", "\nupdate:x@a y"]) {
    hostile.push(
      { verb: "from", atSign: `@${bad}` },
      { verb: "cram", digest: bad },
      { verb: "pkam", signingAlgo: "rsa2048", hashingAlgo: "sha256", signature: bad },
      {
        verb: "pkam",
        signingAlgo: "rsa2048",
        hashingAlgo: "sha256",
        enrollmentId: bad,
        signature: "x",
      },
      { verb: "stats", ids: [bad] },
      { verb: "stats", ids: ["3"], regex: bad },
      { verb: "update", key: KEY, value: bad, metadata: {} },
      { verb: "update", key: { ...KEY, entity: bad }, value: "x", metadata: {} },
      { verb: "update", key: { ...KEY, owner: `@${bad}` }, value: "x", metadata: {} },
      { verb: "update", key: { ...KEY, sharedWith: `@${bad}` }, value: "x", metadata: {} },
      { verb: "update", key: KEY, value: "x", metadata: { ivNonce: bad } },
      { verb: "lookup", entity: bad, owner: "@a", detail: "value", bypassCache: false },
      { verb: "lookup", entity: "x", owner: `@${bad}`, detail: "value", bypassCache: false },
      { verb: "scan", showHidden: false, regex: bad },
      { verb: "scan", showHidden: false, atSign: `@${bad}` },
      { ...NOTIFY, id: bad },
      { ...NOTIFY, key: bad },
      { ...NOTIFY, value: bad },
      { ...NOTIFY, owner: `@${bad}` },
      { ...NOTIFY, recipient: `@${bad}` },
      { ...NOTIFY, notifier: bad },
      { ...MONITOR, regex: bad },
      { verb: "enroll", operation: "list", force: false, params: `{${bad}}` },
    );
  }
  for (const verb of hostile) {
    await assertRejects(() => encodeVerb(verb), NoportsError, { code: "usage" });
  }
});

Deno.test("encodeVerb() refuses fields that the other side would read differently", async () => {
  const { owner: _owner, ...ownerless } = NOTIFY;
  const { notifier: _notifier, ...anonymous } = NOTIFY;
  const hostile: Verb[] = [
    { verb: "from", atSign: "alice" },
    { verb: "from", atSign: "@a:clientConfig:{}" },
    { verb: "noop", durationMs: -1 },
    { verb: "noop", durationMs: 0.5 },
    { verb: "update", key: KEY, value: "", metadata: {} },
    { verb: "update", key: KEY, value: "  ", metadata: {} },
    { verb: "stats", ids: ["4"], regex: "x" },
    { verb: "stats", ids: [], regex: "x" },
    { verb: "stats", ids: ["3"], regex: "" },
    { verb: "scan", showHidden: false, regex: "a b" },
    { verb: "scan", showHidden: false, regex: "" },
    { ...MONITOR, regex: " " },
    { ...MONITOR, sinceEpochMs: -1 },
    { verb: "enroll", operation: "list", force: false, params: "x" },
    { ...NOTIFY, key: "a@b" },
    { ...NOTIFY, key: "" },
    { ...NOTIFY, key: ":a" },
    { ...NOTIFY, key: "a::b" },
    { ...NOTIFY, key: " a" },
    { ...NOTIFY, value: "" },
    { ...NOTIFY, recipient: "bob" },
    { ...NOTIFY, latestN: 1.5 },
    { ...anonymous, strategy: "latest" },
    ownerless,
  ];
  for (const verb of hostile) {
    await assertRejects(() => encodeVerb(verb), NoportsError, { code: "usage" });
  }
});
