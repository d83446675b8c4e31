/**
 * Plays the golden transcripts of `tests/transcripts`: what clients send and each write of the server, byte for byte.
 * Each is played twice: over connections in memory, and over the real TLS listener, where each write must be a record.
 * `UPDATE_GOLDEN=1` rewrites the server's lines; read the diff.
 *
 * A transcript begins with `# PROTOCOL.md: Heading, Heading`: the sections that it shows. `# row: id` marks an exchange
 * for the conformance table (`scripts/conformance.ts`). Other comments are free.
 * `C: text` sends a line, `S: text` is one write (`⏎` LF, `␍` CR, `(closed)` the end); `C[b]:`, `S[b]:` are those of a
 * further connection, as `![b]` is. `! host @a`, `! activate @a @b`, `! enroll @a id {"ns":"rw"}`, `! login @a [id]`, `! open 192.0.2.9 [@sni]`,
 * `! peer @c` (pol as @c succeeds), `! proof` (its next `pol` will), `! advance ms`, `! send text` (no LF), `! state @a id revoked` (an enrollment's; also
 * `expired`), `! reply text` and `! reply error:AT0007 text` (of all foreign atServers from now on), `! keep name`
 * (what the last reply says, or the `enrollmentId` in it, stands for `<name>` from now on).
 * `<sign>`, `<sign512>`, `<cram @a>`, `<key>` stand for a signature of the last challenge, the digest over it, the
 * public key that belongs to the signature; `<otp>` for the last new passcode; `␀` for a NUL.
 */

import { Buffer } from "node:buffer";
import { createPrivateKey, sign } from "node:crypto";
import { AtError, type AtErrorCode, parseAtSign } from "../atprotocol/wire/mod.ts";
import { cramDigest, signRsaSha256 } from "../crypto/mod.ts";
import { encodeUtf8 } from "../encoding/mod.ts";
import { assert, assertEquals } from "../../tests/assert.ts";
import { type Client, PKAM, SIGNING, World } from "../../tests/at_server_world.ts";
import type { EnrollmentState } from "./store/store.ts";
import { TlsWorld } from "../../tests/tls_server_world.ts";

const FOLDER = new URL("../../tests/transcripts/", import.meta.url);
const PROTOCOL = new URL("../../PROTOCOL.md", import.meta.url);
const names = [...Deno.readDirSync(FOLDER)].map((entry) => entry.name)
  .filter((name) => name.endsWith(".txt")).sort();
assert(names.length > 5, "no transcripts found");

for (const name of names) {
  const path = new URL(name, FOLDER);
  const title = name.replace(".txt", "");

  Deno.test(`transcript ${title}`, async () => {
    const golden = await Deno.readTextFile(path);
    const played = await new Player(new World()).play(golden);
    if (Deno.env.get("UPDATE_GOLDEN") === "1") await Deno.writeTextFile(path, played);
    else assertEquals(played.split("\n"), golden.split("\n"));
  });

  Deno.test(`transcript ${title} over TLS`, async () => {
    const golden = await Deno.readTextFile(path);
    const world = await TlsWorld.listen();
    const played = await new Player(world).play(golden, () => world.checkRecords());
    assertEquals(played.split("\n"), golden.split("\n"));
  });
}

