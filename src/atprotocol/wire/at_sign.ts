/** atSigns: the one place that makes an `AtSign` out of text. atProtocol specification, atSign; pure. */

import { NoportsError } from "../../base/mod.ts";

/** A normalised atSign with its `@`: lower case, no dots, no forbidden character. Only `parseAtSign` makes one. */
export type AtSign = string & { readonly __brand: "AtSign" };

const FORBIDDEN = /[!*'`();:&=+$,/?#[\]{}]/;
const WHITE_SPACE = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
// deno-lint-ignore no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f\u2400-\u241f\u2421\u2424\u2425]/;
/** The specification: letters, digits and emoji of an atSign inside a key; counted in characters. */
const MAX_NAME_CHARS = 55;
/** UTF-16 units of 55 emoji with joiners; a longer text is refused before it is looked at. */
const MAX_INPUT_UNITS = 1_000;

/** Normalises an atSign (`Alice`, `@colin.constable`). @throws {NoportsError} `atsign_invalid`. */
export function parseAtSign(text: string): AtSign {
  if (text.length > MAX_INPUT_UNITS) throw invalid(text, "is too long");
  const trimmed = text.trim();
  const missing = "must include one @ character and at least one character on the right";
  if (trimmed === "") throw invalid(text, missing);
  const lower = trimmed.toLowerCase();
  const name = lower.startsWith("@") ? lower.slice(1) : lower;
  if (name.includes("@")) throw invalid(text, "Cannot Contain more than one @ character");
  const bare = name.replaceAll(".", "");
  if (bare === "") throw invalid(text, missing);
  if (FORBIDDEN.test(bare)) throw invalid(text, "Cannot Contain !*'`();:&=+$,/?#[]{} characters");
  if (WHITE_SPACE.test(bare)) throw invalid(text, "Cannot Contain whitespace characters");
  if (CONTROL.test(bare)) throw invalid(text, "must not include control characters");
  if ([...bare].length > MAX_NAME_CHARS) throw invalid(text, "is too long");
  return `@${bare}` as AtSign;
}

/** The atSign without its `@`, as the directory and `shared_key.<peer>` spell it. */
export function bareName(atSign: AtSign): string {
  return atSign.slice(1);
}

function invalid(text: string, reason: string): NoportsError {
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return new NoportsError(
    "atsign_invalid",
    `Cannot use ${JSON.stringify(shown)} as an atSign: invalid @sign: ${reason}`,
  );
}
