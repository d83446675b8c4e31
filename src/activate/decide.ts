/** `noports activate approve`, `deny`, `revoke`, `unrevoke`, `delete`: one decision about each enrollment that is meant. */

import {
  approveEnrollment,
  deleteEnrollment,
  denyEnrollment,
  type Enrollment,
  type EnrollmentStatus,
  revokeEnrollment,
  unrevokeEnrollment,
} from "../atprotocol/client/mod.ts";
import { NoportsError } from "../base/mod.ts";
import { printable } from "./enrollment_text.ts";
import { findById, findSelected } from "./find_enrollments.ts";
import type { Manager, Output } from "./manager.ts";
import type { EnrollmentSelection } from "./options.ts";

export type Decision = "approve" | "deny" | "revoke" | "unrevoke";

interface DecisionRule {
  /** The state that it can be made in. */
  readonly from: EnrollmentStatus;
  readonly announce: (enrollment: Enrollment) => string;
  readonly send: (manager: Manager, enrollment: Enrollment, signal: AbortSignal) => Promise<void>;
  readonly answer: (id: string) => string;
}

const RULES: { readonly [D in Decision]: DecisionRule } = {
  approve: {
    from: "pending",
    announce: ({ id, appName, deviceName }) =>
      `Approving enrollmentId ${id} with appName "${printable(appName)}" ` +
      `and deviceName "${printable(deviceName)}"`,
    send: ({ channel, keys }, enrollment, signal) =>
      approveEnrollment(channel, keys, enrollment, { signal }),
    answer: (id) =>
      `AtEnrollmentResponse{enrollmentId: ${id}, enrollStatus: EnrollmentStatus.approved}`,
  },
  deny: {
    from: "pending",
    announce: ({ id }) => `Denying enrollmentId ${id}`,
    send: ({ channel }, { id }, signal) => denyEnrollment(channel, id, signal),
    answer: (id) => encodeAnswer(id, "denied"),
  },
  revoke: {
    from: "approved",
    announce: ({ id }) => `Revoking enrollmentId ${id}`,
    send: ({ channel }, { id }, signal) => revokeEnrollment(channel, id, { signal }),
    answer: (id) => encodeAnswer(id, "revoked"),
  },
  unrevoke: {
    from: "revoked",
    announce: ({ id }) => `Un-Revoking enrollmentId ${id}`,
    send: ({ channel }, { id }, signal) => unrevokeEnrollment(channel, id, signal),
    answer: (id) => encodeAnswer(id, "approved"),
  },
};

/**
 * Makes `decision` about each enrollment that `selection` means, one after the other; the first refusal ends it.
 * @throws {NoportsError} `not_found`, `conflict` (in another state), `atserver_refused`.
 */
export async function decide(
  manager: Manager,
  decision: Decision,
  selection: EnrollmentSelection,
  output: Output,
): Promise<void> {
  const rule = RULES[decision];
  for (const enrollment of await findSelected(manager, selection, rule.from, output)) {
    output.stdout(rule.announce(enrollment));
    await rule.send(manager, enrollment, output.signal);
    output.stdout(`Server response: ${rule.answer(enrollment.id)}`);
  }
}

/** Removes a denied or revoked enrollment. @throws {NoportsError} `not_found`, `conflict`, `atserver_refused`. */
export async function removeEnrollment(
  manager: Manager,
  id: string,
  { stdout, signal }: Output,
): Promise<void> {
  const { status } = await findById(manager, id, signal);
  if (status !== "denied" && status !== "revoked") {
    throw new NoportsError("conflict", `Cannot delete enrollment ${id}: it is ${status}`, {
      hint: "only denied and revoked enrollments can be deleted",
    });
  }
  stdout("Sending delete request");
  await deleteEnrollment(manager.channel, id, signal);
  stdout(`Server response: ${JSON.stringify({ enrollmentId: id, status: "deleted" })}`);
}

/** What an atServer answers a decision with. */
function encodeAnswer(enrollmentId: string, status: string): string {
  return `data:${JSON.stringify({ status, enrollmentId })}`;
}
