/** `monitor`: subscribes the connection to its atSign's notifications. It has no reply. */

import { Monitor } from "../monitor.ts";
import { compileRegex } from "../safe_regex.ts";
import { EnrollmentGone, type Session } from "../session.ts";
import type { Rights } from "../authorisation.ts";
import { forOwner, type Handler } from "./command.ts";

export const monitor: Handler<"monitor"> = forOwner(({ services, session, owner }, verb) => {
  const { of } = owner;
  session.startMonitor(
    of,
    new Monitor(services.basics, {
      owner: of.atSign,
      sink: session.connection,
      rights: () => currentRights(session),
      regex: compileRegex(verb.regex ?? ".*"),
      selfNotifications: verb.selfNotifications,
      strict: verb.strict,
      sinceEpochMs: verb.sinceEpochMs ?? null,
    }),
  );
  return { kind: "silence" };
});

function currentRights(session: Session): Rights | null | undefined {
  try {
    return session.rights();
  } catch (error) {
    if (error instanceof EnrollmentGone) return undefined;
    throw error;
  }
}
