/** `enroll:approve`, `deny`, `revoke`, `unrevoke`, `delete`: what managers decide about enrollments. */

import { AtError, type EnrollOperation } from "../../atprotocol/wire/mod.ts";
import { keyNotFound } from "../at_failures.ts";
import { coversGrants, isManager } from "../authorisation.ts";
import { type AfterCommit, inTransaction } from "../basics.ts";
import {
  keepDefaultKeys,
  ownsLegacyKey,
  publishApkamKey,
  recordName,
  removeEnrollment,
  restoreKeys,
  type ShownState,
  stateOf,
  withdrawKeys,
} from "../enrollments.ts";
import type { LiveLogin } from "../live_logins.ts";
import type { OwnerLogin } from "../session.ts";
import type { StoredEnrollment } from "../store/store.ts";
import { type Command, data, type Outcome } from "./command.ts";
import { type EnrollParams, required } from "./enroll_params.ts";

type OwnedCommand = Command & { readonly owner: OwnerLogin };
export type Decision = Exclude<EnrollOperation, "request" | "list" | "fetch">;

/** The specification: an enrollment that revokes itself has this long to read the answer. */
const FAREWELL_MS = 10_000;

interface Rule {
  readonly from: readonly ShownState[];
  /** `{id}` and `{state}` are filled in. Clients show these texts. */
  readonly refusal: string;
}

const RULES: { readonly [D in Decision]: Rule } = {
  approve: {
    from: ["pending"],
    refusal: "Failed to approve enrollment id: {id}. Cannot approve a {state} enrollment. " +
      "Only pending enrollments can be approved",
  },
  deny: {
    from: ["pending"],
    refusal: "Failed to deny enrollment id: {id}. Cannot deny a {state} enrollment. " +
      "Only pending enrollments can be denied",
  },
  revoke: {
    from: ["approved"],
    refusal: "Failed to revoke enrollment id: {id}. Cannot revoke a {state} enrollment. " +
      "Only approved enrollments can be revoked",
  },
  unrevoke: {
    from: ["revoked"],
    refusal: "Failed to unrevoke enrollment id: {id}. Cannot un-revoke a {state} enrollment. " +
      "Only revoked enrollments can be un-revoked",
  },
  delete: {
    from: ["denied", "revoked"],
    refusal: "Failed to delete enrollment id: {id} | Cause: Cannot delete {state} enrollments. " +
      "Only denied and revoked enrollments can be deleted",
  },
};

export function decideEnrollment(
  command: OwnedCommand,
  decision: Decision,
  isForced: boolean,
  params: EnrollParams,
): Outcome {
  const { services: { basics }, owner: { of } } = command;
  const id = required(params.enrollmentId, "enrollmentId", `enroll:${decision}`);
  const approvedWith = decision === "approve" ? requiredKeys(params) : null;
  const enrollment = find(command, decision, id);
  requireRight(command, decision, enrollment);
  const isOwn = decision === "revoke" && isOwnLogin(command, command.owner, enrollment);
  if (isOwn && !isForced) {
    throw new AtError("AT0031", "Current client cannot revoke its own enrollment");
  }
  const state = stateOf(enrollment, basics.clock.now());
  const rule = RULES[decision];
  if (!rule.from.includes(state)) {
    throw new AtError("AT0011", rule.refusal.replace("{id}", id).replace("{state}", state));
  }
  switch (decision) {
    case "approve":
      inTransaction(basics.store, (after) => {
        basics.store.putEnrollment(of.atSign, approved(enrollment, basics.clock.now()));
        if (approvedWith !== null) keepDefaultKeys(of, id, approvedWith, after);
        publishApkamKey(of, enrollment, after);
      });
      return answer({ status: "approved", enrollmentId: id });
    case "deny":
      basics.store.putEnrollment(of.atSign, { ...enrollment, state: "denied" });
      return answer({ status: "denied", enrollmentId: id });
    case "revoke":
      inTransaction(basics.store, (after) => revoke(command, enrollment, after));
      return answer({
        status: "revoked",
        enrollmentId: id,
        ...(isOwn
          ? { message: "Enrollment is revoked. Closing the connection in 10 seconds" }
          : {}),
      });
    case "unrevoke":
      inTransaction(basics.store, (after) => {
        basics.store.putEnrollment(of.atSign, { ...enrollment, state: "approved" });
        restoreKeys(of, enrollment, after);
      });
      return answer({ status: "approved", enrollmentId: id });
    case "delete":
      inTransaction(
        basics.store,
        (after) => removeEnrollment(basics, of, enrollment, after),
      );
      return answer({ enrollmentId: id, status: "deleted" });
    default:
      return decision satisfies never;
  }
}

