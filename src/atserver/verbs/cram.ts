/** `cram`: the first login of an owner, with the secret of the activation code. */

import { AtError } from "../../atprotocol/wire/mod.ts";
import { cramDigest } from "../../crypto/mod.ts";
import { keyNotFound } from "../at_failures.ts";
import { CRAM_SECRET_KEY } from "../hosted_at_signs.ts";
import { type Command, data, type Outcome, type VerbOf } from "./command.ts";

export async function cram({ services, session }: Command, verb: VerbOf<"cram">): Promise<Outcome> {
  const { of, text } = session.ownChallenge();
  services.throttle.admit(session.info.remoteAddress);
  const secret = of.read(CRAM_SECRET_KEY)?.value ?? null;
  if (secret === null) throw keyNotFound(CRAM_SECRET_KEY);
  if (!isSame(cramDigest(secret, text), verb.digest)) {
    session.logOut();
    await services.throttle.fail(session.info.remoteAddress, session.connection.signal);
    throw new AtError("AT0401", "Authentication Failed");
  }
  session.logInOwner({ kind: "owner", of, method: "cram", enrollmentId: null });
  of.statistics.recordLogin("cram");
  return data("success");
}

/** Compares in a time that tells nothing of where they differ. */
function isSame(expected: string, given: string): boolean {
  if (expected.length !== given.length) return false;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) {
    difference |= expected.charCodeAt(i) ^ given.charCodeAt(i);
  }
  return difference === 0;
}
