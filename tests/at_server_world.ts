/**
 * atServers in memory for tests: a clock that is moved by hand, chance that repeats itself, peers that answer from a
 * script, and clients that see each write of the server by itself.
 */

import { setImmediate } from "node:timers";
import vectors from "./vectors/atclient.json" with { type: "json" };
import {
  AtServerCore,
  type InboundInfo,
  type Limits,
  type PeerGateway,
} from "../src/atserver/mod.ts";
import { openSqliteStore, type Store } from "../src/atserver/mod.ts";
import { AtError, type AtSign, parseAtSign } from "../src/atprotocol/wire/mod.ts";
import {
  type ByteConn,
  closeQuietly,
  type Entropy,
  type Log,
  ManualClock,
  silentLog,
} from "../src/base/mod.ts";
import { cramDigest, signRsaSha256 } from "../src/crypto/mod.ts";
import { encodeUtf8 } from "../src/encoding/mod.ts";
import { assert, assertEquals } from "./assert.ts";
import { memoryConnPair } from "./memory_conn.ts";

export const KEYS = vectors.keys;
/** What the tests log in with. */
export const PKAM = {
  publicKey: KEYS.alicePkam.publicKeySpkiBase64,
  privateKey: KEYS.alicePkam.privateKeyPkcs8Base64,
};
/** What the servers sign with, made at no cost. */
export const SIGNING = {
  publicKey: KEYS.deviceApkam.publicKeySpkiBase64,
  privateKey: KEYS.deviceApkam.privateKeyPkcs8Base64,
};

/** UUIDs and bytes that count up, the same in every run. */
export class CountingEntropy implements Entropy {
  #uuids = 0;
  #bytes = 0;
  /** Key pairs handed out. */
  pairs = 0;

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(length).fill(++this.#bytes);
  }

  uuid(): string {
    return `00000000-0000-4000-8000-${(++this.#uuids).toString().padStart(12, "0")}`;
  }

  rsaKeyPair(): Promise<{ publicKey: string; privateKey: string }> {
    this.pairs++;
    return Promise.resolve(SIGNING);
  }
}

/** One request that a scripted peer gets. */
export interface PeerRequest {
  readonly peer: AtSign;
  readonly as: AtSign | null;
  readonly line: string;
}

/** Peers that answer as `onRequest` says; by default none is reachable. */
export class ScriptedPeers implements PeerGateway {
  readonly requests: PeerRequest[] = [];
  onRequest: (request: PeerRequest) => string | Promise<string> = () => {
    throw new AtError("AT0021", "Unable to connect to secondary");
  };
  onProof: PeerGateway["fetchProof"] = () => {
    throw new AtError("AT0021", "Unable to connect to secondary");
  };
  hostName?: (peer: AtSign) => Promise<string>;
  onPublicKey?: NonNullable<PeerGateway["onPublicKey"]>;

  async request(peer: AtSign, as: AtSign | null, line: string): Promise<string> {
    const request = { peer, as, line };
    this.requests.push(request);
    return await this.onRequest(request);
  }

  async fetchProof(
    peer: AtSign,
    sessionId: string,
  ): Promise<{ signature: string; signingPublicKey: string }> {
    return await this.onProof(peer, sessionId);
  }
}

export interface WorldOptions {
  readonly limits?: Partial<Limits>;
  readonly store?: Store;
  readonly log?: Log;
}

/** A client of which nothing is known. */
export const ANYBODY: InboundInfo = {
  remoteAddress: "192.0.2.1",
  sniAtSign: null,
  peerCertificateNames: null,
};

