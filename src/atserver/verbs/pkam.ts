/** `pkam`: the login of an owner with a key pair, its own (legacy) or that of an enrollment. */

import { AtError } from "../../atprotocol/wire/mod.ts";
import { verifyEccP256, verifyRsa } from "../../crypto/mod.ts";
import { decodeBase64 } from "../../encoding/mod.ts";
import { invalidRequest, keyNotFound } from "../at_failures.ts";
import { LEGACY_PKAM_KEY, stateOf } from "../enrollments.ts";
import type { HostedAtSign } from "../hosted_at_sign.ts";
import type { Services } from "../services.ts";
import { type Command, data, type Outcome, type VerbOf } from "./command.ts";

export async function pkam({ services, session }: Command, verb: VerbOf<"pkam">): Promise<Outcome> {
  const { of, text } = session.ownChallenge();
  requireBase64(verb.signature);
  services.throttle.admit(session.info.remoteAddress);
  const fail = async (refusal: AtError): Promise<never> => {
    session.logOut();
    // a new device asks every few seconds whether it was approved
    if (refusal.code !== "AT0026") {
      await services.throttle.fail(session.info.remoteAddress, session.connection.signal);
    }
    throw refusal;
  };
  const publicKey = verb.enrollmentId === undefined
    ? legacyKey(of)
    : enrolledKey(services, of, verb.enrollmentId);
  if (publicKey instanceof AtError) return await fail(publicKey);
  const isSigned = verb.signingAlgo === "rsa2048"
    ? verifyRsa(publicKey, text, verb.signature, verb.hashingAlgo)
    : verb.hashingAlgo === "sha256" && verifyEccP256(publicKey, text, verb.signature);
  if (!isSigned) return await fail(new AtError("AT0401", "pkam authentication failed"));
  session.logInOwner(
    verb.enrollmentId === undefined
      ? { kind: "owner", of, method: "pkamLegacy", enrollmentId: null }
      : { kind: "owner", of, method: "apkam", enrollmentId: verb.enrollmentId },
  );
  of.statistics.recordLogin("pkam");
  return data("success");
}

function requireBase64(signature: string): void {
  try {
    decodeBase64(signature);
  } catch {
    throw invalidRequest("the signature is not base64");
  }
}

function legacyKey(of: HostedAtSign): string | AtError {
  return of.read(LEGACY_PKAM_KEY)?.value ?? keyNotFound(LEGACY_PKAM_KEY);
}

/** The enrollment's key, or the state that forbids its use; those have a form of their own for every client. */
function enrolledKey({ basics }: Services, of: HostedAtSign, id: string): string | AtError {
  const refuse = (code: "AT0025" | "AT0026" | "AT0027" | "AT0028", state: string): AtError =>
    new AtError(code, `enrollment_id: ${id} is ${state}`, { handlerForm: true });
  const found = basics.store.getEnrollment(of.atSign, id);
  const state = found === null ? "expired" : stateOf(found, basics.clock.now());
  if (found === null || state === "expired") return refuse("AT0028", "expired or invalid");
  switch (state) {
    case "approved":
      return found.apkamPublicKey;
    case "denied":
      return refuse("AT0025", "denied");
    case "pending":
      return refuse("AT0026", "pending");
    case "revoked":
      return refuse("AT0027", "revoked");
    default:
      return state satisfies never;
  }
}
