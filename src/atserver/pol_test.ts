import { assert, assertEquals, assertMatch } from "../../tests/assert.ts";
import { settle, SIGNING, World } from "../../tests/at_server_world.ts";
import { AtError } from "../atprotocol/wire/mod.ts";
import { signRsaSha256 } from "../crypto/mod.ts";

Deno.test("pol asks for the proof of this very session and challenge", async () => {
  await using world = new World();
  await world.activate("@alice");
  const asked: string[] = [];
  const client = await world.connect();
  const proof = (await client.ask("from:@bob")).slice("data:proof:".length, -2);
  const [session, challenge = ""] = proof.split(":");
  world.peers.onProof = (peer, sessionId) => {
    asked.push(`${sessionId}${peer}`);
    return Promise.resolve({
      signature: signRsaSha256(SIGNING.privateKey, challenge),
      signingPublicKey: SIGNING.publicKey,
    });
  };
  assertEquals(await client.ask("pol"), "@bob@");
  assertEquals(asked, [session]);
  assertMatch(await client.ask("scan"), /^data:\[\]\n@bob@$/, "bound to no atSign");
});

Deno.test("pol refuses a signature over anything else", async () => {
  await using world = new World();
  const client = await world.connect();
  const proof = (await client.ask("from:@bob")).slice("data:proof:".length, -2);
  world.peers.onProof = () =>
    Promise.resolve({
      signature: signRsaSha256(SIGNING.privateKey, proof), // not the bare challenge
      signingPublicKey: SIGNING.publicKey,
    });
  assertEquals(await client.ask("pol"), "error:AT0401-Exception: Pol Authentication Failed\n@");
});

Deno.test("pol gives up after 3 s, and says what the peer's server said", async () => {
  await using world = new World();
  const client = await world.connect();
  await client.ask("from:@bob");
  world.peers.onProof = () => Promise.withResolvers<never>().promise;
  await client.send("pol\n");
  await settle();
  world.clock.advance(3_000);
  await settle();
  assertMatch(client.takeWrites().join(), /^error:AT0023-Exception: /);
  await client.ask("from:@bob");
  world.peers.onProof = () => Promise.reject(new AtError("AT0007", "Unable to find it"));
  assertEquals(await client.ask("pol"), "error:AT0007-Exception: Unable to find it\n@");
  assertEquals(await client.ask("noop:0"), "data:ok\n@");
});

Deno.test("a challenge for a peer lives 60 s and ends the connection when it is stale", async () => {
  await using world = new World();
  const client = await world.connect();
  await client.ask("from:@bob");
  world.clock.advance(60_001);
  await client.send("pol\n");
  await settle();
  assertMatch(client.takeWrites().join(), /^error:AT0011-Exception: pol without from/);
  assert(!client.isServed);
});

Deno.test("a client certificate that names another host than the directory is refused", async () => {
  await using world = new World();
  world.peers.hostName = () => Promise.resolve("b1.example.org");
  const rows: [string[] | null, boolean][] = [
    [null, true],
    [["b1.example.org"], true],
    [["other.example.org", "*.example.org"], true],
    [["other.example.org"], false],
    [["*.org"], false],
    [[], false],
  ];
  for (const [peerCertificateNames, isTaken] of rows) {
    const client = await world.connect({ peerCertificateNames });
    const answer = await client.ask("from:@bob");
    if (isTaken) assertMatch(answer, /^data:proof:/);
    else assertEquals(answer, "error:AT0401-Exception: Certificate Verification Failed\n@");
  }
});

Deno.test("one foreign atSign's server has a cap of connections", async () => {
  await using world = new World({ limits: { connectionsPerPeer: 1 } });
  const logIn = async (): Promise<string> => {
    const client = await world.connect();
    const challenge = (await client.ask("from:@bob")).slice(0, -2).split(":").at(-1) ?? "";
    world.peers.onProof = () =>
      Promise.resolve({
        signature: signRsaSha256(SIGNING.privateKey, challenge),
        signingPublicKey: SIGNING.publicKey,
      });
    return await client.ask("pol");
  };
  assertEquals(await logIn(), "@bob@");
  assertEquals(await logIn(), "error:AT0012-Inbound connection limit exceeded\n");
});
