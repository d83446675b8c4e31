/** `plookup`: another atSign's public values, through the owner's own server. */

import { normalizeKey } from "../../atprotocol/wire/mod.ts";
import { readAtSign } from "../at_failures.ts";
import { forOwner, type Handler } from "./command.ts";
import { resolveReference } from "../value_references.ts";
import { answerFound, answerStored } from "./found_value.ts";

export const plookup: Handler<"plookup"> = forOwner(async (command, verb) => {
  const owner = readAtSign(verb.owner);
  const asker = command.owner.of;
  if (owner === asker.atSign) {
    const key = normalizeKey(`public:${verb.entity}${owner}`);
    return answerStored(
      command,
      asker,
      key,
      verb.detail,
      (found) => resolveReference(asker, found, "public:", () => true),
    );
  }
  const { entity, bypassCache } = verb;
  const wanted = { asker, owner, entity, bypassCache };
  return answerFound(await command.services.foreignValues.plookup(wanted), verb.detail);
});
