/** `update`: stores a value; one shared with another atSign is announced to it. */

import { AtError } from "../../atprotocol/wire/mod.ts";
import { notAuthorised, readAtSign } from "../at_failures.ts";
import { isAuthorised, isServerKey } from "../authorisation.ts";
import { inTransaction } from "../basics.ts";
import { keyName } from "../stored_key_name.ts";
import { data, forOwner, type Handler } from "./command.ts";

export const update: Handler<"update"> = forOwner(({ services, session, owner }, verb) => {
  const { of } = owner;
  const isReserved = verb.key.entity.startsWith("privatekey:");
  if (verb.key.owner === undefined && !isReserved) {
    throw new AtError("AT0016", "You may not update keys of type KeyType.invalidKey");
  }
  const sharedBy = verb.key.owner === undefined ? of.atSign : readAtSign(verb.key.owner);
  if (sharedBy !== of.atSign) {
    throw new AtError(
      "AT0016",
      `Invalid update command - sharedBy atsign ${sharedBy} should be same as current atsign ${of.atSign}`,
    );
  }
  const key = keyName(verb.key);
  if (verb.key.cached || /^(?:private|local|cached):/.test(verb.key.entity.toLowerCase())) {
    throw new AtError("AT0016", "You may not update keys of this type");
  }
  const rights = session.rights();
  if (!isAuthorised(rights, key, "write") || isServerKey(key, "write")) {
    throw notAuthorised(rights?.enrollmentId ?? null, "update", key);
  }
  const sharedWith = verb.key.sharedWith === undefined ? null : readAtSign(verb.key.sharedWith);
  const commitId = inTransaction(services.basics.store, (after) => {
    const id = of.write(key, verb.value, verb.metadata, after);
    if (sharedWith !== null) {
      services.notifications.announceKey(of, {
        to: sharedWith,
        key,
        value: verb.value,
        operation: "update",
        metadata: of.read(key)?.metadata ?? null,
      }, after);
    }
    return id;
  });
  return data(String(commitId));
});
