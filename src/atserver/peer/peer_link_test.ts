import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { memoryConnPair } from "../../../tests/memory_conn.ts";
import { writeAll } from "../../base/mod.ts";
import { AtError, parseAtSign } from "../../atprotocol/wire/mod.ts";
import { LinkLostError, PeerLink } from "./peer_link.ts";

const ALICE = parseAtSign("@alice");
const BOB = parseAtSign("@bob");
const PROOF = "data:proof:_9c1d7a52-3c11@alice:0b9f3a5e-7a34\n@";

/**
 * Runs `talk` against a peer that answers by `script`: pairs of the line it expects and the chunks it writes. A script
 * that is at its end closes the connection.
 */
async function withPeer(
  script: readonly (readonly [string, ...string[]])[],
  talk: (link: PeerLink) => Promise<void>,
  options: { greeting?: string; maxReplyChars?: number } = {},
): Promise<void> {
  const [ours, theirs] = memoryConnPair();
  const link = new PeerLink(ours, options.maxReplyChars);
  const peer = (async () => {
    const write = (text: string) => writeAll(theirs, new TextEncoder().encode(text));
    await write(options.greeting ?? "@");
    const buffer = new Uint8Array(1000);
    for (const [line, ...chunks] of script) {
      const n = await theirs.read(buffer);
      assertEquals(new TextDecoder().decode(buffer.subarray(0, n ?? 0)), line);
      for (const chunk of chunks) await write(chunk);
    }
    if (script.length > 0) theirs.close();
  })();
  try {
    await talk(link);
  } finally {
    link.close();
    await peer.catch((error) => {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    });
  }
}

const HELLO = ["lookup:all:publickey@bob\n", 'data:{"data":"MIIB"}\n@'] as const;

Deno.test("PeerLink asks and gives the text after data:", () =>
  withPeer([
    HELLO,
    ["lookup:all:phone.wavi@bob\n", 'data:{"data":"1"}\n@'],
    ["scan\n", "data: []\n@"],
  ], async (link) => {
    await link.greet(BOB);
    assertEquals(await link.ask("lookup:all:phone.wavi@bob\n", 1000), '{"data":"1"}');
    assertEquals(await link.ask("scan\n", 1000), "[]");
  }));

Deno.test("PeerLink reads replies however they are cut, and prompts that come late", () =>
  withPeer([
    ["lookup:all:publickey@bob\n", "error:AT0015-Exception: nothing\n"],
    ["one\n", "@", "da", "ta:", "1", "\r\n"],
    ["two\n", "@data:2\n@ali"],
    ["three\n", "ce@data:3\n"],
  ], async (link) => {
    await link.greet(BOB);
    assertEquals(await link.ask("one\n", 1000), "1");
    assertEquals(await link.ask("two\n", 1000), "2");
    assertEquals(await link.ask("three\n", 1000), "3");
  }));

Deno.test("PeerLink hands on a peer's refusal with its code, and goes on", () =>
  withPeer([
    HELLO,
    ["a\n", "error:AT0015-Exception: @alice:a@bob does not exist in keystore\n@alice@"],
    ["b\n", 'error:{"errorCode":"AT0009","errorDescription":"no"}\n@alice@'],
    ["c\n", "error:AT9999-from the future\n@alice@"],
    ["d\n", "data:4\n@alice@"],
  ], async (link) => {
    await link.greet(BOB);
    await assertRejects(() => link.ask("a\n", 1000), AtError, {
      code: "AT0015",
      message: "Exception: @alice:a@bob does not exist in keystore",
    });
    await assertRejects(() => link.ask("b\n", 1000), AtError, { code: "AT0009", message: "no" });
    await assertRejects(() => link.ask("c\n", 1000), AtError, { code: "AT0011" });
    assertEquals(await link.ask("d\n", 1000), "4");
  }));

