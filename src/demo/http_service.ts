/** The small HTTP service that the demo reaches: a page, 64 MB of seeded bytes, and their SHA-256. */

import { createHash } from "node:crypto";

const CHUNK_BYTES = 1024 * 1024;

/** Serves on 127.0.0.1 until `signal` aborts; `onReady` gets the port. */
export async function runHttpService(
  onReady: (port: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    signal,
    onListen: ({ port }) => onReady(port),
  }, (request) => answer(new URL(request.url)));
  await server.finished;
}

function answer(url: URL): Response {
  const match = /^\/(bytes|sha256)\/(\d{1,4})$/.exec(url.pathname);
  if (match === null) return new Response("hello from a device with no open port\n");
  const chunks = Number(match[2]);
  if (match[1] === "sha256") {
    const hash = createHash("sha256");
    for (let i = 0; i < chunks; i++) hash.update(seededChunk(i));
    return new Response(hash.digest("hex"));
  }
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (sent === chunks) controller.close();
      else controller.enqueue(seededChunk(sent++));
    },
  });
  return new Response(body, { headers: { "content-length": String(chunks * CHUNK_BYTES) } });
}

/** One MB that differs with `index`: xorshift, so that a repeated or exchanged chunk changes the hash. */
function seededChunk(index: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(CHUNK_BYTES / 4);
  let state = (index + 1) * 0x9e3779b9 >>> 0;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer);
}
