/**
 * Regular expressions of clients (`scan`, `monitor`, `stats`), matched in time proportional to the text, never by
 * backtracking: one process serves many atSigns, and `(a+)+$` of one of them must not stop the others.
 * JavaScript's syntax without look-around and back references; matching ignores case and is unanchored. Pure.
 */

import { AtError } from "../atprotocol/wire/mod.ts";

/** Our choice: what clients send has some 30 characters. */
const MAX_SOURCE_CHARS = 500;
const MAX_INSTRUCTIONS = 2_000;
const MAX_DEPTH = 50;

/** Does this code point, in lower case, belong? */
type CharTest = (code: number) => boolean;
type Position = "start" | "end" | "boundary" | "notBoundary";

type Node =
  | { readonly kind: "char"; readonly test: CharTest }
  | { readonly kind: "assert"; readonly at: Position }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly Node[] }
  | { readonly kind: "repeat"; readonly part: Node; readonly min: number; readonly max: number };

type Instruction =
  | { readonly op: "char"; readonly test: CharTest }
  | { readonly op: "assert"; readonly at: Position }
  | { readonly op: "split"; readonly to: number[] }
  | { readonly op: "match" };

export interface SafeRegex {
  /** True when some part of `text` matches. */
  test(text: string): boolean;
}

/** Compiles `source`. @throws {AtError} AT0003 when it is malformed, too long or needs backtracking. */
export function compileRegex(source: string): SafeRegex {
  if (source.length > MAX_SOURCE_CHARS) throw invalid("too long");
  if (source === ".*") return { test: () => true }; // what monitors ask for most
  const program: Instruction[] = [];
  emit(new Parser(source).parse(), program);
  push(program, { op: "match" });
  return { test: (text) => matches(program, text) };
}

function invalid(reason: string): AtError {
  return new AtError("AT0003", `Invalid syntax. Invalid regex: ${reason}`);
}

