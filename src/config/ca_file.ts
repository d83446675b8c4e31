/** The certificate authorities that a user trusts besides the system's (`--root-ca`). IO. */

import { describeError, NoportsError } from "../base/mod.ts";

/** Our choice: a whole system's bundle has about 200 KB. */
const MAX_CA_BYTES = 1024 * 1024;

/** The PEM certificates in the file `path`, whatever stands between them. @throws {NoportsError} `config_invalid`. */
export function readCaFile(path: string): string[] {
  let text: string;
  try {
    const size = Deno.statSync(path).size;
    if (size > MAX_CA_BYTES) throw new Error(`it has ${size} bytes`);
    text = Deno.readTextFileSync(path);
  } catch (cause) {
    throw new NoportsError(
      "config_invalid",
      `Cannot read the CA file "${path}": ${describeError(cause)}`,
      { cause, hint: "name a readable PEM file with --root-ca or NOPORTS_ROOT_CA" },
    );
  }
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (blocks === null) {
    throw new NoportsError(
      "config_invalid",
      `Cannot use the CA file "${path}": no PEM certificate in it`,
      { hint: "`noports server ca` prints the one of your own control plane" },
    );
  }
  return blocks.map((block) => `${block}\n`);
}
