/** `noports activate status`: wiring. */

import {
  ATSIGN_FLAG,
  findActivationStatus,
  parseAtSignFlag,
  ROOT_FLAGS,
} from "../src/activate/mod.ts";
import type { LeafCommand } from "../src/cli/mod.ts";
import { resolveControlPlane } from "../src/config/mod.ts";

export const statusCommand: LeafCommand = {
  name: "status",
  summary: "Tell whether an atSign is known, reachable and activated",
  usage: "-a ATSIGN [flags]",
  flags: [ATSIGN_FLAG, ...ROOT_FLAGS],
  notes: ["Needs no keys. Status 0: activated; 3: unknown or not activated; 6: not reachable."],
  logLevel: "warn",
  run: async (values, context) => {
    const atSign = parseAtSignFlag(values);
    const settings = resolveControlPlane(values, context.env);
    const { line, exitStatus } = await findActivationStatus(atSign, settings, context);
    context.stderr(line);
    return exitStatus;
  },
};
