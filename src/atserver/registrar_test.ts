import { assert, assertEquals, assertMatch, assertRejects } from "../../tests/assert.ts";
import { memoryConnPair } from "../../tests/memory_conn.ts";
import { type AtSign, parseAtSign } from "../atprotocol/wire/mod.ts";
import { closeQuietly, createLog, ManualClock, NoportsError, systemEntropy } from "../base/mod.ts";
import { encodeUtf8 } from "../encoding/mod.ts";
import { OtpCommand } from "./otp_command.ts";
import { Registrar } from "./registrar.ts";

const ALICE = parseAtSign("@alice");
const SECRET = "c".repeat(128);
const PATH = "/api/app/v3/authenticate/atsign";
const ID = "477b-876u-bcez-c42z-6a3d";

class Rig {
  readonly clock = new ManualClock();
  readonly codes: string[] = [];
  readonly logged: string[] = [];
  onShow: () => void = () => {};
  readonly registrar = new Registrar({
    activationCode: (atSign: AtSign) => atSign === ALICE ? SECRET : null,
    showCode: (_, code) => {
      this.onShow();
      this.codes.push(code);
    },
    clock: this.clock,
    entropy: systemEntropy,
    log: createLog({
      level: "debug",
      format: "json",
      write: (line) => this.logged.push(line),
      now: () => new Date(0),
    }),
  });

  /** What comes back for these bytes; the address is a new one each time unless it is given. */
  async raw(bytes: string, address = "192.0.2.1"): Promise<string> {
    const [near, far] = memoryConnPair();
    const served = this.registrar.serve(far, address);
    await near.write(encodeUtf8(bytes));
    const buffer = new Uint8Array(64 * 1024);
    let text = "";
    for (let n = await near.read(buffer); n !== null; n = await near.read(buffer)) {
      text += new TextDecoder().decode(buffer.subarray(0, n));
    }
    await served;
    closeQuietly(near);
    return text;
  }

  async post(path: string, body: unknown, address?: string): Promise<[number, unknown]> {
    const json = typeof body === "string" ? body : JSON.stringify(body);
    const answer = await this.raw(
      `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${ID}\r\n` +
        `Content-Length: ${encodeUtf8(json).length}\r\n\r\n${json}`,
      address,
    );
    const [head = "", text = ""] = answer.split("\r\n\r\n");
    return [Number(head.split(" ")[1]), JSON.parse(text)];
  }

  async redeem(otp: string, atsign = "@alice"): Promise<unknown> {
    const [, answer] = await this.post(`${PATH}/activate`, { atsign, otp });
    return (answer as { cramkey?: unknown }).cramkey ?? null;
  }
}

Deno.test("the registrar exchanges a code that the operator was shown for the activation code", async () => {
  const rig = new Rig();
  assertEquals(await rig.post(PATH, { atsign: "Alice" }), [
    200,
    { status: "success", message: "Sent Successfully" },
  ]);
  const [code = ""] = rig.codes;
  assertMatch(code, /^[A-HJ-NP-Z2-9]{4}$/);
  assertEquals(await rig.post(`${PATH}/activate`, { atsign: "@alice", otp: code.toLowerCase() }), [
    200,
    { status: "success", message: "Verified", cramkey: `@alice:${SECRET}` },
  ]);
  assertEquals(await rig.redeem(code), null, "a code is good for one time");
  const log = rig.logged.join("\n");
  assert(!log.includes(code) && !log.includes(SECRET), log);
});

Deno.test("a registrar's code ends after ten minutes, after five wrong guesses, and with the next one", async () => {
  const rig = new Rig();
  await rig.post(PATH, { atsign: "@alice" });
  rig.clock.advance(600_000);
  assertEquals(await rig.redeem(rig.codes[0] ?? ""), null);
  await rig.post(PATH, { atsign: "@alice" });
  for (let i = 0; i < 5; i++) assertEquals(await rig.redeem("0000"), null);
  assertEquals(await rig.redeem(rig.codes[1] ?? ""), null);
  rig.clock.advance(60_000);
  await rig.post(PATH, { atsign: "@alice" });
  rig.clock.advance(60_000);
  await rig.post(PATH, { atsign: "@alice" });
  assertEquals(rig.codes.length, 4);
  if (rig.codes[2] !== rig.codes[3]) assertEquals(await rig.redeem(rig.codes[2] ?? ""), null);
  assertEquals(await rig.redeem(rig.codes[3] ?? ""), `@alice:${SECRET}`);
});

