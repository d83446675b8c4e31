/**
 * `enroll`: an app or device asks for keys of its own, managers decide. One file for each group of operations.
 * atProtocol specification, APKAM; our reading of its gaps: PROTOCOL.md.
 */

import { AtError } from "../../atprotocol/wire/mod.ts";
import type { Command, Outcome, VerbOf } from "./command.ts";
import { decideEnrollment } from "./enroll_decide.ts";
import { parseEnrollParams } from "./enroll_params.ts";
import { fetchEnrollment, listEnrollments } from "./enroll_read.ts";
import { requestEnrollment } from "./enroll_request.ts";

export function enroll(command: Command, verb: VerbOf<"enroll">): Outcome | Promise<Outcome> {
  const { operation } = verb;
  if (operation === "request") {
    return requestEnrollment(command, parseEnrollParams(verb.params));
  }
  const { login } = command.session;
  if (login.kind !== "owner") {
    throw new AtError("AT0401", `Cannot ${operation} enrollment without authentication`);
  }
  const owned = { ...command, owner: login };
  switch (operation) {
    case "list":
      return listEnrollments(owned, parseEnrollParams(verb.params ?? "{}"));
    case "fetch":
      return fetchEnrollment(owned, parseEnrollParams(verb.params));
    case "approve":
    case "deny":
    case "revoke":
    case "unrevoke":
    case "delete":
      return decideEnrollment(owned, operation, verb.force, parseEnrollParams(verb.params));
    default:
      return operation satisfies never;
  }
}
