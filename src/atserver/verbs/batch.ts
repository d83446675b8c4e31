/** `batch`: several commands in one line, one after the other, each with a result of its own and none undone by the next. */

import { AT_ERROR_TEXT, AtError, parseVerb, type Verb } from "../../atprotocol/wire/mod.ts";
import { toAtError } from "../at_failures.ts";
import { EnrollmentGone } from "../session.ts";
import { type Command, data, forOwner, type Handler, type Outcome } from "./command.ts";

/** Our choice, as the longest command: above it the remaining commands are refused. */
const MAX_RESULT_CHARS = 10_240_000;
/** Our choice: no command that changes something has a longer answer; with less room left, none is run. */
const RESERVED_CHARS = 65_536;
/** Those that change what the connection is, last long, or contain themselves. */
const EXCLUDED: ReadonlySet<Verb["verb"]> = new Set(
  ["from", "cram", "pkam", "pol", "monitor", "noop", "batch", "exit"] as const,
);

type Response = { readonly data: string } | {
  readonly error_code: string;
  readonly error_message: string;
};

/** The handler, with `run` for the commands inside. */
export function batchWith(
  run: (command: Command, verb: Verb) => Promise<Outcome>,
  maxResultChars: number = MAX_RESULT_CHARS,
): Handler<"batch"> {
  return forOwner(async (command, verb) => {
    const results: string[] = [];
    let chars = 0;
    for (const { id, command: text } of verb.commands) {
      command.session.connection.signal.throwIfAborted();
      const response = chars > maxResultChars - RESERVED_CHARS
        ? refused(new AtError("AT0005", "too long"))
        : await respond(run, command, text, maxResultChars - chars);
      const result = JSON.stringify({ id, response });
      chars += result.length;
      results.push(result);
    }
    return data(`[${results.join(",")}]`);
  });
}

async function respond(
  run: (command: Command, verb: Verb) => Promise<Outcome>,
  command: Command,
  text: string,
  maxChars: number,
): Promise<Response> {
  try {
    // a line break or a NUL may not come in through JSON either
    const verb = parseVerb(text.includes("\0") ? "" : text);
    if (EXCLUDED.has(verb.verb)) throw new AtError("AT0003", "not in a batch");
    const response = fromOutcome(await run(command, verb));
    return JSON.stringify(response).length > maxChars
      ? refused(new AtError("AT0005", "too long"))
      : response;
  } catch (error) {
    if (error instanceof EnrollmentGone || command.session.connection.signal.aborted) throw error;
    return refused(toAtError(error, command.services.basics.log));
  }
}

function fromOutcome(outcome: Outcome): Response {
  if (outcome.kind === "data") return { data: outcome.text.trimStart() };
  const [, code = ""] = outcome.kind === "line" ? /^error:(AT\d{4})/.exec(outcome.line) ?? [] : [];
  return Object.hasOwn(AT_ERROR_TEXT, code)
    ? refused(new AtError(code as AtError["code"], ""))
    : refused(new AtError("AT0011", ""));
}

function refused({ code }: AtError): Response {
  return { error_code: code, error_message: AT_ERROR_TEXT[code] };
}
