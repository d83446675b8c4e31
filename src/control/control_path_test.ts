import { assert, assertEquals, assertMatch, assertRejects } from "../../tests/assert.ts";
import { NoportsError } from "../base/mod.ts";
import { checkPrivateFolder, controlSocketPath, ensurePrivateFolder } from "./control_path.ts";

const bare = { env: () => undefined, uid: 1000 };
const deep = "/srv/" + "very-deep-folder/".repeat(8) + "data";

Deno.test("controlSocketPath() stays in the data folder where the path fits", () => {
  assertEquals(controlSocketPath("/srv/data", bare), "/srv/data/control.sock");
});

Deno.test("controlSocketPath() of a deep folder is short, stable and different for each folder", () => {
  const path = controlSocketPath(deep, bare);
  assertMatch(path, /^\/tmp\/noports-1000\/[0-9a-f]{24}\.sock$/);
  assertEquals(controlSocketPath(deep, bare), path);
  assert(controlSocketPath(deep + "2", bare) !== path);
});

Deno.test("controlSocketPath() prefers the user's runtime folder", () => {
  const env = (name: string) => name === "XDG_RUNTIME_DIR" ? "/run/user/1000" : undefined;
  assertMatch(
    controlSocketPath(deep, { env, uid: 1000 }),
    /^\/run\/user\/1000\/noports\/[0-9a-f]{24}\.sock$/,
  );
});

Deno.test("ensurePrivateFolder() makes a folder that only its owner can enter", async () => {
  const base = await Deno.makeTempDir();
  try {
    await ensurePrivateFolder(`${base}/a/b`);
    assertEquals((await Deno.stat(`${base}/a/b`)).mode ?? 0, 0o40700);
    await ensurePrivateFolder(`${base}/a/b`); // a second time changes nothing
  } finally {
    await Deno.remove(base, { recursive: true });
  }
});

Deno.test("ensurePrivateFolder() refuses a folder that others can enter, a file and a link", async () => {
  const base = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${base}/open`);
    await Deno.chmod(`${base}/open`, 0o755);
    await Deno.writeTextFile(`${base}/file`, "");
    await Deno.mkdir(`${base}/closed`, { mode: 0o700 });
    await Deno.symlink(`${base}/closed`, `${base}/link`);
    for (const name of ["open", "file", "link"]) {
      await assertRejects(() => ensurePrivateFolder(`${base}/${name}`), NoportsError, {
        code: "config_invalid",
      });
    }
    await assertRejects(() => checkPrivateFolder(`${base}/none`), NoportsError, {
      code: "not_found",
    });
  } finally {
    await Deno.remove(base, { recursive: true });
  }
});
