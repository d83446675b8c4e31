/** `noports tunnel`: wiring. */

import type { LeafCommand } from "../src/cli/mod.ts";
import { parseTunnelOptions, runTunnel, TUNNEL_FLAGS } from "../src/client/mod.ts";
import { CONTROL_PLANE_FLAGS, resolveControlPlane } from "../src/config/mod.ts";

export const tunnelCommand: LeafCommand = {
  name: "tunnel",
  summary: "Forward a local port to a TCP service on a device",
  usage: "-f ATSIGN -t ATSIGN -r ATSIGN -d NAME -p PORT [flags]",
  flags: [...TUNNEL_FLAGS, ...CONTROL_PLANE_FLAGS],
  notes: [
    "Prints the local port on stdout when it is ready and runs until it is interrupted. The port is open on loopback only.",
    "Exits with status 6 when the relay or the daemon is lost, and with 7 when the device does not answer: it is silent to whoever " +
    "is not one of its managers.",
  ],
  logLevel: "warn",
  run: (values, context) =>
    runTunnel(parseTunnelOptions(values), resolveControlPlane(values, context.env), context),
};
