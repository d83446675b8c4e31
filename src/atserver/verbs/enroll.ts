/**
 * `enroll`, as far as an activation needs it: `enroll:request` on a CRAM connection, approved at once, and
 * `enroll:fetch`. atProtocol specification, APKAM; our reading of its gaps: PROTOCOL.md.
 */

import * as v from "valibot";
import { AtError } from "../../atprotocol/wire/mod.ts";
import { invalidRequest } from "../at_failures.ts";
import { isManager, MANAGE_NAMESPACE } from "../authorisation.ts";
import { type AfterCommit, inTransaction } from "../basics.ts";
import type { OwnerLogin } from "../session.ts";
import type { StoredEnrollment } from "../store/store.ts";
import { type Command, data, type Outcome, type VerbOf } from "./command.ts";
import { enrollmentJson } from "./enrollment_json.ts";
import { LEGACY_PKAM_KEY } from "./pkam.ts";

/** What the first enrollment gets beside what it asks for: everything. */
const FIRST_GRANTS = { [MANAGE_NAMESPACE]: "rw", "*": "rw" } as const;

const MAX_NAMESPACES = 100;
const NAMESPACE = v.pipe(v.string(), v.maxLength(100), v.regex(/^(?:\*|[\w.-]+)$/));
const PARAMS = v.object({
  enrollmentId: v.nullish(v.string()),
  appName: v.nullish(v.string()),
  deviceName: v.nullish(v.string()),
  namespaces: v.nullish(v.record(NAMESPACE, v.picklist(["r", "rw"]))),
  apkamPublicKey: v.nullish(v.string()),
  encryptedAPKAMSymmetricKey: v.nullish(v.string()),
  encryptedDefaultEncryptionPrivateKey: v.nullish(v.string()),
  encryptedDefaultSelfEncryptionKey: v.nullish(v.string()),
});
type Params = v.InferOutput<typeof PARAMS>;

export function enroll(command: Command, verb: VerbOf<"enroll">): Outcome {
  const { login } = command.session;
  switch (verb.operation) {
    case "request":
      if (login.kind !== "owner" || login.method !== "cram") throw notSupported("request");
      return requestFirst(command, login, parseParams(verb.params));
    case "fetch":
      if (login.kind !== "owner") {
        throw new AtError("AT0401", "Cannot fetch enrollment without authentication");
      }
      return fetch(command, login, parseParams(verb.params));
    case "approve":
    case "deny":
    case "revoke":
    case "unrevoke":
    case "list":
    case "delete":
      throw notSupported(verb.operation);
    default:
      return verb.operation satisfies never;
  }
}

function notSupported(operation: string): AtError {
  return new AtError("AT0003", `Invalid syntax. enroll:${operation} is not supported here`);
}

function parseParams(json: string | undefined): Params {
  if (json === undefined) throw new AtError("AT0022", "Enroll parameters not provided");
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw invalidRequest("enroll parameters are not JSON");
  }
  const result = v.safeParse(PARAMS, value);
  if (!result.success) throw invalidRequest("enroll parameters are of the wrong kind");
  return result.output;
}

function requestFirst(command: Command, login: OwnerLogin, params: Params): Outcome {
  const { services, session } = command;
  const { store, clock, entropy } = services.basics;
  const { of } = login;
  const apkamPublicKey = required(params.apkamPublicKey, "apkam public key");
  const enrollment: StoredEnrollment = {
    id: entropy.uuid(),
    sessionId: session.id,
    appName: required(params.appName, "appName"),
    deviceName: required(params.deviceName, "deviceName"),
    namespaces: { ...params.namespaces, ...FIRST_GRANTS },
    apkamPublicKey,
    encryptedApkamSymmetricKey: params.encryptedAPKAMSymmetricKey ?? null,
    state: "approved",
    createdAt: clock.now(),
    expiresAt: null,
  };
  if (Object.keys(enrollment.namespaces).length > MAX_NAMESPACES) {
    throw new AtError("AT0022", "too many namespaces");
  }
  refuseDouble(store.listEnrollments(of.atSign), enrollment, clock.now());
  inTransaction(store, (after) => {
    store.putEnrollment(of.atSign, enrollment);
    keepDefaultKeys(login, enrollment.id, params, after);
    of.write(LEGACY_PKAM_KEY, apkamPublicKey, {}, after);
  });
  session.logInOwner({ ...login, enrollmentId: enrollment.id });
  return data(JSON.stringify({ enrollmentId: enrollment.id, status: "approved" }));
}

/** The keys that the app reads back with `keys:get`, encrypted for it. */
function keepDefaultKeys(
  { of }: OwnerLogin,
  id: string,
  params: Params,
  after: AfterCommit,
): void {
  const keep = (name: string, value: string | null | undefined): void => {
    if (value === null || value === undefined) return;
    const key = `${id}.${name}.${MANAGE_NAMESPACE}${of.atSign}`;
    of.write(key, JSON.stringify({ value }), {}, after);
  };
  keep("default_enc_private_key", params.encryptedDefaultEncryptionPrivateKey);
  keep("default_self_enc_key", params.encryptedDefaultSelfEncryptionKey);
}

function required(value: string | null | undefined, name: string): string {
  if (value === null || value === undefined || value === "") {
    throw new AtError("AT0011", `${name} is mandatory for enroll:request`);
  }
  return value;
}

function refuseDouble(
  known: readonly StoredEnrollment[],
  { appName, deviceName }: StoredEnrollment,
  nowMs: number,
): void {
  for (const other of known) {
    const isInUse = (other.state === "approved" || other.state === "pending") &&
      (other.expiresAt === null || other.expiresAt > nowMs);
    if (!isInUse || other.appName !== appName || other.deviceName !== deviceName) continue;
    throw new AtError(
      "AT0011",
      `Another enrollment with id ${other.id} exists with the app name: ${appName} and ` +
        `device name: ${deviceName} in ${other.state} state`,
    );
  }
}

function fetch({ services, session }: Command, { of }: OwnerLogin, params: Params): Outcome {
  const id = params.enrollmentId ?? "";
  if (id === "") throw new AtError("AT0011", "enrollmentId is mandatory for enroll:fetch");
  const rights = session.rights();
  if (!isManager(rights) && rights?.enrollmentId !== id) {
    throw new AtError("AT0009", "Connection is not authorized to fetch another enrollment");
  }
  const found = services.basics.store.getEnrollment(of.atSign, id);
  if (found === null) {
    const key = `${id}.new.enrollments.${MANAGE_NAMESPACE}${of.atSign}`;
    throw new AtError("AT0015", `${key} does not exist in keystore`);
  }
  return data(enrollmentJson(found));
}