Deno.test("every transcript names the sections of PROTOCOL.md that it shows", async () => {
  const headings = new Set(
    (await Deno.readTextFile(PROTOCOL)).split("\n")
      .map((line) => /^#+ (.*)$/.exec(line)?.[1]).filter((heading) => heading !== undefined),
  );
  for (const name of names) {
    const [first = ""] = (await Deno.readTextFile(new URL(name, FOLDER))).split("\n");
    const named = /^# PROTOCOL\.md: (.+)$/.exec(first)?.[1]?.split(", ") ?? [];
    assert(named.length > 0, `${name} begins with "${first}"`);
    for (const heading of splitHeadings(named, headings)) {
      assert(headings.has(heading), `${name} names "${heading}", which PROTOCOL.md does not have`);
    }
  }
});

/** Headings may hold a comma themselves ("noop, info, stats"): joins parts again where that gives one. */
function splitHeadings(parts: readonly string[], headings: ReadonlySet<string>): string[] {
  const found: string[] = [];
  for (let at = 0; at < parts.length;) {
    let end = parts.length;
    while (end > at + 1 && !headings.has(parts.slice(at, end).join(", "))) end--;
    found.push(parts.slice(at, end).join(", "));
    at = end;
  }
  return found;
}

class Player {
  readonly #world: World;
  readonly #clients = new Map<string, Client>();
  readonly #challenges = new Map<string, string>();
  #otp = "";
  readonly #closed = new Set<string>();
  readonly #kept = new Map<string, string>();
  #last = "";

  /** Takes over `world`. */
  constructor(world: World) {
    this.#world = world;
  }

  /** The transcript with the server's lines as they are now. `check` looks at the world before it ends. */
  async play(text: string, check: () => void = () => {}): Promise<string> {
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
    check();
    return out.join("\n");
  }

  async #say(name: string, text: string, out: string[]): Promise<void> {
    if (!this.#clients.has(name)) await this.#open(name, [], out);
    await this.#client(name).send(this.#fill(name, text).replaceAll("⏎", "\n") + "\n");
    await this.#collect(out);
  }

  async #direct(name: string, text: string, out: string[]): Promise<void> {
    const [what = "", ...args] = text.split(" ");
    const [first = "", second] = args.map((arg) => this.#kept.get(arg) ?? arg);
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
      case "proof":
        this.#proveWith(this.#challenges.get(name) ?? "");
        break;
      case "advance":
        this.#world.clock.advance(Number(first));
        break;
      case "state":
        this.#setState(first, second ?? "", args[2] ?? "");
        break;
      case "reply":
        this.#world.peers.onRequest = () => replyOf(text.slice("reply ".length));
        break;
      case "keep":
        this.#kept.set(`<${first}>`, this.#last);
        break;
      case "send":
        await this.#client(name).send(this.#fill(name, text.slice(5)).replaceAll("⏎", "\n"));
        break;
      default:
        throw new Error(`unknown directive: ${text}`);
    }
    await this.#collect(out);
  }

  #setState(atSign: string, id: string, state: string): void {
    const { store, clock } = this.#world;
    const found = store.getEnrollment(parseAtSign(atSign), id);
    assert(found !== null, `no enrollment "${id}"`);
    store.putEnrollment(
      parseAtSign(atSign),
      state === "expired"
        ? { ...found, expiresAt: clock.now() - 1 }
        : { ...found, state: state as EnrollmentState },
    );
  }

  async #open(name: string, [remoteAddress, sni]: string[], out: string[]): Promise<void> {
    this.#clients.set(
      name,
      await this.#world.dial({
        ...(remoteAddress === undefined ? {} : { remoteAddress }),
        ...(sni === undefined ? {} : { sniAtSign: parseAtSign(sni) }),
      }),
    );
    await this.#collect(out);
  }

  async #openQuietly(name: string): Promise<void> {
    this.#clients.set(name, await this.#world.connect());
  }

  /** From now on foreign atServers prove what the challenge asks for: its last part, signed. */
  #proveWith(challenge: string): void {
    const signature = signRsaSha256(SIGNING.privateKey, challenge.split(":").at(-1) ?? "");
    this.#world.peers.onProof = () =>
      Promise.resolve({ signature, signingPublicKey: SIGNING.publicKey });
  }

  /** A foreign atServer's handshake that succeeds. */
  async #proveAs(name: string, peer: string): Promise<void> {
    if (!this.#clients.has(name)) await this.#openQuietly(name);
    const client = this.#client(name);
    this.#proveWith((await client.ask(`from:${peer}`)).split("\n")[0] ?? "");
    assertEquals(await client.ask("pol"), `${peer}@`);
  }

  /** Appends what the server wrote since the last step. */
  async #collect(out: string[]): Promise<void> {
    await this.#world.settle();
    for (const [name, client] of this.#clients) {
      const label = name === "" ? "S" : `S[${name}]`;
      for (const write of client.takeWrites()) {
        const challenge = /^data:((?:proof:)?_\S+)/.exec(write)?.[1];
        if (challenge !== undefined) this.#challenges.set(name, challenge);
        this.#last = /"enrollmentId":"([^"]+)"/.exec(write)?.[1] ??
          /^data:(.*)\n/.exec(write)?.[1] ?? this.#last;
        out.push(`${label}: ${this.#show(write)}`);
      }
      if (client.isServed || this.#closed.has(name)) continue;
      this.#closed.add(name);
      out.push(`${label}: (closed)`);
    }
  }

  /** A write as the transcript has it; a new passcode depends on all the chance before it and is shown by its name. */
  #show(write: string): string {
    const otp = /^data:([A-NP-Z1-9]{6})\n/.exec(write)?.[1];
    if (otp !== undefined && /[1-9]/.test(otp)) this.#otp = otp;
    const shown = otp === undefined || otp !== this.#otp ? write : write.replace(otp, "<otp>");
    return shown.replaceAll("\n", "⏎").replaceAll("\r", "␍");
  }

  #fill(name: string, text: string): string {
    const challenge = this.#challenges.get(name) ?? "";
    return text.replaceAll("␍", "\r").replaceAll("␀", "\0")
      .replaceAll(/<\w+>/g, (mark) => this.#kept.get(mark) ?? mark)
      .replaceAll("<sign512>", () => signRsaSha512(PKAM.privateKey, challenge))
      .replaceAll("<sign>", () => signRsaSha256(PKAM.privateKey, challenge))
      .replaceAll("<key>", PKAM.publicKey)
      .replaceAll("<otp>", this.#otp)
      .replaceAll("<OTP in lower case>", this.#otp.toLowerCase())
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

/** What a foreign atServer says after `data:`, or the refusal that it gives. */
function replyOf(text: string): string {
  const [, code, message = ""] = /^error:(AT\d{4}) (.*)$/.exec(text) ?? [];
  if (code !== undefined) throw new AtError(code as AtErrorCode, message);
  return text;
}

function signRsaSha512(privateKeyBase64: string, text: string): string {
  const key = createPrivateKey({
    key: Buffer.from(privateKeyBase64, "base64"),
    format: "der",
    type: "pkcs8",
  });
  return sign("sha512", encodeUtf8(text), key).toString("base64");
}
