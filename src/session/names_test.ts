/** Device names, key names and permissions: what decides who is meant and what is allowed. */

import fc from "fast-check";
import { assert, assertEquals, assertRejects } from "../../tests/assert.ts";
import { NoportsError } from "../base/mod.ts";
import { SESSION_ID } from "./_appendix.ts";
import {
  DEFAULT_PERMIT_OPEN,
  encodePermitOpen,
  heartbeatEntity,
  isPermitted,
  isRelayRequestKey,
  isVendorDeviceName,
  matchDeviceKey,
  matchRelayAnswer,
  nptRequestEntity,
  parseDeviceName,
  parsePermitOpen,
  pingEntity,
  relayNackEntity,
  relayRequestEntity,
  relayResponseEntity,
  sessionResponseEntity,
  splitKey,
} from "./mod.ts";

Deno.test("parseDeviceName() lower-cases and joins words", () => {
  assertEquals(parseDeviceName(" My  Web\tServer "), "my_web_server");
  assertEquals(parseDeviceName("_x-9"), "_x-9");
  assertEquals(parseDeviceName("a".repeat(36)), "a".repeat(36));
  assert(!isVendorDeviceName(parseDeviceName("a")));
  assert(isVendorDeviceName("ab"));
});

Deno.test("parseDeviceName() refuses other names in the vendor's words", async () => {
  for (const text of ["", "-a", "a.b", "a@b", "ä1", "a".repeat(37), "a:b"]) {
    const error = await assertRejects(() => parseDeviceName(text), NoportsError, { code: "usage" });
    assert(error.message.startsWith("Device name must be alphanumeric snake case, max length 36."));
  }
});

Deno.test("splitKey() takes a full key apart", () => {
  assertEquals(splitKey("@Bob_Dev:ping.web01.sshnp@alice"), {
    to: "@bob_dev",
    entity: "ping.web01.sshnp",
    from: "@alice",
  });
  assertEquals(splitKey("ping.web01.sshnp"), { to: null, entity: "ping.web01.sshnp", from: null });
  assertEquals(splitKey("@bob:@alice"), null);
});

Deno.test("matchDeviceKey() anchors the device label exactly", () => {
  const rows: [string, string | null][] = [
    [`@bob:${pingEntity("web01")}@alice`, "ping"],
    [`@bob:${nptRequestEntity("web01").toUpperCase()}@alice`, "npt_request"],
    [`@alice:${sessionResponseEntity(SESSION_ID, "web01")}@bob`, SESSION_ID],
    [`@bob:${heartbeatEntity("xweb01")}@alice`, null],
    ["@bob:ping.a.web01.sshnp@alice", null],
    ["@bob:web01.sshnp@alice", null],
    ["@bob:.web01.sshnp@alice", null],
    ["@bob:ping.web01.sshnp.x@alice", null],
    ["@bob:ping.web01.sshrvd@alice", null],
  ];
  for (const [key, label] of rows) assertEquals(matchDeviceKey(key, "web01"), label, key);
});

Deno.test("isRelayRequestKey() takes relay requests of any device and nothing else", () => {
  assert(isRelayRequestKey(`@rv_am:${relayRequestEntity("web01")}@alice`));
  assert(isRelayRequestKey("@RV:WEB01.request_ports.SSHRVD@alice"));
  for (const key of ["@rv:web01.sshrvd@alice", "@rv:x.request_ports.sshrvd.y@alice", "", "@rv"]) {
    assert(!isRelayRequestKey(key));
  }
});

Deno.test("matchRelayAnswer() tells answer and refusal of this session from others", () => {
  const key = (entity: string) => `@alice:${entity}@rv`;
  assertEquals(matchRelayAnswer(key(relayResponseEntity(SESSION_ID)), SESSION_ID), "response");
  assertEquals(matchRelayAnswer(key(relayNackEntity(SESSION_ID)), SESSION_ID), "nack");
  assertEquals(matchRelayAnswer(key(`x${relayResponseEntity(SESSION_ID)}`), SESSION_ID), null);
});

Deno.test("isPermitted() compares host and port as text, with * for any", () => {
  const rows: [string, string, number, boolean][] = [
    [DEFAULT_PERMIT_OPEN, "localhost", 22, true],
    [DEFAULT_PERMIT_OPEN, "localhost", 3389, true],
    [DEFAULT_PERMIT_OPEN, "127.0.0.1", 22, false],
    [DEFAULT_PERMIT_OPEN, "LOCALHOST", 22, false],
    [DEFAULT_PERMIT_OPEN, "localhost", 23, false],
    ["*:80", "anything", 80, true],
    ["*:80", "anything", 81, false],
    ["h:*", "h", 9999, true],
    ["h:0", "h", 9999, true],
    ["h:*", "i", 9999, false],
    ["*:*", "x", 1, true],
    ["", "localhost", 22, false],
    ["[::1]:22", "::1", 22, true],
    ["::1:22", "[::1]", 22, true],
    ["localhost:22", "localhost:22", 22, false],
  ];
  for (const [list, host, port, allowed] of rows) {
    assertEquals(
      isPermitted(parsePermitOpen(list), host, port),
      allowed,
      `${list} ${host} ${port}`,
    );
  }
});

Deno.test("isPermitted() never permits what no rule names", () =>
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 65534 }).map((p) => p + 1)),
      fc.nat(65535),
      (ports, port) => {
        const rules = parsePermitOpen(ports.map((p) => `localhost:${p}`).join(","));
        assertEquals(isPermitted(rules, "localhost", port), ports.includes(port));
        assert(!isPermitted(rules, "otherhost", port));
      },
    ),
  ));

Deno.test("parsePermitOpen() trims entries, prints * for any, and names a wrong entry", async () => {
  assertEquals(encodePermitOpen(parsePermitOpen(" a:1 , *:0 ,,b:* ")), ["a:1", "*:*", "b:*"]);
  for (const text of ["localhost", "h:", ":22", "h:70000", "h:-1", "h:2x", "a b:2"]) {
    const error = await assertRejects(() => parsePermitOpen(text), NoportsError, { code: "usage" });
    assert(error.message.includes(`"${text}"`));
  }
});
