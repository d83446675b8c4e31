/**
 * The atServers of `at_server_world.ts` behind the real TLS listener, on loopback: the same clients, the same clock moved
 * by hand, but each connection is a TLS connection, and the records that the server sends are kept.
 */

import { setImmediate } from "node:timers";
import { openTlsListener, type TlsListener } from "../src/atserver/net/mod.ts";
import type { InboundInfo } from "../src/atserver/mod.ts";
import { type ByteConn, closeQuietly, silentLog } from "../src/base/mod.ts";
import { assert, assertEquals } from "./assert.ts";
import { ANYBODY, Client, World, type WorldOptions } from "./at_server_world.ts";
import { connectTestTls, makeTestCertificates, RecordProxy } from "./tls_client.ts";

/** TLS 1.3 adds a type byte and a 16-byte tag to each record. */
const RECORD_OVERHEAD = 17;
/** A longer write needs more than one record. */
const MAX_RECORD = 16 * 1024;
/** So many turns without a change: nothing is under way any more. */
const QUIET_TURNS = 4;

const certificates = await makeTestCertificates();

export class TlsWorld extends World {
  readonly #links: Link[] = [];
  #listener: TlsListener | null = null;
  #awaited: {
    readonly info: InboundInfo;
    readonly accepted: (far: ServerEnd, served: Promise<void>) => void;
  } | null = null;

  static async listen(options: WorldOptions = {}): Promise<TlsWorld> {
    const world = new TlsWorld(options);
    world.#listener = await openTlsListener({
      listen: { hostname: "127.0.0.1", port: 0 },
      purpose: "test",
      credentials: certificates.leaf,
      log: silentLog,
      serve: (conn) => {
        const awaited = world.#awaited;
        assert(awaited !== null, "a connection that nobody made");
        const far = new ServerEnd(conn);
        const served = world.core.serve(far, awaited.info);
        awaited.accepted(far, served);
        return served;
      },
    });
    return world;
  }

  override async dial(info: Partial<InboundInfo> = {}): Promise<Client> {
    assert(this.#listener !== null);
    const accepted = new Promise<{ far: ServerEnd; served: Promise<void> }>((resolve) =>
      this.#awaited = {
        info: { ...ANYBODY, ...info },
        accepted: (far, served) => resolve({ far, served }),
      }
    );
    const proxy = new RecordProxy(this.#listener.address.port);
    const { conn } = await connectTestTls(proxy.port, certificates.ca.certPem);
    const near = new ClientEnd(conn);
    const { far, served } = await accepted;
    this.#awaited = null;
    this.#links.push({ near, far, proxy });
    return this.adopt(new Client(near, far, served, () => this.settle()));
  }

  /** Waits until what was sent has been read, what was written has arrived, and nothing more happens. */
  override async settle(): Promise<void> {
    let before = "";
    for (let quiet = 0; quiet < QUIET_TURNS;) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      const now = this.#links.map(({ near, far }) => `${near.state} ${far.state}`).join("|");
      const isIdle = this.#links.every(({ near, far }) => far.hasCaughtUp(near));
      quiet = isIdle && now === before ? quiet + 1 : 0;
      before = now;
    }
  }

  /** Checks that each write of the server was a TLS record of its own. */
  checkRecords(): void {
    for (const { far, proxy } of this.#links) {
      if (far.writes.some((write) => write.length > MAX_RECORD)) continue;
      const sizes = far.writes.map((write) => write.length + RECORD_OVERHEAD);
      // in front: the handshake and its tickets; behind: the closing alert
      const end = far.isClosed ? -1 : undefined;
      assertEquals(proxy.records.slice(0, end).slice(-sizes.length), sizes);
    }
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    for (const { near } of this.#links) near.close();
    await super[Symbol.asyncDispose]();
    await this.#listener?.[Symbol.asyncDispose]();
    for (const { proxy } of this.#links) await proxy[Symbol.asyncDispose]();
  }
}

interface Link {
  readonly near: ClientEnd;
  readonly far: ServerEnd;
  readonly proxy: RecordProxy;
}

/** The client's end; closes itself at the end of the stream. */
class ClientEnd implements ByteConn {
  readonly #conn: Deno.TlsConn;
  sent = 0;
  received = 0;
  isGone = false;

  constructor(conn: Deno.TlsConn) {
    this.#conn = conn;
  }

  get state(): string {
    return `${this.sent} ${this.received} ${this.isGone}`;
  }

  async read(into: Uint8Array): Promise<number | null> {
    const n = await this.#conn.read(into).catch(() => null);
    if (n === null) this.close();
    else this.received += n;
    return n;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const n = await this.#conn.write(bytes);
    this.sent += n;
    return n;
  }

  async closeWrite(): Promise<void> {
    await this.#conn.closeWrite();
  }

  close(): void {
    this.isGone = true;
    closeQuietly(this.#conn);
  }
}

/** The server's end; keeps each write and knows what the server is doing with it. */
class ServerEnd implements ByteConn {
  readonly writes: Uint8Array[] = [];
  isClosed = false;
  readonly #conn: ByteConn;
  #read = 0;
  #written = 0;
  #reading = 0;
  #writing = 0;

  constructor(conn: ByteConn) {
    this.#conn = conn;
  }

  get state(): string {
    return `${this.#read} ${this.#written} ${this.#reading} ${this.#writing} ${this.isClosed}`;
  }

  /** All bytes between here and `near` have arrived, or nobody waits for them. */
  hasCaughtUp(near: ClientEnd): boolean {
    if (near.isGone) return true;
    if (this.isClosed) return false; // the end of the stream is on its way
    const hasRead = this.#read === near.sent || this.#reading === 0;
    return hasRead && this.#writing === 0 && this.#written === near.received;
  }

  async read(into: Uint8Array): Promise<number | null> {
    this.#reading++;
    try {
      const n = await this.#conn.read(into);
      this.#read += n ?? 0;
      return n;
    } finally {
      this.#reading--;
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    this.writes.push(bytes.slice());
    this.#writing++;
    try {
      const n = await this.#conn.write(bytes);
      this.#written += n;
      return n;
    } finally {
      this.#writing--;
    }
  }

  async closeWrite(): Promise<void> {
    await this.#conn.closeWrite();
  }

  close(): void {
    this.isClosed = true;
    this.#conn.close();
  }
}
