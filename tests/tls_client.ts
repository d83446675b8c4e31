/** A TLS client for tests, a plain proxy that looks at TLS records, and certificates made once for all tests. */

import { systemClock, systemEntropy } from "../src/base/mod.ts";
import { makeAuthority, makeLeaf } from "../src/atserver/net/certificate_maker.ts";

/** Certificate and key as PEM. */
export interface TestPair {
  readonly certPem: string;
  readonly keyPem: string;
}

/** An authority and a certificate of it for localhost, 127.0.0.1 and ::1. */
export async function makeTestCertificates(
  names: readonly string[] = ["localhost", "127.0.0.1", "::1"],
): Promise<{ ca: TestPair; leaf: TestPair }> {
  const dependencies = { clock: systemClock, entropy: systemEntropy };
  const ca = await makeAuthority("test CA", dependencies);
  return { ca, leaf: await makeLeaf(names, ca, dependencies) };
}

/** Connects as a client that trusts only `caPem` and the system, with the handshake done. */
export async function connectTestTls(
  port: number,
  caPem: string,
  options: { hostname?: string; address?: string } = {},
): Promise<TestTlsClient> {
  const tcp = await Deno.connect({ hostname: options.address ?? "127.0.0.1", port });
  tcp.setNoDelay(true);
  const conn = await Deno.startTls(tcp, {
    hostname: options.hostname ?? "localhost",
    caCerts: [caPem],
  });
  try {
    await conn.handshake();
  } catch (error) {
    conn.close();
    throw error;
  }
  return new TestTlsClient(conn);
}

export class TestTlsClient implements Disposable {
  constructor(readonly conn: Deno.TlsConn) {}

  async send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await this.conn.write(bytes.subarray(at));
  }

  /** What one read gives, at most 64 KB; null at end of stream. */
  async chunk(): Promise<string | null> {
    const buffer = new Uint8Array(64 * 1024);
    const n = await this.conn.read(buffer);
    return n === null ? null : new TextDecoder().decode(buffer.subarray(0, n));
  }

  /** Everything up to the first chunk that ends in `end`. */
  async until(end: string): Promise<string> {
    let text = "";
    while (!text.endsWith(end)) {
      const chunk = await this.chunk();
      if (chunk === null) throw new Error(`connection ended after ${JSON.stringify(text)}`);
      text += chunk;
    }
    return text;
  }

  /** Reads until the end of the stream (a cut counts as one) and gives what came. */
  async rest(): Promise<string> {
    let text = "";
    try {
      for (let chunk = await this.chunk(); chunk !== null; chunk = await this.chunk()) {
        text += chunk;
      }
    } catch (error) {
      const { ConnectionReset, UnexpectedEof } = Deno.errors;
      if (!(error instanceof ConnectionReset || error instanceof UnexpectedEof)) throw error;
    }
    return text;
  }

  [Symbol.dispose](): void {
    try {
      this.conn.close();
    } catch {
      // closed by the test
    }
  }
}

/** A TCP proxy that keeps the lengths of the TLS records of type "application data" that the server sends. */
export class RecordProxy implements AsyncDisposable {
  /** Payload lengths of the records, in order. */
  readonly records: number[] = [];
  readonly #listener: Deno.TcpListener;
  readonly #tasks: Promise<void>[] = [];
  #buffer = new Uint8Array();

  constructor(readonly targetPort: number) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#tasks.push(this.#acceptOne());
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async #acceptOne(): Promise<void> {
    const client = await this.#listener.accept();
    const server = await Deno.connect({ hostname: "127.0.0.1", port: this.targetPort });
    client.setNoDelay(true);
    server.setNoDelay(true);
    await Promise.all([
      this.#pump(client, server, () => {}),
      this.#pump(server, client, (bytes) => this.#look(bytes)),
    ]);
    client.close();
    server.close();
  }

  async #pump(from: Deno.Conn, to: Deno.Conn, look: (bytes: Uint8Array) => void): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (let n = await from.read(buffer); n !== null; n = await from.read(buffer)) {
        look(buffer.subarray(0, n));
        for (let at = 0; at < n;) at += await to.write(buffer.subarray(at, n));
      }
      await to.closeWrite();
    } catch {
      // one side went away; the other pump ends by itself
    }
  }

  /** A record: type (23 is application data), version (2 bytes), length (2 bytes), payload. */
  #look(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#buffer.length + bytes.length);
    all.set(this.#buffer);
    all.set(bytes, this.#buffer.length);
    let at = 0;
    while (all.length - at >= 5) {
      const length = ((all[at + 3] ?? 0) << 8) | (all[at + 4] ?? 0);
      if (all.length - at < 5 + length) break;
      if (all[at] === 23) this.records.push(length);
      at += 5 + length;
    }
    this.#buffer = all.slice(at);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await Promise.allSettled(this.#tasks);
  }
}
