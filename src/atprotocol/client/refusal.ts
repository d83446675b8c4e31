/** The error of a command that an atServer refused or answered in an unexpected way. Pure. */

import { NoportsError } from "../../base/mod.ts";
import type { Reply } from "../wire/mod.ts";

/** `action` completes the sentence "Cannot …". */
export function refusal(reply: Reply, action: string): NoportsError {
  if (reply.kind === "error") {
    return new NoportsError(
      "atserver_refused",
      `Cannot ${action}: the atServer said ${reply.code} ${reply.text}`,
    );
  }
  return new NoportsError("protocol_violation", `Cannot ${action}: an unexpected reply`);
}
