/** `notify:all`: the same notification to several atSigns, each with an id of its own; all of them or none. */

import { inTransaction } from "../basics.ts";
import { data, forOwner, type Handler } from "./command.ts";
import { prepare } from "./notify.ts";

export const notifyAll: Handler<"notify:all"> = forOwner((command, verb) => {
  const { services, owner } = command;
  const { recipients, verb: _, ...shared } = verb;
  const notifications = recipients.map((recipient) =>
    prepare(command, owner, {
      ...shared,
      ...{ verb: "notify", recipient, priority: "low", strategy: "all", latestN: 1 },
    })
  );
  const ids: Record<string, string> = {};
  inTransaction(services.basics.store, (after) => {
    for (const notification of notifications) {
      // an atSign that was named twice gets one
      if (Object.hasOwn(ids, notification.to)) continue;
      services.notifications.send(owner.of, notification, after);
      ids[notification.to] = notification.id;
    }
  });
  // the blank after the colon is the specification's
  return data(` ${JSON.stringify(ids)}`);
});
