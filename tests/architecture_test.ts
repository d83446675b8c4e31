/**
 * The layers of the source as rules, checked against what the modules import. A red test here means: move the code,
 * or change a rule and its reason in the same commit, with ARCHITECTURE.md.
 *
 * The rules:
 * - Imports point down: from a higher level to a lower one. Two folders of one level share through a lower one.
 * - Another folder's files are imported through its `mod.ts` only, and `_name.ts` only from its own directory, so that
 *   what a folder offers can be read in one place.
 * - No import cycles, not even of types: a file can be understood after those it imports.
 * - Program code imports no tests, benchmarks or scripts.
 * - Pure folders reach neither the system, nor a clock, nor randomness: they are tested without any of them.
 *
 * Test files (`x_test.ts`, `x_conformance.ts`, `_fake_x.ts`) are free, and program code imports none of them.
 */

import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { assert, assertEquals } from "./assert.ts";

interface Layer {
  /** A folder, or a single file. */
  readonly path: string;
  /** It may import from layers of lower levels. */
  readonly level: number;
  readonly reason: string;
  /** When given, it may import from these alone. */
  readonly only?: readonly string[];
  /** No IO, clock or randomness of its own. */
  readonly pure?: true;
}

const SERVICE_REASON =
  "services meet as bytes on a wire, in life and in tests; what two of them share moves down";

const LAYERS: readonly Layer[] = [
  { path: "main.ts", level: 9, reason: "starts a command; alone prints errors and exits" },
  { path: "commands", level: 8, reason: "wiring only: options to one call of a service" },
  { path: "daemon", level: 7, reason: SERVICE_REASON },
  { path: "relay", level: 7, reason: SERVICE_REASON },
  { path: "src/client", level: 7, reason: SERVICE_REASON },
  { path: "src/atserver", level: 7, reason: SERVICE_REASON },
  { path: "src/activate", level: 7, reason: SERVICE_REASON },
  { path: "src/demo", level: 7, reason: "runs the other services as processes, never as imports" },
  { path: "src/control", level: 6, reason: "what every service needs, so it knows no service" },
  { path: "src/config", level: 6, reason: "what every service needs, so it knows no service" },
  {
    path: "src/cli",
    level: 5,
    reason: "a frame for any command line, so it knows nothing of the protocols",
    only: ["src/base"],
  },
  {
    path: "src/dataplane",
    level: 6,
    reason: "moves bytes; what a session is, it is told in src/session's words",
    only: ["src/session", "src/crypto", "src/encoding", "src/base"],
  },
  {
    path: "src/session",
    level: 5,
    reason: "decides about requests without doing any IO, so nothing it imports may do some",
    only: ["src/atprotocol/wire", "src/crypto", "src/encoding", "src/base"],
    pure: true,
  },
  { path: "src/atprotocol/client", level: 4, reason: "the protocol's IO, for any service" },
  {
    path: "src/atprotocol/wire",
    level: 3,
    reason: "client and server use the same text for the same thing",
    pure: true,
  },
  { path: "src/crypto", level: 2, reason: "functions over bytes and their text forms", pure: true },
  { path: "src/encoding", level: 1, reason: "functions over bytes", pure: true },
  { path: "src/base", level: 0, reason: "everything stands on it, so it imports nothing of ours" },
];

/** Where program code lies: each of its files belongs to a layer. */
const PROGRAM = ["main.ts", "commands", "daemon", "relay", "src"];

