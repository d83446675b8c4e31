/** `llookup`: a key of the owner's own store. */

import { notAuthorised } from "../at_failures.ts";
import { isAuthorised, isServerKey } from "../authorisation.ts";
import { keyName } from "../stored_key_name.ts";
import { forOwner, type Handler } from "./command.ts";
import { answerStored } from "./found_value.ts";

export const llookup: Handler<"llookup"> = forOwner((command, verb) => {
  const key = keyName(verb.key);
  const rights = command.session.rights();
  const isAllowed = verb.key.visibility === "public" || isAuthorised(rights, key, "read");
  if (!isAllowed || isServerKey(key, "read")) {
    throw notAuthorised(rights?.enrollmentId ?? null, "llookup", key);
  }
  return answerStored(command, command.owner.of, key, verb.detail);
});
