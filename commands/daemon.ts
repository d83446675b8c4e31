/** `noports daemon`: wiring. */

import { DAEMON_FLAGS, parseDaemonOptions, runDaemon } from "../daemon/mod.ts";
import type { LeafCommand } from "../src/cli/mod.ts";
import { CONTROL_PLANE_FLAGS, openOwnClient, resolveControlPlane } from "../src/config/mod.ts";

export const daemonCommand: LeafCommand = {
  name: "daemon",
  summary: "Answer session requests for this device",
  usage: "-a ATSIGN -m ATSIGNS -d NAME [flags]",
  flags: [...DAEMON_FLAGS, ...CONTROL_PLANE_FLAGS],
  notes: [
    "Listens on no port: it dials out to its atServer and, for each session, to the relay. Whoever is not a manager gets no answer.",
  ],
  logLevel: "info",
  run: async (values, context) => {
    const options = parseDaemonOptions(values);
    const settings = resolveControlPlane(values, context.env);
    await using client = await openOwnClient(options, settings, context);
    await runDaemon(options, { ...context, client }, context.signal);
  },
};
