/** `enroll:list` and `enroll:fetch`: managers see all enrollments, others their own. */

import { AtError } from "../../atprotocol/wire/mod.ts";
import { keyNotFound } from "../at_failures.ts";
import { isManager } from "../authorisation.ts";
import { recordName, stateOf } from "../enrollments.ts";
import type { OwnerLogin } from "../session.ts";
import { type Command, data, type Outcome } from "./command.ts";
import { type EnrollParams, required } from "./enroll_params.ts";
import { showEnrollment } from "./enrollment_json.ts";

type OwnedCommand = Command & { readonly owner: OwnerLogin };

export function listEnrollments(command: OwnedCommand, params: EnrollParams): Outcome {
  const { services: { basics }, session, owner: { of } } = command;
  const rights = session.rights();
  const states = params.enrollmentStatusFilter ?? [];
  const now = basics.clock.now();
  const shown = basics.store.listEnrollments(of.atSign)
    .filter(({ id }) => isManager(rights) || rights?.enrollmentId === id)
    .filter((enrollment) => states.length === 0 || states.includes(stateOf(enrollment, now)))
    .map((enrollment) => [recordName(enrollment.id, of.atSign), showEnrollment(enrollment, now)]);
  return data(JSON.stringify(Object.fromEntries(shown)));
}

export function fetchEnrollment(command: OwnedCommand, params: EnrollParams): Outcome {
  const { services: { basics }, session, owner: { of } } = command;
  const id = required(params.enrollmentId, "enrollmentId", "enroll:fetch");
  const rights = session.rights();
  if (!isManager(rights) && rights?.enrollmentId !== id) {
    throw new AtError("AT0009", "Connection is not authorized to fetch another enrollment");
  }
  const found = basics.store.getEnrollment(of.atSign, id);
  if (found === null) throw keyNotFound(recordName(id, of.atSign));
  return data(JSON.stringify(showEnrollment(found, basics.clock.now())));
}
