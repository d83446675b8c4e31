/** An owner's connection to a real atServer, as plain as can be: TLS, CRAM login, one line out, one line in. */

import { cramDigest } from "../../src/crypto/mod.ts";

export class RawClient implements Disposable {
  readonly #conn: Deno.TlsConn;
  readonly #buffer = new Uint8Array(64 * 1024);
  readonly #decoder = new TextDecoder();
  #text = "";

  private constructor(conn: Deno.TlsConn) {
    this.#conn = conn;
  }

  /** Connects to `listen` (`127.0.0.1:6464`), whose certificate is signed by `caPem` for localhost. */
  static async connect(listen: string, caPem: string): Promise<RawClient> {
    const [hostname = "", port = ""] = listen.split(":");
    const tcp = await Deno.connect({ hostname, port: Number(port) });
    tcp.setNoDelay(true);
    const conn = await Deno.startTls(tcp, { hostname: "localhost", caCerts: [caPem] });
    return new RawClient(conn);
  }

  /** Logs in with an activation code that was not used up. */
  async logIn(atSign: string, code: string): Promise<void> {
    const challenge = (await this.ask(`from:${atSign}`)).slice("data:".length);
    const answer = await this.ask(`cram:${cramDigest(code, challenge)}`);
    if (answer !== "data:success") throw new Error(`no login as ${atSign}: ${answer}`);
  }

  /** Sends one line; gives the next line without prompts. */
  async ask(line: string): Promise<string> {
    await this.send(line);
    const answer = await this.next();
    if (answer === null) throw new Error("the connection ended");
    return answer;
  }

  async send(line: string): Promise<void> {
    const bytes = new TextEncoder().encode(`${line}\n`);
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  /** The next line without prompts; null at the end of the stream. */
  async next(): Promise<string | null> {
    for (let lf = this.#text.indexOf("\n");; lf = this.#text.indexOf("\n")) {
      if (lf >= 0) {
        const line = this.#text.slice(0, lf);
        this.#text = this.#text.slice(lf + 1);
        return line.replace(/^(?:@(?:[^@:\s]+@)?)*(?=(?:data|error|notification):)/, "");
      }
      const n = await this.#conn.read(this.#buffer);
      if (n === null) return null;
      this.#text += this.#decoder.decode(this.#buffer.subarray(0, n), { stream: true });
    }
  }

  [Symbol.dispose](): void {
    try {
      this.#conn.close();
    } catch {
      // the server was faster
    }
  }
}
