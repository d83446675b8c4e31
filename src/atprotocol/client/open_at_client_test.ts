import { NoportsError } from "../../base/mod.ts";
import { assert, assertEquals, assertRejects } from "../../../tests/assert.ts";
import { openInProcessPlane } from "../../../tests/in_process_plane.ts";
import { parseAtSign } from "../wire/mod.ts";
import { isActivated } from "./onboarding.ts";

const ALICE = parseAtSign("@alice");
const BOB = parseAtSign("@bob");

Deno.test("an AtClient against a real atServer", async (t) => {
  await using plane = await openInProcessPlane();
  const [aliceKeys, bobKeys] = await Promise.all([
    plane.activate("@alice"),
    plane.activate("@bob"),
  ]);
  await using alice = plane.client("@alice", aliceKeys);
  await using bob = plane.client("@bob", bobKeys);

  await t.step("activation leaves an APKAM key and publishes the encryption key", async () => {
    assert(aliceKeys.enrollmentId !== undefined && aliceKeys.apkamSymmetricKey !== undefined);
    assert(await isActivated({ ...plane, atSign: ALICE }));
    assertEquals(await bob.publicKey(ALICE), aliceKeys.encryption.publicKey);
  });

  await t.step(
    "a notification arrives decrypted, with its proven sender, at whoever subscribed",
    async () => {
      using inbox = bob.subscribe((key, from) => key.includes(".test") && from === ALICE);
      await bob.monitorReady();
      await alice.notify({ to: BOB, entity: "greeting.test", value: "hello \u{1F44B}: @ you" });
      await alice.notify({ to: BOB, entity: "other.thing", value: "not subscribed" });
      await alice.notify({ to: BOB, entity: "second.test", value: "again" });
      const first = await inbox.next();
      assertEquals(first.key, "@bob:greeting.test@alice");
      assertEquals([first.from, first.value], [ALICE, "hello \u{1F44B}: @ you"]);
      assertEquals((await inbox.next()).value, "again");
    },
  );

  await t.step(
    "a shared value can be put, found, got by its receiver alone, and deleted",
    async () => {
      await alice.put({ sharedWith: BOB, entity: "phone.test", ttlMs: 60_000 }, "+1 100 200");
      assertEquals(await bob.get({ owner: ALICE, entity: "phone.test" }), "+1 100 200");
      assertEquals(await bob.scan({ atSign: ALICE, regex: "phone" }), ["phone.test@alice"]);
      const own = await alice.scan({ regex: "phone" });
      assertEquals(own, ["@bob:phone.test@alice"]);
      await alice.delete({ sharedWith: BOB, entity: "phone.test" });
      assertEquals(await bob.get({ owner: ALICE, entity: "phone.test" }), null);
      await alice.delete({ sharedWith: BOB, entity: "phone.test" });
    },
  );

  await t.step("both directions have a key of their own, made once", async () => {
    using inbox = alice.subscribe((_key, from) => from === BOB);
    await alice.monitorReady();
    await bob.notify({ to: ALICE, entity: "back.test", value: "hi" });
    assertEquals((await inbox.next()).value, "hi");
    const shared = await alice.scan({ regex: "shared_key" });
    assertEquals(shared.filter((key) => key === "shared_key.bob@alice").length, 1);
    assertEquals(shared.filter((key) => key === "@bob:shared_key@alice").length, 1);
  });

  await t.step(
    "a lost connection is opened again, and what was sent meanwhile arrives",
    async () => {
      using inbox = bob.subscribe((key) => key.includes("meanwhile"));
      plane.dropConnections();
      await alice.notify({ to: BOB, entity: "meanwhile.test", value: "still here" });
      assertEquals((await inbox.next()).value, "still here");
      await bob.monitorReady();
      assertEquals(await bob.get({ owner: ALICE, entity: "nothing.test" }), null);
    },
  );

  await t.step("unknown and not activated atSigns have errors of their own", async () => {
    plane.core.addAtSign(parseAtSign("@carol"));
    await assertRejects(() => alice.publicKey(parseAtSign("@carol")), NoportsError, {
      code: "atsign_not_activated",
    });
    await assertRejects(
      () => alice.notify({ to: parseAtSign("@nobody"), entity: "x.test", value: "1" }),
      NoportsError,
      { code: "atsign_unknown" },
    );
  });

  await t.step("keys of another atSign cannot log in", async () => {
    await using impostor = plane.client("@alice", bobKeys);
    await assertRejects(() => impostor.scan({}), NoportsError, { code: "auth_failed" });
    await assertRejects(() => impostor.monitorReady(), NoportsError, { code: "auth_failed" });
  });
});
