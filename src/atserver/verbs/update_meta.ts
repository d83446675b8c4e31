/** `update:meta`: changes what is kept beside a value, not the value; a shared key's change is announced without it. */

import { AtError } from "../../atprotocol/wire/mod.ts";
import { notAuthorised, readAtSign } from "../at_failures.ts";
import { isAuthorised, isServerKey } from "../authorisation.ts";
import { inTransaction } from "../basics.ts";
import { keyName } from "../stored_key_name.ts";
import { data, forOwner, type Handler } from "./command.ts";

export const updateMeta: Handler<"update:meta"> = forOwner(({ services, session, owner }, verb) => {
  const { of } = owner;
  const sharedBy = readAtSign(verb.key.owner ?? "");
  if (sharedBy !== of.atSign) {
    throw new AtError(
      "AT0016",
      `Invalid update command - sharedBy atsign ${sharedBy} should be same as current atsign ${of.atSign}`,
    );
  }
  const key = keyName(verb.key);
  const rights = session.rights();
  if (!isAuthorised(rights, key, "write") || isServerKey(key, "write")) {
    throw notAuthorised(rights?.enrollmentId ?? null, "update", key);
  }
  const sharedWith = verb.key.sharedWith === undefined ? null : readAtSign(verb.key.sharedWith);
  const commitId = inTransaction(services.basics.store, (after) => {
    const id = of.writeMetadata(key, verb.metadata, after);
    if (sharedWith !== null) {
      services.notifications.announceKey(of, {
        to: sharedWith,
        key,
        value: null,
        operation: "update",
        metadata: of.read(key)?.metadata ?? null,
      }, after);
    }
    return id;
  });
  return data(String(commitId));
});
