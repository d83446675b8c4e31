/**
 * `enroll:request`: on a CRAM connection the first enrollment, approved at once; on any other one a request that waits
 * for a manager, let in by a passcode where nobody is logged in.
 */

import { AtError } from "../../atprotocol/wire/mod.ts";
import { MANAGE_NAMESPACE } from "../authorisation.ts";
import { inTransaction } from "../basics.ts";
import { announceRequest, keepDefaultKeys, LEGACY_PKAM_KEY, stateOf } from "../enrollments.ts";
import type { HostedAtSign } from "../hosted_at_sign.ts";
import { tooManyRequests } from "../passcode_throttle.ts";
import { takePasscode } from "../passcodes.ts";
import type { OwnerLogin } from "../session.ts";
import type { StoredEnrollment } from "../store/store.ts";
import { type Command, data, type Outcome } from "./command.ts";
import { type EnrollParams, required, requiredName } from "./enroll_params.ts";

const REQUEST = "enroll:request";
const NEW_CLIENT = "new client enroll:request";
/** What the first enrollment gets beside what it asks for: everything. */
const FIRST_GRANTS = { [MANAGE_NAMESPACE]: "rw", "*": "rw" } as const;

/** What every request says. */
type Asked = Pick<StoredEnrollment, "appName" | "deviceName" | "apkamPublicKey">;

export async function requestEnrollment(command: Command, params: EnrollParams): Promise<Outcome> {
  const { session } = command;
  const asked = {
    appName: requiredName(params.appName, "appName"),
    deviceName: requiredName(params.deviceName, "deviceName"),
    apkamPublicKey: required(params.apkamPublicKey, "apkam public key", REQUEST),
  };
  const { login } = session;
  if (login.kind !== "owner" && (params.otp ?? "") !== "") {
    required(params.encryptedAPKAMSymmetricKey, "encrypted apkam symmetric key", NEW_CLIENT);
    if (Object.keys(params.namespaces ?? {}).length === 0) {
      throw new AtError("AT0011", `At least one namespace must be specified for ${NEW_CLIENT}`);
    }
  }
  const of = login.kind === "owner" ? login.of : meantAtSign(command);
  if (!session.countEnrollRequest()) throw tooManyRequests();
  if (login.kind === "owner" && login.method === "cram") {
    return approveFirst(command, login, asked, params);
  }
  if (login.kind !== "owner") await requirePasscode(command, of, params.otp ?? "");
  return keepPending(command, of, asked, params);
}

/** A stranger's request names no atSign: it is the one whose public key it has asked for, or that `from` named. */
function meantAtSign({ session, services }: Command): HostedAtSign {
  const { sniAtSign } = session.info;
  const meant = session.asked ??
    (sniAtSign === null ? undefined : services.hosted.find(sniAtSign));
  if (meant !== undefined) return meant;
  throw new AtError("AT0022", "Enroll for which atSign? Send lookup:publickey@<atSign> first");
}

async function requirePasscode(
  { session, services }: Command,
  of: HostedAtSign,
  passcode: string,
): Promise<void> {
  const { store, clock, log } = services.basics;
  const { remoteAddress } = session.info;
  const { signal } = session.connection;
  const isRight = await services.passcodeThrottle.guard(
    of.atSign,
    remoteAddress,
    signal,
    () => inTransaction(store, (after) => takePasscode(of, passcode, clock.now(), after)),
  );
  if (isRight) return;
  log.warn("wrong passcode", { atSign: of.atSign, address: remoteAddress });
  throw new AtError("AT0011", "invalid otp. Cannot process enroll request");
}

function approveFirst(
  command: Command,
  login: OwnerLogin,
  asked: Asked,
  params: EnrollParams,
): Outcome {
  const { services: { basics }, session } = command;
  const { of } = login;
  // it never ends: nobody else could approve another one
  const enrollment: StoredEnrollment = {
    ...newRecord(command, asked, params),
    namespaces: { ...params.namespaces, ...FIRST_GRANTS },
    isFirst: true,
    state: "approved",
    expiresAt: null,
  };
  inTransaction(basics.store, (after) => {
    makeRoom(command, of, enrollment);
    basics.store.putEnrollment(of.atSign, enrollment);
    keepDefaultKeys(of, enrollment.id, {
      encryptionPrivateKey: params.encryptedDefaultEncryptionPrivateKey ?? null,
      encryptionPrivateKeyIv: params.encPrivateKeyIV ?? null,
      selfEncryptionKey: params.encryptedDefaultSelfEncryptionKey ?? null,
      selfEncryptionKeyIv: params.selfEncKeyIV ?? null,
    }, after);
    of.write(LEGACY_PKAM_KEY, enrollment.apkamPublicKey, {}, after);
  });
  session.logInOwner({ ...login, enrollmentId: enrollment.id });
  return data(JSON.stringify({ enrollmentId: enrollment.id, status: "approved" }));
}

function keepPending(
  command: Command,
  of: HostedAtSign,
  asked: Asked,
  params: EnrollParams,
): Outcome {
  const { basics } = command.services;
  const record = newRecord(command, asked, params);
  const enrollment: StoredEnrollment = {
    ...record,
    keysExpiryMs: params.apkamKeysExpiryInMillis ?? 0,
    state: "pending",
    expiresAt: record.createdAt + basics.limits.pendingEnrollmentMs,
  };
  inTransaction(basics.store, (after) => {
    makeRoom(command, of, enrollment);
    basics.store.putEnrollment(of.atSign, enrollment);
    announceRequest(basics, of, enrollment, after);
  });
  basics.log.info("enrollment requested", { atSign: of.atSign, enrollmentId: enrollment.id });
  return data(JSON.stringify({ enrollmentId: enrollment.id, status: "pending" }));
}

function newRecord(
  { services: { basics }, session }: Command,
  asked: Asked,
  params: EnrollParams,
): Omit<StoredEnrollment, "state" | "expiresAt"> {
  return {
    id: basics.entropy.uuid(),
    sessionId: session.id,
    ...asked,
    namespaces: params.namespaces ?? {},
    encryptedApkamSymmetricKey: params.encryptedAPKAMSymmetricKey ?? null,
    createdAt: basics.clock.now(),
  };
}

/** @throws {AtError} AT0011 when the app has an enrollment on that device, or the atSign has too many. */
function makeRoom(
  { services: { basics } }: Command,
  of: HostedAtSign,
  { appName, deviceName }: StoredEnrollment,
): void {
  const known = basics.store.listEnrollments(of.atSign);
  for (const other of known) {
    const state = stateOf(other, basics.clock.now());
    if (state !== "approved" && state !== "pending") continue;
    if (other.appName !== appName || other.deviceName !== deviceName) continue;
    throw new AtError(
      "AT0011",
      `Another enrollment with id ${other.id} exists with the app name: ${appName} and ` +
        `device name: ${deviceName} in ${state} state`,
    );
  }
  if (known.length >= basics.limits.enrollmentsPerAtSign) {
    throw new AtError("AT0011", `Cannot keep request: ${of.atSign} has too many enrollments`);
  }
}