/** @throws {AtError} AT0011 for a missing key. */
function requiredKeys(params: EnrollParams) {
  const name = "encryptedDefaultEncryptionPrivateKey";
  const selfName = "encryptedDefaultSelfEncryptionKey";
  return {
    encryptionPrivateKey: required(params[name], name, "enroll:approve"),
    encryptionPrivateKeyIv: params.encPrivateKeyIV ?? null,
    selfEncryptionKey: required(params[selfName], selfName, "enroll:approve"),
    selfEncryptionKeyIv: params.selfEncKeyIV ?? null,
  };
}

function find(
  { services: { basics }, owner: { of } }: OwnedCommand,
  decision: Decision,
  id: string,
): StoredEnrollment {
  const found = basics.store.getEnrollment(of.atSign, id);
  if (found === null && decision === "delete") throw keyNotFound(recordName(id, of.atSign));
  if (found === null || stateOf(found, basics.clock.now()) === "expired") {
    throw new AtError("AT0028", `enrollment_id: ${id} is expired or invalid`, {
      handlerForm: true,
    });
  }
  return found;
}

/** Managers decide, about what lies within their own grants. */
function requireRight(
  { session }: OwnedCommand,
  decision: Decision,
  { id, namespaces }: StoredEnrollment,
): void {
  const rights = session.rights();
  const refuse = (why: string): AtError =>
    new AtError("AT0011", `Failed to ${decision} enrollment id: ${id}. ${why}`);
  if (!isManager(rights)) {
    throw refuse('The approving enrollment does not have access to "__manage" namespace');
  }
  if (!coversGrants(rights, namespaces)) {
    throw refuse("Client is not authorized for namespaces in the enrollment request");
  }
}

/** True for a login with the enrollment, or without one but with its key. */
function isOwnLogin(
  { owner: { of } }: OwnedCommand,
  login: LiveLogin,
  enrollment: StoredEnrollment,
): boolean {
  if (login.of !== of) return false;
  if (login.enrollmentId === enrollment.id) return true;
  return login.method === "pkamLegacy" && ownsLegacyKey(of, enrollment);
}

/** From here on nobody acts for the enrollment: its connections end as soon as this is on disk. */
function revoke(command: OwnedCommand, enrollment: StoredEnrollment, after: AfterCommit): void {
  const { services: { basics, logins }, session, owner: { of } } = command;
  const ending = new Set<unknown>();
  logins.each((login, connection) => {
    if (isOwnLogin(command, login, enrollment)) ending.add(connection);
  });
  basics.store.putEnrollment(of.atSign, { ...enrollment, state: "revoked" });
  withdrawKeys(of, enrollment, after);
  after(() => {
    logins.each((_, connection) => {
      if (!ending.has(connection)) return;
      // only this one still has an answer to get
      if (connection === session.connection) {
        session.connection.closeAt(basics.clock.now() + FAREWELL_MS);
      } else connection.close();
    });
    basics.log.info("enrollment revoked", { atSign: of.atSign, enrollmentId: enrollment.id });
  });
}

function approved(enrollment: StoredEnrollment, nowMs: number): StoredEnrollment {
  const lifeMs = enrollment.keysExpiryMs ?? 0;
  return { ...enrollment, state: "approved", expiresAt: lifeMs > 0 ? nowMs + lifeMs : null };
}

function answer(members: Record<string, string>): Outcome {
  return data(JSON.stringify(members));
}