/** What a pure file must not name, and what it takes instead as an argument. */
const IMPURE: readonly { readonly pattern: RegExp; readonly instead: string }[] = [
  { pattern: /\bDeno\b\s*[.[]/, instead: "a value the caller read" },
  { pattern: /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b/, instead: "a Clock" },
  { pattern: /\bset(?:Timeout|Interval)\b/, instead: "a Clock" },
  { pattern: /\bMath\.random\b/, instead: "Entropy" },
  { pattern: /\bgetRandomValues\b|\brandom(?:UUID|Bytes|Int)\b/, instead: "Entropy" },
];

/** Node's modules that a pure file may import: they compute. */
const PURE_NODE_MODULES = new Set(["node:crypto", "node:buffer"]);

const root = fileURLToPath(new URL("..", import.meta.url));

/** One import statement: two files relative to the root, or a file and a name like `node:fs`. */
interface Edge {
  readonly from: string;
  readonly to: string;
}

interface Imports {
  readonly edges: readonly Edge[];
  /** What Deno could not resolve, as messages. */
  readonly unresolved: readonly string[];
}

Deno.test("every layer of the architecture rules has its files", () => {
  const files = programFiles();
  for (const layer of LAYERS) {
    assert(files.some((file) => isIn(file, layer.path)), `${layer.path} is gone: drop its rule`);
  }
});

Deno.test("every program file belongs to a layer", () => {
  const strays = programFiles().filter((file) => layerOf(file) === undefined);
  assertEquals(strays, [], "add a layer with its reason to LAYERS, or move the file");
});

Deno.test("imports point down, through mod.ts, without cycles", async () => {
  const { edges, unresolved } = await readImports(programFiles());
  assert(edges.length > 0);
  const refused = edges.flatMap((edge) => checkEdge(edge) ?? []);
  const found = [...unresolved, ...refused, ...findCycles(edges)];
  assertEquals(found, [], found.join("\n"));
});

Deno.test("pure layers name no system, clock or randomness", () => {
  const found = programFiles().filter((file) => layerOf(file)?.pure).flatMap((file) =>
    findImpure(file, Deno.readTextFileSync(join(root, file)))
  );
  assertEquals(found, [], found.join("\n"));
});

Deno.test("the architecture rules refuse what they are for", () => {
  const refused: [from: string, to: string, why: RegExp][] = [
    ["src/base/log.ts", "src/encoding/mod.ts", /points up/],
    ["src/crypto/rsa.ts", "src/atprotocol/wire/mod.ts", /points up/],
    ["daemon/run.ts", "commands/mod.ts", /points up/],
    ["daemon/run.ts", "relay/mod.ts", /points sideways.*services meet/],
    ["src/cli/flags.ts", "src/encoding/mod.ts", /may import only src\/base/],
    ["src/session/request.ts", "src/atprotocol/client/mod.ts", /may import only/],
    ["daemon/run.ts", "src/base/log.ts", /mod\.ts/],
    ["src/client/a/x.ts", "src/client/b/_y.ts", /private/],
    ["src/client/x.ts", "tests/assert.ts", /no program code/],
    ["src/client/x.ts", "src/client/y_test.ts", /no program code/],
    ["src/atprotocol/wire/x.ts", "node:fs", /pure/],
  ];
  for (const [from, to, why] of refused) {
    const complaint = checkEdge({ from, to });
    assert(complaint !== null && why.test(complaint), `${from} → ${to}: ${complaint}`);
  }
  const allowed: [from: string, to: string][] = [
    ["main.ts", "commands/mod.ts"],
    ["daemon/run.ts", "daemon/_private.ts"],
    ["daemon/run.ts", "src/base/mod.ts"],
    ["src/client/a/x.ts", "src/client/b/y.ts"],
    ["src/crypto/rsa.ts", "node:crypto"],
    ["src/base/entropy.ts", "node:crypto"],
  ];
  for (const [from, to] of allowed) assertEquals(checkEdge({ from, to }), null);
  assertEquals(
    findCycles([{ from: "a", to: "b" }, { from: "b", to: "c" }, { from: "c", to: "b" }]),
    ["import cycle: b → c → b"],
  );
  assertEquals(findImpure("x.ts", "// Date.now is not for us\nconst a = Date.now();").length, 1);
});

/** Why the import breaks a rule, or null. */
function checkEdge({ from, to }: Edge): string | null {
  const importer = layerOf(from);
  if (importer === undefined) return null; // reported by a test of its own
  const refuse = (why: string): string => `${from} imports ${to}: ${why}`;
  if (/^[a-z-]+:/.test(to)) {
    return importer.pure === true && to.startsWith("node:") && !PURE_NODE_MODULES.has(to)
      ? refuse(`${importer.path} is pure`)
      : null;
  }
  const imported = layerOf(to);
  if (imported === undefined) {
    return refuse("it is no program code, it belongs to the tests or tools");
  }
  if (isPrivate(to) && directoryOf(from) !== directoryOf(to)) {
    return refuse(`_name.ts is private to ${directoryOf(to)}/`);
  }
  if (importer === imported) return null;
  if (importer.only !== undefined && !importer.only.includes(imported.path)) {
    return refuse(
      `${importer.path} may import only ${importer.only.join(", ")}: ${importer.reason}`,
    );
  }
  if (imported.level >= importer.level) {
    const direction = imported.level > importer.level ? "up" : "sideways";
    return refuse(`it points ${direction} (${imported.path}: ${imported.reason})`);
  }
  if (to !== `${imported.path}/mod.ts`) {
    return refuse(`other folders import ${imported.path}/mod.ts only`);
  }
  return null;
}

/** Each cycle once, as the path that closes it. */
function findCycles(edges: readonly Edge[]): string[] {
  const next = Map.groupBy(edges, (edge) => edge.from);
  const done = new Set<string>();
  const path: string[] = [];
  const found: string[] = [];
  const visit = (file: string): void => {
    if (path.includes(file)) {
      found.push(`import cycle: ${[...path.slice(path.indexOf(file)), file].join(" → ")}`);
    } else if (!done.has(file)) {
      path.push(file);
      for (const edge of next.get(file) ?? []) visit(edge.to);
      path.pop();
      done.add(file);
    }
  };
  for (const file of next.keys()) visit(file);
  return found;
}

/** The impure names in a file's code, with line numbers. */
function findImpure(file: string, text: string): string[] {
  return text.split("\n").flatMap((line, index) => {
    // Whole-line and trailing comments may name anything.
    const code = /^\s*(?:\/\/|\/?\*)/.test(line) ? "" : line.replace(/\s\/\/\s.*$/, "");
    return IMPURE.filter(({ pattern }) => pattern.test(code)).map(({ instead }) =>
      `${file}:${index + 1}: pure code takes ${instead} as an argument: ${line.trim()}`
    );
  });
}

/** All imports between our files and of Node's modules, types and dynamic imports too, as Deno resolves them. */
async function readImports(files: readonly string[]): Promise<Imports> {
  const entry = await Deno.makeTempFile({ prefix: "noports-modules-", suffix: ".ts" });
  try {
    const imports = files.map((file) => `import "${pathToFileURL(join(root, file))}";\n`);
    await Deno.writeTextFile(entry, imports.join(""));
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--config", join(root, "deno.json"), entry],
      env: { NO_COLOR: "1" },
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    return parseModuleGraph(JSON.parse(new TextDecoder().decode(stdout)));
  } finally {
    await Deno.remove(entry);
  }
}

/** What `deno info --json` gives, as far as it is read here. */
interface ModuleGraph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

function parseModuleGraph(graph: ModuleGraph): Imports {
  const edges: Edge[] = [];
  const unresolved: string[] = [];
  for (const { specifier, error, dependencies = [] } of graph.modules) {
    const from = shorten(specifier);
    if (error !== undefined) unresolved.push(error);
    if (from.startsWith("..")) continue; // our list of roots
    for (const { code, type } of dependencies) {
      const target = code?.specifier ?? type?.specifier;
      if (target === undefined) unresolved.push(`${from} has an import that cannot be resolved`);
      else edges.push({ from, to: shorten(target) });
    }
  }
  return { edges, unresolved };
}

/** A `file:` URL as a path relative to the root; other specifiers as they are. */
function shorten(specifier: string): string {
  return specifier.startsWith("file:") ? relative(root, fileURLToPath(specifier)) : specifier;
}

/** The program's own files, without tests, relative to the root. */
function programFiles(): string[] {
  return PROGRAM.flatMap(listFiles).filter((file) => file.endsWith(".ts") && !isTest(file)).sort();
}

function listFiles(path: string): string[] {
  const info = statOrNull(join(root, path));
  if (info === null) return [];
  if (info.isFile) return [path];
  return [...Deno.readDirSync(join(root, path))].flatMap(({ name }) =>
    listFiles(`${path}/${name}`)
  );
}

function statOrNull(path: string): Deno.FileInfo | null {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function layerOf(file: string): Layer | undefined {
  return isTest(file) ? undefined : LAYERS.find((layer) => isIn(file, layer.path));
}

function isIn(file: string, path: string): boolean {
  return file === path || file.startsWith(path + "/");
}

/** Tests, and what only tests import: conformance suites and fakes of a folder's own interfaces. */
function isTest(file: string): boolean {
  return /_test\.ts$|_conformance\.ts$|\/_fake_[a-z_]+\.ts$/.test(file);
}

function isPrivate(file: string): boolean {
  return /(?:^|\/)_[^/]*$/.test(file);
}

function directoryOf(file: string): string {
  return file.slice(0, Math.max(0, file.lastIndexOf("/")));
}