Deno.test("PeerLink proves an atSign: publish between from and pol", () =>
  withPeer([
    HELLO,
    ["from:@alice\n", PROOF],
    ["pol\n", "@alice@"],
    ["scan\n", "data:[]\n@alice@"],
  ], async (link) => {
    const published: string[][] = [];
    await link.greet(BOB);
    await link.prove(ALICE, (...proof) => {
      published.push(proof);
      return Promise.resolve();
    });
    assertEquals(published, [["@alice", "_9c1d7a52-3c11@alice", "0b9f3a5e-7a34"]]);
    assertEquals(await link.ask("scan\n", 1000), "[]");
  }));

Deno.test("PeerLink understands a pol result in pieces and after a late prompt", async () => {
  for (const chunks of [["@", "alice@"], ["@@alice@"], ["@", "@al", "ice@"]]) {
    await withPeer([
      HELLO,
      ["from:@alice\n", PROOF.slice(0, -1)],
      ["pol\n", ...chunks],
    ], async (link) => {
      await link.greet(BOB);
      await link.prove(ALICE, () => Promise.resolve());
    });
  }
});

Deno.test("PeerLink reports a refused pol", () =>
  withPeer([
    HELLO,
    ["from:@alice\n", PROOF],
    ["pol\n", "error:AT0401-Exception: Pol Authentication Failed\n@"],
  ], async (link) => {
    await link.greet(BOB);
    await assertRejects(() => link.prove(ALICE, () => Promise.resolve()), AtError, {
      code: "AT0401",
    });
  }));

Deno.test("PeerLink publishes nothing but a session's proof, whatever the peer asks for", async () => {
  for (
    const proof of [
      "data:proof:publickey@alice:0b9f",
      "data:proof:public:publickey@alice:0b9f",
      "data:proof:_9c1d.wavi@alice:0b9f",
      "data:proof:_9c1d@eve:0b9f",
      "data:proof:_9c1d@alice:",
      "data:proof:_9c1d@alice:two words",
      `data:proof:_${"x".repeat(65)}@alice:0b9f`,
      "data:_9c1d@alice:0b9f",
      "data:",
    ]
  ) {
    await withPeer([HELLO, ["from:@alice\n", `${proof}\n@`]], async (link) => {
      await link.greet(BOB);
      await assertRejects(
        () => link.prove(ALICE, () => Promise.reject(new Error("published"))),
        AtError,
        { code: "AT0008" },
      );
    });
  }
});

Deno.test("PeerLink closes on silence with AT0023", () =>
  withPeer([], async (link) => {
    await assertRejects(() => link.ask("scan\n", 20), AtError, { code: "AT0023" });
    assert(link.closed);
    await assertRejects(() => link.ask("scan\n", 20), LinkLostError);
  }));

Deno.test("PeerLink closes on what is no reply, on garbage and on too much", async () => {
  for (
    const [chunk, code] of [
      ["hello\n", "AT0008"],
      ["notification: {}\n", "AT0008"],
      ["data:\uFFFD\n", null],
      ["x".repeat(2000), "AT0005"],
    ] as const
  ) {
    await withPeer([HELLO, ["scan\n", chunk]], async (link) => {
      await link.greet(BOB);
      if (code === null) assertEquals(await link.ask("scan\n", 1000), "\uFFFD");
      else {
        await assertRejects(() => link.ask("scan\n", 1000), AtError, { code });
        assert(link.closed);
      }
    }, { maxReplyChars: 1000 });
  }
});

Deno.test("PeerLink tells a connection that ended from one that answers", () =>
  withPeer([HELLO], async (link) => {
    await link.greet(BOB);
    await assertRejects(() => link.ask("scan\n", 1000), LinkLostError);
    assert(link.closed);
  }));

Deno.test("PeerLink does not take a refusal for a greeting", () =>
  withPeer(
    [],
    (link) => assertRejects(() => link.greet(BOB), AtError, { code: "AT0021" }).then(() => {}),
    { greeting: "error:AT0012-Inbound connection limit exceeded\n" },
  ));

Deno.test("PeerLink takes a long value in one piece", () =>
  withPeer([
    HELLO,
    ["lookup:all:big@bob\n", `data:${"0123456789".repeat(500_000)}\n@`],
  ], async (link) => {
    await link.greet(BOB);
    assertEquals((await link.ask("lookup:all:big@bob\n", 5000)).length, 5_000_000);
  }));
