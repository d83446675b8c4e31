import fc from "fast-check";
import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { NoportsError } from "../../base/mod.ts";
import {
  type DirectoryRequest,
  encodeDirectoryReply,
  encodeDirectoryRequest,
  type HostPort,
  parseAtSign,
  parseDirectoryReply,
  parseDirectoryRequest,
} from "./mod.ts";

const alice = parseAtSign("@alice");

Deno.test("the directory's lines are the specification's, byte for byte", () => {
  assertEquals(encodeDirectoryRequest(alice), "alice\n");
  assertEquals(
    encodeDirectoryReply({ host: "x.example.net", port: 6464 }),
    "x.example.net:6464\r\n@",
  );
  assertEquals(encodeDirectoryReply(null), "null\r\n@");
});

Deno.test("parseDirectoryReply() reads addresses with prompts around them", () => {
  const rows: [string, HostPort | null][] = [
    ["a.example.net:6464", { host: "a.example.net", port: 6464 }],
    ["@a.example.net:6464", { host: "a.example.net", port: 6464 }],
    ["@@127.0.0.1:1\r", { host: "127.0.0.1", port: 1 }],
    [" localhost:65535 @", { host: "localhost", port: 65535 }],
    ["null", null],
    ["@null\r", null],
  ];
  for (const [line, reply] of rows) assertEquals(parseDirectoryReply(line), reply);
});

Deno.test("parseDirectoryReply() refuses everything else", async () => {
  for (
    const line of [
      "",
      "@",
      "nul",
      "a",
      "a:",
      ":1",
      "a:0",
      "a:65536",
      "a:99999",
      "a:1:2",
      "[::1]:64",
      "a b:1",
      "a:-1",
      "a:1e3",
      "a/b:1",
      "é:1",
      `${"a".repeat(254)}:1`,
    ]
  ) {
    await assertRejects(() => parseDirectoryReply(line), NoportsError, {
      code: "protocol_violation",
    });
  }
});

Deno.test("parseDirectoryRequest() reads what clients send", () => {
  const rows: [string, DirectoryRequest][] = [
    ["alice", { kind: "lookup", atSign: alice }],
    [" ALICE\r", { kind: "lookup", atSign: alice }],
    ["@alice", { kind: "lookup", atSign: alice }],
    ["🛠", { kind: "lookup", atSign: parseAtSign("🛠") }],
    ["", { kind: "blank" }],
    ["\r", { kind: "blank" }],
    ["@exit", { kind: "exit" }],
    ["@EXIT\r", { kind: "exit" }],
    ["@@alice", { kind: "invalid" }],
    ["a b", { kind: "invalid" }],
    ["@", { kind: "invalid" }],
  ];
  for (const [line, request] of rows) assertEquals(parseDirectoryRequest(line), request);
});

Deno.test("the directory's parsers throw nothing unexpected for any text", () =>
  fc.assert(fc.property(fc.string({ unit: "binary" }), (line) => {
    parseDirectoryRequest(line);
    try {
      parseDirectoryReply(line);
    } catch (error) {
      assert(error instanceof NoportsError);
    }
  })));
