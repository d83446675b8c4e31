/**
 * The text of one member's value inside a JSON object, byte for byte as it was received: what a signature was made over,
 * whatever white space the signer's serialiser left in it. Pure.
 */

/**
 * The value of the last top-level member `name` of the valid JSON object `json`, or null when there is none. `JSON.parse` takes
 * the last of several too, so both see the same value.
 */
export function memberText(json: string, name: string): string | null {
  let found: string | null = null;
  let at = json.indexOf("{") + 1;
  while (at > 0 && at < json.length) {
    const nameStart = json.indexOf('"', at);
    if (nameStart < 0) break;
    const nameEnd = endOfString(json, nameStart);
    const start = skipBlanks(json, json.indexOf(":", nameEnd) + 1);
    const end = endOfValue(json, start);
    if (JSON.parse(json.slice(nameStart, nameEnd)) === name) {
      found = json.slice(start, end).trimEnd();
    }
    if (json[end] !== ",") break;
    at = end + 1;
  }
  return found;
}

/** The index behind the closing quote of the string that starts at `start`. */
function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** The index of the comma or brace that ends the value at `start`. */
function endOfValue(json: string, start: number): number {
  let depth = 0;
  for (let at = start; at < json.length; at++) {
    const c = json[at];
    if (c === '"') at = endOfString(json, at) - 1;
    else if (c === "{" || c === "[") depth++;
    else if (depth === 0 && (c === "," || c === "}")) return at;
    else if (c === "}" || c === "]") depth--;
  }
  return json.length;
}

function skipBlanks(json: string, start: number): number {
  let at = start;
  while (at < json.length && /\s/.test(json[at] ?? "")) at++;
  return at;
}
