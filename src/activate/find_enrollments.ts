/** Finds the enrollments that a command line means. */

import {
  type Enrollment,
  type EnrollmentStatus,
  fetchEnrollment,
  listEnrollments,
} from "../atprotocol/client/mod.ts";
import { NoportsError } from "../base/mod.ts";
import type { Manager, Output } from "./manager.ts";
import type { EnrollmentFilter, EnrollmentSelection } from "./options.ts";

/** The enrollments that `filter` lets pass, as the server lists them. */
export async function findByFilter(
  { channel }: Manager,
  filter: EnrollmentFilter,
  signal: AbortSignal,
): Promise<Enrollment[]> {
  const states = filter.status === undefined ? [] : [filter.status];
  const found = await listEnrollments(channel, states, signal);
  return found.filter((enrollment) => passes(enrollment, filter));
}

/** The enrollment of that id. @throws {NoportsError} `not_found`. */
export async function findById(
  { channel }: Manager,
  id: string,
  signal: AbortSignal,
): Promise<Enrollment> {
  const found = await fetchEnrollment(channel, id, signal);
  if (found !== null) return found;
  throw new NoportsError("not_found", `Cannot go on: Enrollment ID ${id} not found`, {
    hint: "`noports activate list` shows the enrollments; requests vanish after 48 hours",
  });
}

/**
 * What a decision is about, all in the state `status`; prints how many a filter found.
 * @throws {NoportsError} `not_found`; `conflict` when the named one is in another state.
 */
export async function findSelected(
  manager: Manager,
  selection: EnrollmentSelection,
  status: EnrollmentStatus,
  { stdout, signal }: Output,
): Promise<Enrollment[]> {
  const { id, filter } = selection;
  if (id === undefined) {
    const found = await findByFilter(manager, { ...filter, status }, signal);
    stdout(`Found ${found.length} matching enrollment records`);
    if (found.length === 0) throw nothingFound();
    return found;
  }
  const found = await findById(manager, id, signal);
  if (!passes(found, filter)) throw nothingFound();
  if (found.status !== status) {
    throw new NoportsError("conflict", `Cannot go on: enrollment ${id} is ${found.status}`, {
      hint: `only one that is ${status} can be changed so`,
    });
  }
  return [found];
}

function passes(enrollment: Enrollment, { appName, deviceName }: EnrollmentFilter): boolean {
  return appName?.test(enrollment.appName) !== false &&
    deviceName?.test(enrollment.deviceName) !== false;
}

function nothingFound(): NoportsError {
  return new NoportsError("not_found", "Cannot go on: No matching enrollment(s) found", {
    hint: "`noports activate list` shows the enrollments",
  });
}
