/** Two control planes with different directories and different authorities, joined only by the network. */

import { assert, assertEquals, assertMatch } from "../../../tests/assert.ts";
import {
  connectTestTls,
  makeTestCertificates,
  type TestPair,
  type TestTlsClient,
} from "../../../tests/tls_client.ts";
import { type Entropy, silentLog, systemClock, systemEntropy } from "../../base/mod.ts";
import { type AtSign, type HostPort, parseAtSign } from "../../atprotocol/wire/mod.ts";
import { cramDigest } from "../../crypto/mod.ts";
import { AtServerCore } from "../core.ts";
import { makeLeaf } from "../net/certificate_maker.ts";
import { DirectoryServer, openTlsListener, type TlsListener } from "../net/mod.ts";
import { openSqliteStore } from "../store/sqlite_store.ts";
import { TlsPeerGateway } from "./tls_peer_gateway.ts";

const ALICE = parseAtSign("@alice");
const BOB = parseAtSign("@bob");

/** Made before the tests, since making one takes a while. */
const signingKeys = [await systemEntropy.rsaKeyPair(), await systemEntropy.rsaKeyPair()];
const entropyOf = (atSign: AtSign): Entropy => ({
  ...systemEntropy,
  rsaKeyPair: () => Promise.resolve(signingKeys[atSign === ALICE ? 0 : 1] ?? noKeys()),
});

function noKeys(): never {
  throw new Error("no keys were made");
}

/** A directory, made first so that the other plane can be told where it is. */
class TestDirectory implements AsyncDisposable {
  readonly entries = new Map<AtSign, HostPort>();
  lookups = 0;
  #listener: TlsListener | undefined;

  async open(credentials: TestPair): Promise<this> {
    const directory = new DirectoryServer({
      resolve: (atSign) => {
        this.lookups++;
        return this.entries.get(atSign) ?? null;
      },
      clock: systemClock,
      log: silentLog,
    });
    this.#listener = await openTlsListener({
      listen: { hostname: "127.0.0.1", port: 0 },
      purpose: "atDirectory",
      credentials,
      log: silentLog,
      serve: (conn, peer) => directory.serve(conn, peer.remoteAddress),
    });
    return this;
  }

  get address(): HostPort {
    return { host: "localhost", port: this.#listener?.address.port ?? 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener?.[Symbol.asyncDispose]();
  }
}

interface Plane {
  readonly port: number;
  readonly caPem: string;
  readonly core: AtServerCore;
  readonly gateway: TlsPeerGateway;
  /** Logged in as the plane's atSign. */
  readonly owner: TestTlsClient;
  /** Certificate names of the connections that came in. */
  readonly seen: (readonly string[] | null)[];
}

interface PlaneOptions {
  readonly atSign: AtSign;
  readonly certificates: { ca: TestPair; leaf: TestPair };
  /** Where it looks others up. */
  readonly peers: TestDirectory;
  readonly foreignCa: TestPair;
  readonly shownCertificate?: TestPair;
}

async function openPlane(options: PlaneOptions, owned: AsyncDisposableStack): Promise<Plane> {
  const { atSign, certificates: { ca, leaf } } = options;
  const store = owned.use(openSqliteStore(":memory:"));
  const seen: (readonly string[] | null)[] = [];
  const gateway = new TlsPeerGateway({
    directory: options.peers.address,
    caCerts: [options.foreignCa.certPem],
    certificate: () => options.shownCertificate ?? leaf,
    publishProof: (as, proofKey, challenge) => core.publishProof(as, proofKey, challenge),
    clock: systemClock,
    log: silentLog,
  });
  const core: AtServerCore = new AtServerCore({
    store,
    peers: gateway,
    clock: systemClock,
    entropy: entropyOf(atSign),
    log: silentLog,
    version: "test",
  });
  owned.use(core);
  owned.use(gateway);
  const listener = owned.use(
    await openTlsListener({
      listen: { hostname: "127.0.0.1", port: 0 },
      purpose: "atServers",
      credentials: leaf,
      clientCas: [ca.certPem, options.foreignCa.certPem],
      log: silentLog,
      serve: (conn, peer) => {
        seen.push(peer.certificateNames);
        return core.serve(conn, {
          remoteAddress: peer.remoteAddress,
          sniAtSign: null,
          peerCertificateNames: peer.certificateNames,
        });
      },
    }),
  );
  core.start();
  const { port } = listener.address;
  const owner = owned.use(await logIn(port, ca.certPem, atSign, core.addAtSign(atSign)));
  return { port, caPem: ca.certPem, core, gateway, owner, seen };
}

