/**
 * Reads the JUnit report that `deno test --junit-path` writes, as far as counting tests needs it.
 * Deno writes steps as test cases of their own ("parent > step"); a step's failure also fails its parent.
 */

/** One test of a report. */
export interface TestResult {
  /** As Deno names it: `./tests/x_test.ts`, or a `file:` URL. */
  readonly file: string;
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
}

/** Parses a report. Steps are left out, except ignored ones: a skipped part of a test has to show. */
export function parseJunit(xml: string): TestResult[] {
  const cases: TestResult[] = [];
  const pattern =
    /<testcase name="([^"]*)" classname="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g;
  for (const [, name = "", file = "", body = ""] of xml.matchAll(pattern)) {
    const outcome = /<(?:failure|error)\b/.test(body)
      ? "failed"
      : body.includes("<skipped")
      ? "skipped"
      : "passed";
    cases.push({ file: unescapeXml(file), name: unescapeXml(name), outcome });
  }
  const names = new Set(cases.map((test) => test.file + "\0" + test.name));
  return cases.filter((test) => test.outcome === "skipped" || !isStep(test, names));
}

/** A step's name begins with the name of another test of the file. */
function isStep(test: TestResult, names: ReadonlySet<string>): boolean {
  for (let at = test.name.indexOf(" > "); at !== -1; at = test.name.indexOf(" > ", at + 1)) {
    if (names.has(test.file + "\0" + test.name.slice(0, at))) return true;
  }
  return false;
}

function unescapeXml(text: string): string {
  const entities: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    if (hex !== undefined) return String.fromCodePoint(parseInt(hex, 16));
    return entities[name] ?? whole;
  });
}
