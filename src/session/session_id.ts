/**
 * Session ids: version 4 UUIDs in lower-case hyphen form. The client chooses one per session, it names the response keys
 * and the relay's record, so every role checks the form before it uses one (PROTOCOL.md, Session ids). Pure.
 */

import { NoportsError } from "../base/mod.ts";

const SESSION_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** True when `text` is a version 4 UUID in lower case. */
export function isSessionId(text: unknown): text is string {
  return typeof text === "string" && SESSION_ID.test(text);
}

/** Gives back a checked session id. @throws {NoportsError} `protocol_violation` for any other form. */
export function parseSessionId(text: unknown): string {
  if (isSessionId(text)) return text;
  throw new NoportsError("protocol_violation", "Cannot read session id: not a version 4 UUID");
}