async function logIn(
  port: number,
  caPem: string,
  atSign: AtSign,
  code: string,
): Promise<TestTlsClient> {
  const client = await connectTestTls(port, caPem);
  assertEquals(await client.chunk(), "@");
  const challenge = (await ask(client, `from:${atSign}`)).slice("data:".length, -"\n@".length);
  assertEquals(
    await ask(client, `cram:${cramDigest(code, challenge)}`),
    `data:success\n${atSign}@`,
  );
  return client;
}

async function ask(client: TestTlsClient, command: string): Promise<string> {
  await client.send(`${command}\n`);
  const reply = await client.until("@");
  return reply;
}

/** Alice's plane and Bob's plane; each looks the other up in the other's directory. */
async function withTwoPlanes(
  test: (a: Plane, b: Plane, directories: { a: TestDirectory; b: TestDirectory }) => Promise<void>,
  change: { shownByAlice?: (ownCa: TestPair) => Promise<TestPair> } = {},
): Promise<void> {
  await using owned = new AsyncDisposableStack();
  const [forA, forB] = [await makeTestCertificates(), await makeTestCertificates()];
  const directoryA = owned.use(await new TestDirectory().open(forA.leaf));
  const directoryB = owned.use(await new TestDirectory().open(forB.leaf));
  const shown = await change.shownByAlice?.(forA.ca);
  const a = await openPlane({
    atSign: ALICE,
    certificates: forA,
    peers: directoryB,
    foreignCa: forB.ca,
    ...(shown === undefined ? {} : { shownCertificate: shown }),
  }, owned);
  const b = await openPlane(
    { atSign: BOB, certificates: forB, peers: directoryA, foreignCa: forA.ca },
    owned,
  );
  directoryA.entries.set(ALICE, { host: "localhost", port: a.port });
  directoryB.entries.set(BOB, { host: "localhost", port: b.port });
  await test(a, b, { a: directoryA, b: directoryB });
}

Deno.test("plookup reads a public key of an atSign on another server", () =>
  withTwoPlanes(async (a, b, directories) => {
    assertMatch(await ask(b.owner, "update:public:publickey@bob MIIBob"), /^data:\d+/);
    assertEquals(await ask(a.owner, "plookup:publickey@bob"), "data:MIIBob\n@alice@");
    const all = await ask(a.owner, "plookup:bypassCache:true:all:publickey@bob");
    assertMatch(all, /"key":"public:publickey@bob"/);
    assertMatch(
      await ask(a.owner, "plookup:bypassCache:true:nokey@bob"),
      /^error:AT0015-key not found : /,
    );
    assertEquals(directories.b.lookups, 1); // the address is kept
  }));

Deno.test("lookup reads what another server's atSign shares with us, and only that", () =>
  withTwoPlanes(async (a, b) => {
    await ask(b.owner, "update:@alice:phone.wavi@bob secret-for-alice");
    await ask(b.owner, "update:@carol:phone.wavi@bob secret-for-carol");
    assertEquals(await ask(a.owner, "lookup:phone.wavi@bob"), "data:secret-for-alice\n@alice@");
    assertMatch(await ask(a.owner, "lookup:other.wavi@bob"), /^error:AT0015-key not found : /);
    assertEquals(await ask(a.owner, "scan:@bob"), 'data:["phone.wavi@bob"]\n@alice@');
  }));