class Parser {
  readonly #chars: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#chars = [...source];
  }

  parse(): Node {
    const node = this.#choice();
    if (this.#at < this.#chars.length) throw invalid("unmatched )");
    return node;
  }

  #choice(): Node {
    const parts = [this.#sequence()];
    while (this.#take("|")) parts.push(this.#sequence());
    return parts.length === 1 ? parts[0] as Node : { kind: "choice", parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    for (let next = this.#peek(); next !== undefined; next = this.#peek()) {
      if (next === "|" || next === ")") break;
      parts.push(this.#quantified(this.#atom()));
    }
    return { kind: "sequence", parts };
  }

  #quantified(part: Node): Node {
    const range = this.#range();
    if (range === null) return part;
    this.#take("?"); // lazy or greedy: the same to a yes or no
    if (part.kind === "assert") throw invalid("nothing to repeat");
    return { kind: "repeat", part, ...range };
  }

  #range(): { min: number; max: number } | null {
    if (this.#take("*")) return { min: 0, max: Infinity };
    if (this.#take("+")) return { min: 1, max: Infinity };
    if (this.#take("?")) return { min: 0, max: 1 };
    const braces = this.#braces();
    if (braces === null) return null;
    if (braces.min > braces.max) throw invalid("numbers out of order in {}");
    return braces;
  }

  /** `{2}`, `{2,}`, `{2,5}`; any other `{` is a plain character. */
  #braces(): { min: number; max: number } | null {
    if (this.#peek() !== "{") return null;
    const rest = this.#chars.slice(this.#at, this.#at + 16).join("");
    const found = /^\{(\d{1,4})(?:(,)(\d{1,4})?)?\}/.exec(rest);
    if (found === null) return null;
    this.#at += found[0].length;
    const min = Number(found[1]);
    return { min, max: found[2] === undefined ? min : Number(found[3] ?? Infinity) };
  }

  #atom(): Node {
    const char = this.#next();
    switch (char) {
      case ".":
        return { kind: "char", test: (code) => !isLineEnd(code) };
      case "^":
        return { kind: "assert", at: "start" };
      case "$":
        return { kind: "assert", at: "end" };
      case "(":
        return this.#group();
      case "[":
        return { kind: "char", test: this.#class() };
      case "\\":
        return this.#escape();
      case "*":
      case "+":
      case "?":
        throw invalid("nothing to repeat");
      case "{":
        this.#at--;
        if (this.#braces() !== null) throw invalid("nothing to repeat");
        this.#at++;
        return literal(char);
      default:
        return literal(char);
    }
  }

  #group(): Node {
    if (++this.#depth > MAX_DEPTH) throw invalid("nested too deeply");
    if (this.#take("?")) {
      if (!this.#take(":")) throw invalid("look-around and named groups are not supported");
    }
    const node = this.#choice();
    if (!this.#take(")")) throw invalid("unterminated group");
    this.#depth--;
    return node;
  }

  #escape(): Node {
    const char = this.#next();
    if (char === "b") return { kind: "assert", at: "boundary" };
    if (char === "B") return { kind: "assert", at: "notBoundary" };
    if (/[1-9k]/.test(char)) throw invalid("back references are not supported");
    return { kind: "char", test: shorthand(char) ?? isFolded(this.#escapedCode(char)) };
  }

  /** The character that `\` and `char` stand for. */
  #escapedCode(char: string): number {
    if (char === "x") return this.#hex(2) ?? codeOf(char);
    if (char === "u") return this.#hex(4) ?? codeOf(char);
    const control = { n: 10, r: 13, t: 9, f: 12, v: 11, 0: 0 }[char];
    return control ?? codeOf(char);
  }

  #hex(digits: number): number | null {
    const text = this.#chars.slice(this.#at, this.#at + digits).join("");
    if (text.length !== digits || !/^[0-9a-f]+$/i.test(text)) return null;
    this.#at += digits;
    return parseInt(text, 16);
  }

  #class(): CharTest {
    const negated = this.#take("^");
    const tests: CharTest[] = [];
    while (!this.#take("]")) {
      const from = this.#classItem();
      if (this.#peek() !== "-" || this.#chars[this.#at + 1] === "]" || typeof from !== "number") {
        tests.push(typeof from === "number" ? isFolded(from) : from);
        continue;
      }
      this.#at++;
      const to = this.#classItem();
      if (typeof to === "number") {
        if (to < from) throw invalid("range out of order");
        tests.push(isInRange(from, to));
      } else {
        tests.push(isFolded(from), isFolded(codeOf("-")), to);
      }
    }
    return (code) => tests.some((test) => test(code)) !== negated;
  }

  #classItem(): number | CharTest {
    const char = this.#next();
    if (char !== "\\") return codeOf(char);
    const escaped = this.#next();
    if (escaped === "b") return 8;
    return shorthand(escaped) ?? this.#escapedCode(escaped);
  }

  #peek(): string | undefined {
    return this.#chars[this.#at];
  }

  #next(): string {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw invalid("unexpected end");
    return char;
  }

  #take(char: string): boolean {
    if (this.#peek() !== char) return false;
    this.#at++;
    return true;
  }
}

function literal(char: string): Node {
  return { kind: "char", test: isFolded(codeOf(char)) };
}

function shorthand(char: string): CharTest | null {
  switch (char) {
    case "d":
      return isDigit;
    case "D":
      return (code) => !isDigit(code);
    case "w":
      return isWord;
    case "W":
      return (code) => !isWord(code);
    case "s":
      return isSpace;
    case "S":
      return (code) => !isSpace(code);
    default:
      return null;
  }
}

function codeOf(char: string): number {
  return char.codePointAt(0) ?? 0;
}

/** Lower case of one code point, when that is one code point too. */
function fold(code: number): number {
  if (code < 128) return code >= 65 && code <= 90 ? code + 32 : code;
  const lower = String.fromCodePoint(code).toLowerCase();
  const folded = codeOf(lower);
  return lower.length === String.fromCodePoint(folded).length ? folded : code;
}

function isFolded(wanted: number): CharTest {
  const folded = fold(wanted);
  return (code) => code === folded;
}

function isInRange(from: number, to: number): CharTest {
  return (code) => {
    if (code >= from && code <= to) return true;
    const upper = codeOf(String.fromCodePoint(code).toUpperCase());
    return upper >= from && upper <= to;
  };
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Of a character in either case. */
function isWord(code: number): boolean {
  const folded = fold(code);
  return (folded >= 97 && folded <= 122) || isDigit(code) || code === 95;
}

function isSpace(code: number): boolean {
  return /\s/.test(String.fromCodePoint(code));
}

function isLineEnd(code: number): boolean {
  return code === 10 || code === 13 || code === 0x2028 || code === 0x2029;
}

function push(program: Instruction[], instruction: Instruction): void {
  if (program.length >= MAX_INSTRUCTIONS) throw invalid("too complex");
  program.push(instruction);
}

/** Appends the code of `node`; what follows it is the next instruction. */
function emit(node: Node, program: Instruction[]): void {
  switch (node.kind) {
    case "char":
      return push(program, { op: "char", test: node.test });
    case "assert":
      return push(program, { op: "assert", at: node.at });
    case "sequence":
      for (const part of node.parts) emit(part, program);
      return;
    case "choice":
      return emitChoice(node.parts, program);
    case "repeat":
      return emitRepeat(node, program);
    default:
      return node satisfies never;
  }
}

function emitChoice(parts: readonly Node[], program: Instruction[]): void {
  const fork: number[] = [];
  const exits: number[][] = [];
  push(program, { op: "split", to: fork });
  for (const part of parts) {
    fork.push(program.length);
    emit(part, program);
    const exit: number[] = [];
    exits.push(exit);
    push(program, { op: "split", to: exit });
  }
  for (const exit of exits) exit.push(program.length);
}

function emitRepeat(node: Extract<Node, { kind: "repeat" }>, program: Instruction[]): void {
  // what adds no instruction may not be repeated without end either: `((){9999}){9999}`
  if (isEmpty(node.part)) return;
  for (let i = 0; i < node.min; i++) emit(node.part, program);
  if (node.max === Infinity) {
    const loop = program.length;
    const fork: number[] = [];
    push(program, { op: "split", to: fork });
    fork.push(program.length);
    emit(node.part, program);
    push(program, { op: "split", to: [loop] });
    fork.push(program.length);
    return;
  }
  const forks: number[][] = [];
  for (let i = node.min; i < node.max; i++) {
    const fork: number[] = [program.length + 1];
    forks.push(fork);
    push(program, { op: "split", to: fork });
    emit(node.part, program);
  }
  for (const fork of forks) fork.push(program.length);
}

/** True when nothing is to be matched at all. */
function isEmpty(node: Node): boolean {
  if (node.kind === "sequence") return node.parts.every(isEmpty);
  return node.kind === "repeat" && (node.max === 0 || isEmpty(node.part));
}

/** Runs all alternatives side by side, one character at a time: at most instructions × characters steps. */
function matches(program: readonly Instruction[], text: string): boolean {
  const codes = Array.from(text, (char) => fold(codeOf(char)));
  const seen = new Uint32Array(program.length); // in which step an instruction was entered, plus 1
  let current: number[] = [];
  for (let at = 0; at <= codes.length; at++) {
    const threads: number[] = [];
    const pending = [0]; // a match may start here
    for (let i = current.length - 1; i >= 0; i--) pending.push(current[i] as number);
    for (let pc = pending.pop(); pc !== undefined; pc = pending.pop()) {
      if (seen[pc] === at + 1) continue;
      seen[pc] = at + 1;
      const instruction = program[pc] as Instruction;
      switch (instruction.op) {
        case "match":
          return true;
        case "split":
          pending.push(...instruction.to);
          break;
        case "assert":
          if (holds(instruction.at, codes, at)) pending.push(pc + 1);
          break;
        case "char":
          threads.push(pc);
          break;
        default:
          return instruction satisfies never;
      }
    }
    const code = codes[at];
    if (code === undefined) return false;
    current = [];
    for (const pc of threads) {
      const instruction = program[pc] as Instruction;
      if (instruction.op === "char" && instruction.test(code)) current.push(pc + 1);
    }
  }
  return false;
}

function holds(position: Position, codes: readonly number[], at: number): boolean {
  switch (position) {
    case "start":
      return at === 0;
    case "end":
      return at === codes.length;
    case "boundary":
      return isWordAt(codes, at - 1) !== isWordAt(codes, at);
    case "notBoundary":
      return isWordAt(codes, at - 1) === isWordAt(codes, at);
    default:
      return position satisfies never;
  }
}

function isWordAt(codes: readonly number[], at: number): boolean {
  const code = codes[at];
  return code !== undefined && isWord(code);
}
