/** `noports activate list` and `fetch`: enrollments as the atServer shows them. */

import {
  encodeEnrollmentJson,
  encodeEnrollmentsJson,
  encodeEnrollmentTable,
  encodeFetched,
} from "./enrollment_text.ts";
import { findByFilter, findById } from "./find_enrollments.ts";
import type { Manager, Output } from "./manager.ts";
import type { EnrollmentFilter } from "./options.ts";

/** Prints the enrollments that `filter` lets pass: a table, or one JSON object. */
export async function printEnrollments(
  manager: Manager,
  filter: EnrollmentFilter,
  json: boolean,
  { stdout, signal }: Output,
): Promise<void> {
  const found = await findByFilter(manager, filter, signal);
  if (json) return stdout(encodeEnrollmentsJson(manager.atSign, found));
  stdout(`Found ${found.length} matching enrollment records`);
  if (found.length > 0) { for (const line of encodeEnrollmentTable(found)) stdout(line); }
}

/** Prints one enrollment. @throws {NoportsError} `not_found`. */
export async function printEnrollment(
  manager: Manager,
  id: string,
  json: boolean,
  { stdout, signal }: Output,
): Promise<void> {
  const found = await findById(manager, id, signal);
  stdout(json ? encodeEnrollmentJson(manager.atSign, found) : encodeFetched(found));
}