Deno.test("a new connection to another server brings its atSign's public key along", () =>
  withTwoPlanes(async (a, b) => {
    await ask(b.owner, "update:public:publickey@bob MIIBob");
    await ask(b.owner, "update:@alice:phone.wavi@bob secret-for-alice");
    assertMatch(await ask(a.owner, "stats:2"), /"value":"0"\}\]\n/);
    await ask(a.owner, "lookup:phone.wavi@bob");
    assertEquals(
      await ask(a.owner, "llookup:cached:public:publickey@bob"),
      "data:MIIBob\n@alice@",
    );
    assertMatch(await ask(a.owner, "stats:2"), /"value":"1"\}\]\n/);
  }));

Deno.test("a blocked atSign's server is turned away", () =>
  withTwoPlanes(async (a, b) => {
    await ask(b.owner, "update:@alice:phone.wavi@bob secret-for-alice");
    await ask(b.owner, "config:block:add:@alice");
    assertMatch(await ask(a.owner, "lookup:phone.wavi@bob"), /^error:AT0013-Connection Exception/);
    assertMatch(await ask(a.owner, "scan:@bob"), /^error:AT0013-Connection Exception/);
    assertEquals(await ask(a.owner, "noop:0"), "data:ok\n@alice@");
    await ask(b.owner, "config:block:remove:@alice");
    assertEquals(await ask(a.owner, "lookup:phone.wavi@bob"), "data:secret-for-alice\n@alice@");
  }));

Deno.test("both planes can look each other up at the same time", () =>
  withTwoPlanes(async (a, b) => {
    await ask(b.owner, "update:@alice:phone.wavi@bob b");
    await ask(a.owner, "update:@bob:phone.wavi@alice a");
    const [fromB, fromA] = await Promise.all([
      ask(a.owner, "lookup:phone.wavi@bob"),
      ask(b.owner, "lookup:phone.wavi@alice"),
    ]);
    assertEquals([fromB, fromA], ["data:b\n@alice@", "data:a\n@bob@"]);
  }));

Deno.test("a notification reaches a monitor on another server, with its proven sender", () =>
  withTwoPlanes(async (a, b) => {
    await b.owner.send("monitor\n");
    await b.owner.send("noop:0\n");
    await b.owner.until("data:ok\n");
    const value = "ciphertext: with @ and :";
    const id = "c0ffee01-0000-4000-8000-000000000001";
    assertEquals(
      await ask(a.owner, `notify:id:${id}:update:ttln:60000:@bob:ping.web01.sshnp@alice:${value}`),
      `data:${id}\n@alice@`,
    );
    let lines = "";
    while (!lines.includes(id)) lines += await b.owner.chunk();
    const line = lines.split("\n").find((text) => text.includes(id)) ?? "";
    const notification = JSON.parse(line.slice("notification: ".length));
    assertEquals([notification.from, notification.to], ["@alice", "@bob"]);
    assertEquals(notification.key, "@bob:ping.web01.sshnp@alice");
    assertEquals(notification.value, value);
  }));

Deno.test("pol is refused to one who does not run the atSign's real server", () =>
  withTwoPlanes(async (_a, b) => {
    using stranger = await connectTestTls(b.port, b.caPem);
    await stranger.chunk();
    await ask(stranger, "lookup:all:publickey@bob");
    assertMatch(await ask(stranger, "from:@alice"), /^data:proof:_[^:]+@alice:[^:]+\n@$/);
    assertMatch(await ask(stranger, "pol"), /^error:AT0\d{3}-Exception: /);
    assertMatch(await ask(stranger, "scan"), /^data:\[\]\n@$/); // still a stranger
  }));

Deno.test("a peer's certificate is checked against the directory when it presents one", async () => {
  await withTwoPlanes(async (a, b) => {
    await ask(b.owner, "update:@alice:phone.wavi@bob x");
    assertEquals(await ask(a.owner, "lookup:phone.wavi@bob"), "data:x\n@alice@");
    assert(b.seen.some((names) => names?.includes("localhost")), "alice's server showed it");
  });
  const other = await makeTestCertificates(["evil.example"]);
  const unknown = () => Promise.resolve(other.leaf); // of an authority that Bob does not know
  await withTwoPlanes(async (a, b) => {
    await ask(b.owner, "update:@alice:phone.wavi@bob x");
    assertEquals(await ask(a.owner, "lookup:phone.wavi@bob"), "data:x\n@alice@");
    assertEquals(b.seen.filter((names) => names !== null), []);
  }, { shownByAlice: unknown });
  const dependencies = { clock: systemClock, entropy: systemEntropy };
  const misnamed = (ownCa: TestPair) => makeLeaf(["evil.example"], ownCa, dependencies);
  await withTwoPlanes(async (a, b) => {
    await ask(b.owner, "update:@alice:phone.wavi@bob x");
    assertMatch(await ask(a.owner, "lookup:phone.wavi@bob"), /^error:AT0401-/);
  }, { shownByAlice: misnamed });
});

