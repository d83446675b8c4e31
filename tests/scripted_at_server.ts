/** An atServer for one connection that answers by a table of ours; for unit tests of the client's connection handling. */

import { type ByteConn, writeAll } from "../src/base/mod.ts";

const encoder = new TextEncoder();

/** Serves `conn`: writes the greeting, then what `answer` gives for each line (nothing for null). Ends with the connection. */
export async function serveScript(
  conn: ByteConn,
  answer: (line: string) => string | null | Promise<string | null>,
): Promise<string[]> {
  const lines: string[] = [];
  const buffer = new Uint8Array(4096);
  let rest = "";
  try {
    await writeAll(conn, encoder.encode("@"));
    for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
      const parts = (rest + new TextDecoder().decode(buffer.subarray(0, n))).split("\n");
      rest = parts.pop() ?? "";
      for (const line of parts) {
        lines.push(line);
        const reply = await answer(line);
        if (reply !== null) await writeAll(conn, encoder.encode(reply));
      }
    }
  } catch {
    // the client closed: that is how these scripts end
  }
  return lines;
}
