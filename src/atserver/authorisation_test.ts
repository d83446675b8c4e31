import { assertEquals } from "../../tests/assert.ts";
import { parseAtSign } from "../atprotocol/wire/mod.ts";
import {
  type Access,
  isAuthorised,
  isAuthorisedForText,
  isInGrantedNamespace,
  isServerKey,
  protectedName,
  type Rights,
} from "./authorisation.ts";

const sshnp: Rights = { enrollmentId: "e1", namespaces: { sshnp: "rw", "policy.x": "r" } };
const readOnly: Rights = { enrollmentId: "e2", namespaces: { sshnp: "r" } };
const all: Rights = { enrollmentId: "e3", namespaces: { __manage: "rw", "*": "rw" } };

Deno.test("isAuthorised() follows namespace grants and reserved keys", () => {
  const rows: [Rights | null, string, Access, boolean][] = [
    [null, "x.any@alice", "write", true],
    [null, "privatekey:at_pkam_publickey", "write", true],
    [sshnp, "x.sshnp@alice", "write", true],
    [sshnp, "@bob:x.deep.sshnp@alice", "write", true],
    [sshnp, "cached:@alice:x.sshnp@bob", "read", true],
    [sshnp, "x.other@alice", "read", false],
    [sshnp, "sshnp@alice", "read", false],
    [sshnp, "xsshnp@alice", "read", false],
    [sshnp, "x.notsshnp@alice", "read", false],
    [sshnp, "a.policy.x@alice", "read", true],
    [sshnp, "a.policy.x@alice", "write", false],
    [sshnp, "a.x@alice", "read", false],
    [readOnly, "x.sshnp@alice", "read", true],
    [readOnly, "x.sshnp@alice", "monitor", true],
    [readOnly, "x.sshnp@alice", "write", false],
    [readOnly, "public:publickey@alice", "write", true],
    [readOnly, "@bob:shared_key@alice", "write", true],
    [readOnly, "shared_key.bob@alice", "write", true],
    [readOnly, "shared_key.bob.other@alice", "write", false],
    [readOnly, "@alice:shared_key@bob", "read", true],
    [readOnly, "privatekey:at_pkam_publickey", "write", false],
    [readOnly, "_scratch@alice", "read", true],
    [readOnly, "_scratch.other@alice", "read", false],
    [all, "x.any@alice", "write", true],
    [all, "nodots@alice", "write", true],
    [all, "privatekey:at_pkam_publickey", "write", true],
    [all, "e1.default_enc_private_key.__manage@alice", "read", false],
    [all, "e1.new.enrollments.__manage@alice", "monitor", true],
    [readOnly, "e1.new.enrollments.__manage@alice", "monitor", false],
    // own signing key record, and nothing else there
    [readOnly, "public:_apsk.e2.a.__e@alice", "write", true],
    [readOnly, "public:_apsk.e1.a.__e@alice", "write", false],
    [all, "public:_apsk.e1.a.__e@alice", "write", false],
    [all, "public:_apsk.e3.r.__e@alice", "write", false],
    [all, "_apsk.e3.a.__e@alice", "write", false],
    [null, "public:_apsk.e1.a.__e@alice", "write", false],
    [null, "public:_apsk.primary.a.__e@alice", "write", true],
    [{ enrollmentId: "p", namespaces: {} }, "x.__proto__@alice", "read", false],
    [{ enrollmentId: "p", namespaces: { "*": "rw" } }, "e.x.__manage@alice", "read", false],
    [{ enrollmentId: "p", namespaces: { "*": "rw" } }, "e.x.__manage@alice", "monitor", false],
    [{ enrollmentId: "p", namespaces: {} }, "x.constructor@alice", "read", false],
    [{ enrollmentId: "p", namespaces: { "*": "r" } }, "x.*@alice", "write", false],
    [readOnly, "not a key", "read", false],
  ];
  for (const [rights, key, access, expected] of rows) {
    assertEquals(
      isAuthorised(rights, key, access),
      expected,
      `${rights?.enrollmentId} ${access} ${key}`,
    );
  }
});

Deno.test("isAuthorisedForText() asks for all namespaces", () => {
  assertEquals(isAuthorisedForText(null, "monitor"), true);
  assertEquals(isAuthorisedForText(all, "write"), true);
  assertEquals(isAuthorisedForText(sshnp, "monitor"), false);
});

Deno.test("isInGrantedNamespace() matches any suffix, never __manage", () => {
  assertEquals(isInGrantedNamespace(sshnp, "@bob:a.b.sshnp@alice"), true);
  assertEquals(isInGrantedNamespace(sshnp, "a.policy.x@alice"), true);
  assertEquals(isInGrantedNamespace(sshnp, "a.y.x@alice"), false);
  assertEquals(isInGrantedNamespace(all, "e.new.enrollments.__manage@alice"), false);
});

Deno.test("protectedName() and isServerKey() name what clients may not touch", () => {
  const alice = parseAtSign("@alice");
  assertEquals(protectedName("public:publickey@alice", alice), "publickey@alice");
  assertEquals(protectedName("public:publickey@bob", alice), null);
  assertEquals(protectedName("cached:public:publickey@bob", alice), null);
  assertEquals(isServerKey("public:signing_publickey@alice", "write"), true);
  assertEquals(isServerKey("public:signing_publickey@alice", "read"), false);
  assertEquals(isServerKey("@alice:signing_privatekey@alice", "read"), true);
});
