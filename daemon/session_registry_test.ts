import { parseAtSign } from "../src/atprotocol/wire/mod.ts";
import { assert, assertEquals } from "../tests/assert.ts";
import { SessionRegistry } from "./session_registry.ts";

const alice = parseAtSign("@alice");

Deno.test("SessionRegistry serves a session id once, also after the session has ended", () => {
  const registry = new SessionRegistry();
  const claim = registry.claim("id-1", alice);
  assert(claim.kind === "claimed");
  assertEquals(registry.claim("id-1", alice).kind, "replayed");
  claim[Symbol.dispose]();
  assertEquals(registry.claim("id-1", alice).kind, "replayed");
  assertEquals(registry.size, 0);
});

Deno.test("SessionRegistry keeps one client from taking every place, and frees places", () => {
  const registry = new SessionRegistry();
  const claims = Array.from({ length: 100 }, (_, i) => registry.claim(`a-${i}`, alice));
  assertEquals(registry.claim("one-more", alice).kind, "full");
  assertEquals(registry.claim("of-bob", parseAtSign("@bob")).kind, "claimed");
  const first = claims[0];
  assert(first?.kind === "claimed");
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assertEquals(registry.claim("one-more", alice).kind, "claimed");
  assertEquals(registry.size, 101);
});