Deno.test("unknown, unreachable and untrusted peers are told apart", () =>
  withTwoPlanes(async (a, _b, directories) => {
    assertEquals(
      await ask(a.owner, "plookup:publickey@nobody"),
      "error:AT0007-Secondary server not found : Unable to find secondary address for " +
        "atSign:nobody\n@alice@",
    );
    const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = closed.addr;
    closed.close();
    directories.b.entries.set(parseAtSign("@down"), { host: "localhost", port });
    assertMatch(await ask(a.owner, "plookup:publickey@down"), /^error:AT0021-/);
    // Alice's own server stands in for one whose authority Alice's gateway does not know
    directories.b.entries.set(parseAtSign("@untrusted"), { host: "localhost", port: a.port });
    assertMatch(await ask(a.owner, "plookup:publickey@untrusted"), /^error:AT0021-/);
  }));

Deno.test("a peer that moved is found again", () =>
  withTwoPlanes(async (a, b, directories) => {
    await ask(b.owner, "update:public:phone.wavi@bob 1");
    const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    directories.b.entries.set(BOB, { host: "localhost", port: closed.addr.port });
    closed.close();
    assertMatch(await ask(a.owner, "plookup:bypassCache:true:phone.wavi@bob"), /^error:AT0021-/);
    directories.b.entries.set(BOB, { host: "localhost", port: b.port });
    assertEquals(await ask(a.owner, "plookup:bypassCache:true:phone.wavi@bob"), "data:1\n@alice@");
  }));

Deno.test("without a peer directory every foreign atSign is unknown", async () => {
  await using gateway = new TlsPeerGateway({
    directory: null,
    caCerts: [],
    certificate: () => ({ certPem: "", keyPem: "" }),
    publishProof: () => Promise.reject(new Error("not asked")),
    clock: systemClock,
    log: silentLog,
  });
  for (
    const call of [
      () => gateway.request(BOB, null, "scan\n", 1000),
      () => gateway.request(BOB, ALICE, "scan\n", 1000),
      () => gateway.fetchProof(BOB, "_x"),
      () => gateway.hostName(BOB),
    ]
  ) {
    const error = await call().then(() => null, (thrown) => thrown);
    assertEquals(error?.code, "AT0007");
  }
});

Deno.test("disposing the gateway ends requests to a peer that says nothing", async () => {
  const { ca, leaf } = await makeTestCertificates();
  await using directory = await new TestDirectory().open(leaf);
  const silent = Promise.withResolvers<void>();
  await using listener = await openTlsListener({
    listen: { hostname: "127.0.0.1", port: 0 },
    purpose: "silent",
    credentials: leaf,
    log: silentLog,
    serve: async (conn) => {
      silent.resolve();
      await conn.read(new Uint8Array(1));
    },
  });
  directory.entries.set(BOB, { host: "localhost", port: listener.address.port });
  const gateway = new TlsPeerGateway({
    directory: directory.address,
    caCerts: [ca.certPem],
    certificate: () => leaf,
    publishProof: () => Promise.resolve(),
    clock: systemClock,
    log: silentLog,
  });
  const started = performance.now();
  const request = gateway.request(BOB, null, "scan\n", 60_000).then(() => null, (error) => error);
  const proof = gateway.fetchProof(BOB, "_x").then(() => null, (error) => error);
  await silent.promise;
  await gateway[Symbol.asyncDispose]();
  assert(await request instanceof Error && await proof instanceof Error);
  assert(performance.now() - started < 2_000);
});
