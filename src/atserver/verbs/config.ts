/** `config`: the atSigns that this one does not want to hear of. The vendor's test settings are refused. */

import { notAuthorised, readAtSign } from "../at_failures.ts";
import { isManager } from "../authorisation.ts";
import { inTransaction } from "../basics.ts";
import { data, forOwner, type Handler } from "./command.ts";

export const config: Handler<"config"> = forOwner(({ services, session, owner }, verb) => {
  const { of } = owner;
  const rights = session.rights();
  if (!isManager(rights)) {
    throw notAuthorised(rights?.enrollmentId ?? null, "config", of.blockList.key);
  }
  switch (verb.operation) {
    case "block:show": {
      const blocked = of.blockList.list();
      return data(blocked.length === 0 ? "null" : JSON.stringify(blocked));
    }
    case "block:add":
    case "block:remove": {
      // nobody blocks itself
      const atSigns = verb.atSigns.map(readAtSign).filter((atSign) => atSign !== of.atSign);
      inTransaction(services.basics.store, (after) => {
        if (verb.operation === "block:add") of.blockList.add(atSigns, after);
        else of.blockList.remove(atSigns, after);
      });
      return data("success");
    }
    case "set":
    case "reset":
    case "print":
      return data("testing mode disabled by default");
    default:
      return verb satisfies never;
  }
});
