import { parseFlags } from "../cli/mod.ts";
import { NoportsError } from "../base/mod.ts";
import { assert, assertEquals, assertMatch } from "../../tests/assert.ts";
import {
  ENROLL_FLAGS,
  FILTER_FLAGS,
  ID_FLAG,
  LIST_FLAGS,
  LOGIN_FLAGS,
  parseEnrollmentFilter,
  parseEnrollOptions,
  parseLoginOptions,
  parseNamespaces,
  parseSelection,
} from "./options.ts";

function usageError(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert(error instanceof NoportsError && error.code === "usage", String(error));
    return error.message;
  }
  throw new Error("nothing was thrown");
}

Deno.test("parseNamespaces reads the vendor's form, quotes and blanks included", () => {
  assertEquals(parseNamespaces("sshnp:rw,sshrvd:rw"), { sshnp: "rw", sshrvd: "rw" });
  assertEquals(parseNamespaces(' "sshnp:r" , wavi : rw'), { sshnp: "r", wavi: "rw" });
  for (const bad of ["", "sshnp", "sshnp:w", "sshnp:rw,", ":rw", "a:b:rw"]) {
    assertMatch(usageError(() => parseNamespaces(bad)), /NAME:r or NAME:rw/);
  }
});

Deno.test("parseEnrollOptions reads a whole command line and insists on the key file", () => {
  const args = ["-a", "Alice", "-p", "noports", "-d", "dev1", "-n", "sshnp:rw", "-e", "2d,1h"];
  assertEquals(parseEnrollOptions(parseFlags([...args, "-k", "f"], ENROLL_FLAGS)), {
    atSign: parseLoginOptions(parseFlags(["-a", "@alice"], LOGIN_FLAGS)).atSign,
    keyFile: "f",
    request: {
      appName: "noports",
      deviceName: "dev1",
      namespaces: { sshnp: "rw" },
      keysExpiryMs: 49 * 3_600_000,
    },
  });
  assertMatch(
    usageError(() => parseEnrollOptions(parseFlags(args, ENROLL_FLAGS))),
    /The --keys option is mandatory/,
  );
});

Deno.test("parseSelection takes an id, filters that match anywhere, and not nothing", () => {
  const flags = [ID_FLAG, ...FILTER_FLAGS];
  const { id, filter } = parseSelection(parseFlags(["-i", "a-1", "-D", "^we"], flags));
  assertEquals(id, "a-1");
  assert(filter.deviceName?.test("web01") === true && !filter.deviceName.test("aweb"));
  assertEquals(filter.appName, undefined);
  const { filter: other } = parseSelection(parseFlags(["--arx", "port"], flags));
  assert(other.appName?.test("noports") === true && !other.appName.test("noPorts"));
  for (
    const [args, why] of [
      [[], /At least one of/],
      [["--arx", "("], /no regular expression/],
      [["-i", 'x"}'], /no enrollment id/],
    ] as const
  ) assertMatch(usageError(() => parseSelection(parseFlags(args, flags))), why);
});

Deno.test("parseEnrollmentFilter knows the states", () => {
  const read = (status: string) => parseEnrollmentFilter(parseFlags(["-s", status], LIST_FLAGS));
  assertEquals(read("revoked"), { status: "revoked" });
  assertMatch(usageError(() => read("lost")), /no status/);
});

Deno.test("parseLoginOptions takes the vendor's names and ten attempts", () => {
  const read = (...args: string[]) => parseLoginOptions(parseFlags(args, LOGIN_FLAGS));
  assertEquals(read("-a", "@alice", "--rootServer", "h").maxAttempts, 10);
  assertEquals(read("-a", "@alice", "-r", "h", "--mca", "3", "-k", "f").keyFile, "f");
  assertMatch(usageError(() => read("-a", "@alice", "--mca", "0")), /not 1 to/);
});
