/** The peers' test vectors of `tests/vectors/`, each group checked to be there: a renamed one must not pass unnoticed. */

import { assert } from "./assert.ts";

export type VectorFile = "atclient" | "peers";

interface KeyPair {
  readonly publicKeySpkiBase64: string;
  readonly privateKeyPkcs8Base64: string;
}

/** A group by its dotted path, e.g. `c.aes_ctr_pkcs7`. The caller names its shape, the files are not checked against it. */
export function vectors<T>(file: VectorFile, path: string): T {
  let value: unknown = loadVectorFile(file);
  for (const name of path.split(".")) value = (value as Record<string, unknown>)?.[name];
  const size = typeof value === "object" && value !== null ? Object.keys(value).length : 0;
  assert(typeof value === "string" || size > 0, `no vectors at ${file}: ${path}`);
  return value as T;
}

/** The named test key pairs of the client vectors. */
export function vectorKey(name: string): { publicKey: string; privateKey: string } {
  const pair = vectors<KeyPair>("atclient", `keys.${name}`);
  return { publicKey: pair.publicKeySpkiBase64, privateKey: pair.privateKeyPkcs8Base64 };
}

/** The whole file. */
export function loadVectorFile(file: VectorFile): Record<string, unknown> {
  return JSON.parse(Deno.readTextFileSync(new URL(`./vectors/${file}.json`, import.meta.url)));
}