/** One set of atServers; the test's owner disposes it. */
export class World implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly entropy = new CountingEntropy();
  readonly peers = new ScriptedPeers();
  readonly store: Store;
  readonly core: AtServerCore;
  readonly #ownsStore: boolean;
  readonly #clients: Client[] = [];
  readonly #secrets = new Map<AtSign, string>();

  constructor(options: WorldOptions = {}) {
    this.#ownsStore = options.store === undefined;
    this.store = options.store ?? openSqliteStore(":memory:");
    this.core = new AtServerCore({
      store: this.store,
      peers: this.peers,
      clock: this.clock,
      entropy: this.entropy,
      log: options.log ?? silentLog,
      version: "3.0.52",
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.core[Symbol.asyncDispose]();
    for (const client of this.#clients) await client.end();
    if (this.#ownsStore) this.store[Symbol.dispose]();
  }

  /** Adds an atSign; returns its activation code. */
  host(atSign: string): string {
    const secret = this.core.addAtSign(parseAtSign(atSign));
    this.#secrets.set(parseAtSign(atSign), secret);
    return secret;
  }

  secretOf(atSign: string): string {
    return this.#secrets.get(parseAtSign(atSign)) ?? "";
  }

  /** Adds atSigns that can log in with `PKAM`, each with a public key of its own. */
  async activate(...atSigns: string[]): Promise<void> {
    for (const text of atSigns) {
      const atSign = parseAtSign(text);
      const secret = this.host(atSign);
      const client = await this.connect();
      const challenge = (await client.ask(`from:${atSign}`)).slice("data:".length, -2);
      assertEquals(
        await client.ask(`cram:${cramDigest(secret, challenge)}`),
        `data:success\n${atSign}@`,
      );
      await client.ask(`update:privatekey:at_pkam_publickey ${PKAM.publicKey}`);
      await client.ask(`update:public:publickey${atSign} publickey-of-${atSign.slice(1)}`);
      await client.ask("delete:privatekey:at_secret");
      await client.end();
    }
  }

  /** Stores an approved enrollment whose key is `PKAM`. */
  enroll(atSign: string, id: string, namespaces: Record<string, "r" | "rw">): void {
    this.store.putEnrollment(parseAtSign(atSign), {
      id,
      sessionId: "_test",
      appName: id,
      deviceName: "test",
      namespaces,
      apkamPublicKey: PKAM.publicKey,
      encryptedApkamSymmetricKey: null,
      state: "approved",
      createdAt: this.clock.now(),
      expiresAt: null,
    });
  }

  /** Lets everything happen that needs nothing from outside. */
  async settle(): Promise<void> {
    await settle();
  }

  /** A new connection, however this world makes them. */
  dial(info: Partial<InboundInfo> = {}): Promise<Client> {
    return Promise.resolve(this.open(info));
  }

  /** A new connection whose greeting has been checked. */
  async connect(info: Partial<InboundInfo> = {}): Promise<Client> {
    const client = await this.dial(info);
    await this.settle();
    assertEquals(client.takeWrites(), ["@"]);
    return client;
  }

  /** A new connection. */
  open(info: Partial<InboundInfo> = {}, bufferBytes?: number): Client {
    const [near, far] = memoryConnPair(bufferBytes);
    const served = this.core.serve(far, { ...ANYBODY, ...info });
    return this.adopt(new Client(near, far, served));
  }

  /** Ends `client` with this world. */
  protected adopt(client: Client): Client {
    this.#clients.push(client);
    return client;
  }

  /** A connection logged in as `atSign`, with the enrollment `id` when it is given. */
  async login(atSign: string, id?: string): Promise<Client> {
    const client = await this.connect();
    await client.login(atSign, id);
    return client;
  }
}

/** The client's end of a connection; reads all the time unless it is stalled. */
export class Client {
  readonly #near: ByteConn;
  readonly #far: { readonly writes: readonly Uint8Array[] };
  readonly #settle: () => Promise<void>;
  readonly #served: Promise<void>;
  readonly #received: Uint8Array[] = [];
  #seen = 0;
  #isStalled = false;
  #resume: (() => void) | null = null;
  #ended = false;
  readonly #reading: Promise<void>;
  /** False once the server has let go of the connection. */
  isServed = true;

  /** Takes over `near`; `far` is the server's end, which keeps what it writes. */
  constructor(
    near: ByteConn,
    far: { readonly writes: readonly Uint8Array[] },
    served: Promise<void>,
    settled: () => Promise<void> = settle,
  ) {
    this.#near = near;
    this.#far = far;
    this.#settle = settled;
    this.#served = served.then(() => {
      this.isServed = false;
    });
    this.#reading = this.#drain();
  }

  /** Takes one more chunk, then stops reading. */
  stall(): void {
    this.#isStalled = true;
  }

  resume(): void {
    this.#isStalled = false;
    this.#resume?.();
  }

  /** Sends what it is given as it is, in one chunk where that fits. */
  async send(text: string | Uint8Array): Promise<void> {
    const bytes = typeof text === "string" ? encodeUtf8(text) : text;
    for (let at = 0; at < bytes.length && this.isServed;) {
      const piece = bytes.subarray(at, at + 64 * 1024);
      at += await this.#near.write(piece).catch(() => bytes.length);
    }
  }

  /** Sends one line; gives the one write that answers it. */
  async ask(line: string): Promise<string> {
    await this.send(`${line}\n`);
    await this.#settle();
    const writes = this.takeWrites();
    assertEquals(writes.length, 1, `writes after ${line.slice(0, 60)}: ${JSON.stringify(writes)}`);
    return writes[0] ?? "";
  }

  /** The server's writes since the last call, each by itself. */
  takeWrites(): string[] {
    const writes = this.#far.writes.slice(this.#seen);
    this.#seen = this.#far.writes.length;
    return writes.map((bytes) => new TextDecoder().decode(bytes));
  }

  /** All bytes that were read here. */
  received(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#received.flatMap((chunk) => [...chunk]));
  }

  async login(atSign: string, id?: string): Promise<void> {
    await this.#settle();
    this.takeWrites();
    const challenge = (await this.ask(`from:${atSign}`)).split("\n")[0]?.slice("data:".length) ??
      "";
    const enrollment = id === undefined ? "" : `enrollmentId:${id}:`;
    const answer = await this.ask(`pkam:${enrollment}${signRsaSha256(PKAM.privateKey, challenge)}`);
    assert(answer.startsWith("data:success\n"), answer);
  }

  async halfClose(): Promise<void> {
    await this.#near.closeWrite();
  }

  /** Closes, and waits until the server has let go. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.resume();
    closeQuietly(this.#near);
    await this.#served;
    await this.#reading;
  }

  async #drain(): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (let n = await this.#near.read(buffer); n !== null; n = await this.#near.read(buffer)) {
        this.#received.push(buffer.slice(0, n));
        while (this.#isStalled) await new Promise<void>((resolve) => this.#resume = resolve);
      }
    } catch {
      // closed by the test
    }
  }
}

/** Lets everything that is ready run: nothing in these tests waits for the outside. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
