/** base2e15: bytes as text of 15 bits a character, which the atPlatform uses for binary values. */

import { NoportsError } from "../base/mod.ts";

/** The 15-bit values go to three ranges of characters: [first value, what is added to it]. */
const RANGES = [[0x0000, 0x3480], [0x1936, 0x34ca], [0x545c, 0x57a4]] as const;
const LAST_VALUE = 0x7fff;
/** A last group of at most 7 bits is one character from here on. */
const SHORT_BASE = 0x3400;

export function encodeBase2e15(bytes: Uint8Array): string {
  const parts: string[] = [];
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    bits = bits << 8 | byte;
    held += 8;
    if (held < 15) continue;
    held -= 15;
    parts.push(longCharacter(bits >> held));
    bits &= (1 << held) - 1;
  }
  if (held > 7) parts.push(longCharacter(bits << (15 - held)));
  else if (held > 0) parts.push(String.fromCharCode(SHORT_BASE + (bits << (7 - held))));
  return parts.join("");
}

/** @throws {NoportsError} `protocol_violation` for any other character. */
export function decodeBase2e15(text: string): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(Math.floor(text.length * 15 / 8));
  let length = 0;
  let bits = 0;
  let held = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= SHORT_BASE && code < SHORT_BASE + 0x80) {
      bits = bits << 7 | code - SHORT_BASE;
      held += 7;
    } else {
      bits = bits << 15 | longValue(code);
      held += 15;
    }
    while (held >= 8) {
      held -= 8;
      out[length++] = bits >> held;
      bits &= (1 << held) - 1;
    }
  }
  return out.slice(0, length);
}

function longCharacter(value: number): string {
  const base = value < RANGES[1][0]
    ? RANGES[0][1]
    : value < RANGES[2][0]
    ? RANGES[1][1]
    : RANGES[2][1];
  return String.fromCharCode(base + value);
}

function longValue(code: number): number {
  for (const [i, [first, base]] of RANGES.entries()) {
    const last = (RANGES[i + 1]?.[0] ?? LAST_VALUE + 1) - 1;
    if (code >= base + first && code <= base + last) return code - base;
  }
  throw new NoportsError("protocol_violation", "Cannot decode base2e15: not in the alphabet");
}
