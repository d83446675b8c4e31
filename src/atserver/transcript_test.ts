/**
 * Plays the golden transcripts of `tests/transcripts`: what clients send and each write of the server, byte for byte.
 * `UPDATE_GOLDEN=1` rewrites the server's lines; read the diff.
 *
 * `C: text` sends a line, `S: text` is one write (`⏎` LF, `␍` CR, `(closed)` the end); `C[b]:`, `S[b]:` are those of a
 * further connection, as `![b]` is. `! host @a`, `! activate @a @b`, `! enroll @a id {"ns":"rw"}`, `! login @a [id]`, `! open 192.0.2.9 [@sni]`,
 * `! peer @c` (pol as @c succeeds), `! advance ms`, `! send text` (no LF). `<sign>`, `<cram @a>`, `<key>` stand for a
 * signature of the last challenge, the digest over it, the public key that belongs to the signature.
 */

import { parseAtSign } from "../atprotocol/wire/mod.ts";
import { cramDigest, signRsaSha256 } from "../crypto/mod.ts";
import { assert, assertEquals } from "../../tests/assert.ts";
import { type Client, PKAM, settle, SIGNING, World } from "../../tests/at_server_world.ts";

const FOLDER = new URL("../../tests/transcripts/", import.meta.url);
const names = [...Deno.readDirSync(FOLDER)].map((entry) => entry.name)
  .filter((name) => name.endsWith(".txt")).sort();
assert(names.length > 5, "no transcripts found");

for (const name of names) {
  Deno.test(`transcript ${name.replace(".txt", "")}`, async () => {
    const path = new URL(name, FOLDER);
    const golden = await Deno.readTextFile(path);
    const played = await new Player().play(golden);
    if (Deno.env.get("UPDATE_GOLDEN") === "1") await Deno.writeTextFile(path, played);
    else assertEquals(played.split("\n"), golden.split("\n"));
  });
}

class Player {
  readonly #world = new World();
  readonly #clients = new Map<string, Client>();
  readonly #challenges = new Map<string, string>();
  readonly #closed = new Set<string>();

  /** The transcript with the server's lines as they are now. */
  async play(text: string): Promise<string> {
    await using world = this.#world;
    world.core.start();
    const out: string[] = [];
    for (const line of text.split("\n")) {
      if (/^S(\[\w+\])?:/.test(line)) continue;
      out.push(line);
      const [, mark, name = "", rest = ""] = /^([C!])(?:\[(\w+)\])?:? (.*)$/.exec(line) ?? [];
      if (mark === "C") await this.#say(name, rest, out);
      if (mark === "!") await this.#direct(name, rest, out);
    }
    return out.join("\n");
  }

  async #say(name: string, text: string, out: string[]): Promise<void> {
    if (!this.#clients.has(name)) await this.#open(name, [], out);
    await this.#client(name).send(this.#fill(name, text).replaceAll("⏎", "\n") + "\n");
    await this.#collect(out);
  }

  async #direct(name: string, text: string, out: string[]): Promise<void> {
    const [what = "", ...args] = text.split(" ");
    const [first = "", second] = args;
    switch (what) {
      case "host":
        this.#world.host(first);
        break;
      case "activate":
        await this.#world.activate(...args);
        break;
      case "enroll":
        this.#world.enroll(first, second ?? "", JSON.parse(args.slice(2).join(" ")));
        break;
      case "open":
        await this.#open(name, args, out);
        break;
      case "login":
        if (!this.#clients.has(name)) await this.#openQuietly(name);
        await this.#client(name).login(first, second);
        break;
      case "peer":
        await this.#proveAs(name, first);
        break;
      case "advance":
        this.#world.clock.advance(Number(first));
        break;
      case "send":
        await this.#client(name).send(this.#fill(name, text.slice(5)));
        break;
      default:
        throw new Error(`unknown directive: ${text}`);
    }
    await this.#collect(out);
  }

  async #open(name: string, [remoteAddress, sni]: string[], out: string[]): Promise<void> {
    this.#clients.set(
      name,
      this.#world.open({
        ...(remoteAddress === undefined ? {} : { remoteAddress }),
        ...(sni === undefined ? {} : { sniAtSign: parseAtSign(sni) }),
      }),
    );
    await this.#collect(out);
  }

  async #openQuietly(name: string): Promise<void> {
    this.#clients.set(name, await this.#world.connect());
  }

  /** A foreign atServer's handshake that succeeds. */
  async #proveAs(name: string, peer: string): Promise<void> {
    if (!this.#clients.has(name)) await this.#openQuietly(name);
    const client = this.#client(name);
    const challenge = (await client.ask(`from:${peer}`)).split("\n")[0]?.split(":").at(-1) ?? "";
    this.#world.peers.onProof = () =>
      Promise.resolve({
        signature: signRsaSha256(SIGNING.privateKey, challenge),
        signingPublicKey: SIGNING.publicKey,
      });
    assertEquals(await client.ask("pol"), `${peer}@`);
  }

  /** Appends what the server wrote since the last step. */
  async #collect(out: string[]): Promise<void> {
    await settle();
    for (const [name, client] of this.#clients) {
      const label = name === "" ? "S" : `S[${name}]`;
      for (const write of client.takeWrites()) {
        const challenge = /^data:(_\S+)/.exec(write)?.[1];
        if (challenge !== undefined) this.#challenges.set(name, challenge);
        out.push(`${label}: ${write.replaceAll("\n", "⏎").replaceAll("\r", "␍")}`);
      }
      if (client.isServed || this.#closed.has(name)) continue;
      this.#closed.add(name);
      out.push(`${label}: (closed)`);
    }
  }

  #fill(name: string, text: string): string {
    const challenge = this.#challenges.get(name) ?? "";
    return text.replaceAll("␍", "\r")
      .replaceAll("<sign>", () => signRsaSha256(PKAM.privateKey, challenge))
      .replaceAll("<key>", PKAM.publicKey)
      .replaceAll(
        /<cram (@\w+)>/g,
        (_, atSign: string) => cramDigest(this.#world.secretOf(atSign), challenge),
      );
  }

  #client(name: string): Client {
    const client = this.#clients.get(name);
    assert(client !== undefined, `no connection "${name}"`);
    return client;
  }
}
