/** `noports relay`: wiring. */

import { parseRelayOptions, RELAY_FLAGS, runRelay } from "../relay/mod.ts";
import type { LeafCommand } from "../src/cli/mod.ts";
import { CONTROL_PLANE_FLAGS, openOwnClient, resolveControlPlane } from "../src/config/mod.ts";

export const relayCommand: LeafCommand = {
  name: "relay",
  summary: "Join the two ends of sessions on a public host",
  usage: "-a ATSIGN --ip HOST [flags]",
  flags: [...RELAY_FLAGS, ...CONTROL_PLANE_FLAGS],
  notes: [
    "Opens two ports for each session while it lives. It sees ciphertext only and logs byte counts, never bytes.",
  ],
  logLevel: "info",
  run: async (values, context) => {
    const options = parseRelayOptions(values);
    const settings = resolveControlPlane(values, context.env);
    await using client = await openOwnClient(options, settings, context);
    await runRelay(options, { ...context, client }, context.signal);
  },
};