Deno.test("the registrar makes few codes for an atSign, and answers an address a limited number of times", async () => {
  const rig = new Rig();
  const statuses: number[] = [];
  for (let i = 0; i < 8; i++) {
    statuses.push((await rig.post(PATH, { atsign: "@alice" }, `192.0.2.${i}`))[0]);
    rig.clock.advance(30_000);
  }
  assertEquals(statuses, [200, 200, 200, 200, 200, 429, 429, 429]);
  rig.clock.advance(3_600_000);
  assertEquals((await rig.post(PATH, { atsign: "@alice" }, "192.0.2.9"))[0], 200);
  assertEquals((await rig.post(PATH, { atsign: "@alice" }, "192.0.2.9"))[0], 429, "too soon");
  let refused = 0;
  for (let i = 0; i < 70; i++) {
    const [status] = await rig.post(`${PATH}/activate`, { atsign: "@x", otp: "1" }, "2001:db8::1");
    if (status === 429) refused++;
  }
  assertEquals(refused, 10);
  const [status] = await rig.post(PATH, { atsign: "@x" }, "2001:db8::2:3");
  assertEquals(status, 429, "one /64 is one stranger");
});

Deno.test("the registrar refuses what it does not serve, in JSON", async () => {
  const rig = new Rig();
  const head = `Authorization: ${ID}\r\n`;
  const rows: [string, number][] = [
    [`GET ${PATH} HTTP/1.1\r\n${head}\r\n`, 405],
    [`POST ${PATH} HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}`, 401],
    [`POST /api/app/v3/get-free-atsign HTTP/1.1\r\n${head}\r\n`, 404],
    [`GET / HTTP/1.1\r\n\r\n`, 404],
    [`POST ${PATH} HTTP/1.1\r\n${head}Content-Length: 5000\r\n\r\n`, 413],
    [`POST ${PATH} HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n`, 411],
    [`POST ${PATH} HTTP/1.1\r\n${head}Content-Length: -1\r\n\r\n`, 400],
    [`POST ${PATH} HTTP/1.1\r\n${head}Content-Length: 7\r\n\r\nnoJSON!`, 400],
    [`POST ${PATH} HTTP/1.1\r\n${head}Content-Length: 17\r\n\r\n{"atsign":"@bob"}`, 400],
    [`POST ${PATH} HTTP/1.1\r\n${head}bad header\r\n\r\n`, 400],
    [`from:@alice HTTP/9\r\n\r\n`, 400],
    [`GET /${"x".repeat(20_000)}`, 431],
  ];
  for (const [request, status] of rows) {
    const answer = await rig.raw(request);
    assertMatch(answer, new RegExp(`^HTTP/1\\.1 ${status} `), request.slice(0, 60));
    const json = JSON.parse(answer.split("\r\n\r\n")[1] ?? "");
    assertEquals(typeof json.message, "string");
  }
  assertEquals(rig.codes, []);
});

Deno.test("a code that cannot be shown is void, and the client hears of it", async () => {
  const rig = new Rig();
  rig.onShow = () => {
    throw new Error("no mail");
  };
  const [status, answer] = await rig.post(PATH, { atsign: "@alice" });
  assertEquals([status, answer], [502, { status: "error", message: "the code could not be sent" }]);
});

Deno.test("OtpCommand gives the code to the program, and ends one that takes too long", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const script = async (name: string, text: string) => {
      await Deno.writeTextFile(`${folder}/${name}`, `#!/bin/sh\n${text}\n`, { mode: 0o700 });
      return `${folder}/${name}`;
    };
    const good = await script("good", `{ echo "$#:$1"; cat; } > "${folder}/out"; echo noise`);
    await new OtpCommand(good).send(ALICE, "AB12");
    assertEquals(await Deno.readTextFile(`${folder}/out`), "1:@alice\nAB12\n");
    const rows: [string, RegExp, number][] = [
      [await script("bad", "exit 3"), /status 3/, 10_000],
      [await script("slow", "exec sleep 60"), /more than/, 50],
      [`${folder}/none`, /Cannot run/, 10_000],
    ];
    for (const [command, message, limitMs] of rows) {
      const error = await assertRejects(
        () => new OtpCommand(command, limitMs).send(ALICE, "AB12"),
        NoportsError,
      );
      assertMatch(error.message, message);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
