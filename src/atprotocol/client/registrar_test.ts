import { assertEquals, assertMatch, assertRejects } from "../../../tests/assert.ts";
import { makeTestCertificates } from "../../../tests/tls_client.ts";
import { NoportsError } from "../../base/mod.ts";
import { parseAtSign } from "../wire/mod.ts";
import {
  parseVerificationCode,
  redeemVerificationCode,
  type RegistrarTarget,
  requestVerificationCode,
} from "./registrar.ts";

const ALICE = parseAtSign("@alice");
const { signal } = new AbortController();

interface Seen {
  readonly path: string;
  readonly authorization: string | null;
  readonly body: unknown;
}

/** A registrar that answers everything with `answer`. */
async function withRegistrar(
  answer: () => Response,
  test: (target: RegistrarTarget, seen: readonly Seen[]) => Promise<void>,
): Promise<void> {
  const { ca, leaf } = await makeTestCertificates();
  const seen: Seen[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, cert: leaf.certPem, key: leaf.keyPem, onListen: () => {} },
    async (request) => {
      seen.push({
        path: new URL(request.url).pathname,
        authorization: request.headers.get("authorization"),
        body: await request.json(),
      });
      return answer();
    },
  );
  try {
    const target = { host: "localhost", port: server.addr.port, caCerts: [ca.certPem] };
    await test(target, seen);
  } finally {
    await server.shutdown();
  }
}

Deno.test("requestVerificationCode() asks as the vendor's tool does", () =>
  withRegistrar(
    () => Response.json({ message: "Sent Successfully" }),
    async (target, seen) => {
      await requestVerificationCode(target, ALICE, signal);
      assertEquals(seen, [{
        path: "/api/app/v3/authenticate/atsign",
        authorization: "477b-876u-bcez-c42z-6a3d",
        body: { atsign: "@alice" },
      }]);
    },
  ));

Deno.test("redeemVerificationCode() gives what stands after the first colon, null for a wrong code", async () => {
  let answer: unknown = { message: "Verified", cramkey: "@alice:se:cret" };
  await withRegistrar(() => Response.json(answer), async (target, seen) => {
    assertEquals(await redeemVerificationCode(target, ALICE, "AB12", signal), "se:cret");
    assertEquals(seen[0]?.body, { atsign: "@alice", otp: "AB12" });
    answer = { message: "Invalid" };
    assertEquals(await redeemVerificationCode(target, ALICE, "AB12", signal), null);
    answer = { message: "Verified", cramkey: "nothing" };
    await assertRejects(() => redeemVerificationCode(target, ALICE, "AB12", signal), NoportsError, {
      code: "protocol_violation",
    });
  });
});

Deno.test("a registrar's refusal is told in its words, garbage by its status", async () => {
  const rows: [() => Response, string, RegExp][] = [
    [() => Response.json({ message: "No such atSign" }), "atserver_refused", /No such atSign$/],
    [() => Response.json({ message: "Slow" }, { status: 429 }), "atserver_refused", /Slow$/],
    [() => new Response("<html>", { status: 500 }), "atserver_refused", /HTTP status 500$/],
    [() => Response.json([]), "atserver_refused", /HTTP status 200$/],
    [() => Response.redirect("https://localhost:1/"), "atserver_unreachable", /registrar/],
    [() => new Response("x".repeat(100_000)), "atserver_unreachable", /too long/],
  ];
  for (const [answer, code, message] of rows) {
    await withRegistrar(answer, async (target) => {
      const error = await assertRejects(
        () => requestVerificationCode(target, ALICE, signal),
        NoportsError,
      );
      assertEquals(error.code, code, error.message);
      assertMatch(error.message, message);
    });
  }
});

Deno.test("a registrar without a trusted certificate gets nothing", () =>
  withRegistrar(() => Response.json({}), async (target, seen) => {
    await assertRejects(
      () => requestVerificationCode({ ...target, caCerts: [] }, ALICE, signal),
      NoportsError,
      { code: "tls_untrusted" },
    );
    assertEquals(seen, []);
  }));

Deno.test("parseVerificationCode() takes four letters or digits of any case", () => {
  assertEquals(parseVerificationCode(" ab1Z \r"), "AB1Z");
  for (const bad of ["", "abc", "abcde", "ab 1", "äbcd", "-bcd"]) {
    assertEquals(parseVerificationCode(bad), null);
  }
});
