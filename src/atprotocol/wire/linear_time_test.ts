/** What a stranger sends is parsed in linear time: no repetition makes a parser slow. `parseVerb` has its own test. */

import { assert } from "../../../tests/assert.ts";
import { NoportsError } from "../../base/mod.ts";
import {
  AtError,
  encodeErrorReply,
  isSharedKeyName,
  parseAllResult,
  parseAtKey,
  parseAtKeysFile,
  parseAtSign,
  parseDirectoryReply,
  parseDirectoryRequest,
  parseMetadataJson,
  parseNotification,
  parseReply,
  parseTimestamp,
} from "./mod.ts";

const PARSERS: readonly ((text: string) => unknown)[] = [
  parseAllResult,
  parseAtKey,
  parseAtKeysFile,
  parseAtSign,
  parseDirectoryReply,
  parseDirectoryRequest,
  parseMetadataJson,
  parseNotification,
  parseReply,
  parseTimestamp,
  isSharedKeyName,
  (text) => encodeErrorReply(new AtError("AT0003", text), { json: true, ownerAuthenticated: true }),
];

Deno.test("the parsers of replies, keys, files and directory lines need linear time for any repetition", () => {
  const units = [
    "@",
    ":",
    " ",
    ".",
    "a",
    "@a:",
    "[",
    '{"a":',
    '"\\',
    "data:",
    "null",
    "9",
    "\r",
    "é",
  ];
  const fronts = [
    "",
    "@",
    "error:",
    "error:{",
    "error:AT0001",
    "data:",
    "shared_key.",
    "{",
    "2025-",
  ];
  for (const parse of PARSERS) {
    for (const front of fronts) {
      for (const unit of units) {
        const text = `${front}${unit.repeat(50_000)}!`;
        const started = performance.now();
        try {
          parse(text);
        } catch (error) {
          assert(error instanceof NoportsError || error instanceof AtError, String(error));
        }
        const elapsedMs = performance.now() - started;
        assert(elapsedMs < 500, `${parse.name}: ${front}(${unit})* took ${elapsedMs} ms`);
      }
    }
  }
});
