import { NoportsError } from "../../base/mod.ts";
import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { parseAtKeysFile, parseAtSign } from "../wire/mod.ts";
import { readKeyFile, reserveKeyFile } from "./key_file.ts";

const ALICE = parseAtSign("@alice");

async function vectorFile(): Promise<string> {
  const vectors = JSON.parse(
    await Deno.readTextFile(new URL("../../../tests/vectors/atclient.json", import.meta.url)),
  );
  return vectors.atKeysFile.fileContent;
}

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a reserved key file is written whole, mode 0600, and read back", () =>
  withFolder(async (folder) => {
    const keys = parseAtKeysFile(await vectorFile());
    const path = `${folder}/new/keys/@alice_key.atKeys`;
    const file = await reserveKeyFile(path);
    await file.write(ALICE, keys);
    await file.discard();
    assertEquals((await Deno.stat(path)).mode ?? 0 & 0o777, 0o100600);
    assertEquals((await Deno.stat(`${folder}/new/keys`)).mode ?? 0 & 0o777, 0o040700);
    assertEquals(await readKeyFile(path, ALICE), keys);
    assertEquals([...Deno.readDirSync(`${folder}/new/keys`)].length, 1);
  }));

Deno.test("a key file is never written over another, not even over one that appeared meanwhile", () =>
  withFolder(async (folder) => {
    const keys = parseAtKeysFile(await vectorFile());
    const path = `${folder}/@alice_key.atKeys`;
    const file = await reserveKeyFile(path);
    await Deno.writeTextFile(path, "precious");
    await assertRejects(() => file.write(ALICE, keys), NoportsError, { code: "file_exists" });
    await assertRejects(() => reserveKeyFile(path), NoportsError, { code: "file_exists" });
    assertEquals(await Deno.readTextFile(path), "precious");
    assertEquals([...Deno.readDirSync(folder)].length, 1);
  }));

Deno.test("a reservation that is given up leaves nothing behind", () =>
  withFolder(async (folder) => {
    const file = await reserveKeyFile(`${folder}/k.atKeys`);
    await file.discard();
    assertEquals([...Deno.readDirSync(folder)].length, 0);
  }));

Deno.test("readKeyFile() says what is wrong with a key file and what to type", () =>
  withFolder(async (folder) => {
    const missing = await assertRejects(
      () => readKeyFile(`${folder}/none`, ALICE),
      NoportsError,
      { code: "key_file_missing" },
    );
    assert(missing.hint?.includes("activate"));
    const open = `${folder}/open`;
    await Deno.writeTextFile(open, await vectorFile(), { mode: 0o644 });
    await Deno.chmod(open, 0o644);
    const mode = await assertRejects(() => readKeyFile(open, ALICE), NoportsError, {
      code: "key_file_mode",
    });
    assertEquals(mode.hint, `type: chmod 600 "${open}"`);
    for (const text of ["", "{}", "[1]", (await vectorFile()).slice(0, 500), "x".repeat(70_000)]) {
      const path = `${folder}/bad`;
      await Deno.writeTextFile(path, text, { mode: 0o600 });
      await assertRejects(() => readKeyFile(path, ALICE), NoportsError, {
        code: "key_file_invalid",
      });
    }
    await assertRejects(() => readKeyFile(folder, ALICE), NoportsError, {
      code: "key_file_invalid",
    });
  }));
