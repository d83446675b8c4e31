/** Reply lines of an atServer. atProtocol specification, Replies; pure: framing is `line_framer.ts`'s, deadlines are the connection's. */

import { NoportsError } from "../../base/mod.ts";

export type Reply =
  | { readonly kind: "data"; readonly value: string }
  /** A normal answer, e.g. `AT0015`: the connection lives on. */
  | { readonly kind: "error"; readonly code: string; readonly text: string }
  | { readonly kind: "notification"; readonly json: string };

/** What an error of a shape that we do not know is given: the specification's code for the client's own doubts. */
const UNKNOWN_CODE = "AT0014";

/**
 * Parses one line. The prompts of earlier replies stand in front of it, since they have no line end of their own.
 * @throws {NoportsError} `protocol_violation`: close the connection.
 */
export function parseReply(line: string): Reply {
  const colon = line.indexOf(":");
  const head = colon < 0 ? "" : line.slice(0, colon);
  const word = head.slice(head.lastIndexOf("@") + 1);
  const prompt = head.slice(0, head.length - word.length);
  if (prompt === "" || (prompt.startsWith("@") && !/\s/.test(prompt))) {
    const rest = line.slice(colon + 1);
    // some replies have a blank here: stats, notifications
    const body = rest.startsWith(" ") ? rest.slice(1) : rest;
    if (word === "data") return { kind: "data", value: body };
    if (word === "error") return parseErrorBody(body);
    if (word === "notification") return { kind: "notification", json: body };
  }
  throw new NoportsError(
    "protocol_violation",
    `Cannot parse reply: prefix ${JSON.stringify(line.slice(0, 16))}`,
  );
}

/** The success line without line end and prompt. @throws {NoportsError} `internal` for a line break inside. */
export function encodeDataReply(result: string): string {
  if (/[\r\n]/.test(result)) {
    throw new NoportsError("internal", "Cannot encode reply: line break in the result");
  }
  return result.startsWith("data:") ? result : `data:${result}`;
}

function parseErrorBody(body: string): Reply {
  if (body.startsWith("{")) return parseJsonError(body);
  const coded = /^(AT\d{4}|null)(?!\d)[-: ]*/.exec(body);
  if (coded === null) return { kind: "error", code: UNKNOWN_CODE, text: body };
  const code = coded[1] === "null" ? UNKNOWN_CODE : coded[1] ?? UNKNOWN_CODE;
  return { kind: "error", code, text: body.slice(coded[0].length) };
}

function parseJsonError(body: string): Reply {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (cause) {
    throw new NoportsError("protocol_violation", "Cannot parse error reply: not JSON", { cause });
  }
  const { errorCode, errorDescription } = value as Record<string, unknown>;
  return {
    kind: "error",
    code: typeof errorCode === "string" ? errorCode : UNKNOWN_CODE,
    text: typeof errorDescription === "string" ? errorDescription : "",
  };
}
