/** `delete`: removes a key; the atSign that it was shared with hears of it. */

import { AtError } from "../../atprotocol/wire/mod.ts";
import { notAuthorised, readAtSign } from "../at_failures.ts";
import { isAuthorised, protectedName } from "../authorisation.ts";
import { inTransaction } from "../basics.ts";
import { CRAM_SECRET_KEY } from "../hosted_at_signs.ts";
import { keyName } from "../stored_key_name.ts";
import { data, forOwner, type Handler } from "./command.ts";

/** Says that the CRAM secret is gone for good. */
const CRAM_SECRET_DELETED_KEY = "privatekey:at_secret_deleted";

export const deleteKey: Handler<"delete"> = forOwner(({ services, session, owner }, verb) => {
  const { of } = owner;
  const isReserved = verb.key.entity.startsWith("privatekey:");
  const sharedBy = verb.key.owner === undefined ? null : readAtSign(verb.key.owner);
  if (!isReserved && !verb.key.cached && sharedBy !== of.atSign) {
    throw new AtError(
      "AT0016",
      `Invalid delete command - sharedBy atsign ${sharedBy} should be same as current atsign ${of.atSign}`,
    );
  }
  const key = keyName(verb.key);
  const shownName = protectedName(key, of.atSign);
  if (shownName !== null) {
    throw new AtError("AT0009", `Cannot delete protected key: '${shownName}'`);
  }
  const rights = session.rights();
  if (!isAuthorised(rights, key, "write")) {
    throw notAuthorised(rights?.enrollmentId ?? null, "delete", key);
  }
  const isOwnShared = !verb.key.cached && verb.key.sharedWith !== undefined;
  const sharedWith = isOwnShared ? readAtSign(verb.key.sharedWith ?? "") : null;
  const commitId = inTransaction(services.basics.store, (after) => {
    const id = of.remove(key, after);
    if (key === CRAM_SECRET_KEY) of.write(CRAM_SECRET_DELETED_KEY, "true", {}, after);
    // also when it was never stored here: the other side may keep a copy from a notification
    if (sharedWith !== null) {
      services.notifications.announceKey(of, {
        to: sharedWith,
        key,
        value: null,
        operation: "delete",
        metadata: null,
      }, after);
    }
    return id;
  });
  return data(String(commitId));
});
