/** `noports activate enroll`: wiring. */

import { enroll, ENROLL_FLAGS, parseEnrollOptions } from "../src/activate/mod.ts";
import type { LeafCommand } from "../src/cli/mod.ts";
import { readPasscode, resolveControlPlane } from "../src/config/mod.ts";

export const enrollCommand: LeafCommand = {
  name: "enroll",
  summary: "Ask for keys of this device's own and wait until they are approved",
  usage: "-a ATSIGN --passcode-file FILE|- -p APP -d DEVICE -n NAMESPACES -k FILE [flags]",
  flags: ENROLL_FLAGS,
  notes: [
    "The passcode comes from `noports activate otp` where the atSign's keys are; `noports activate approve` there ends the " +
    "waiting. Leave this running until then: a request that is interrupted cannot be taken up again.",
  ],
  logLevel: "warn",
  run: async (values, context) => {
    const options = parseEnrollOptions(values);
    const settings = resolveControlPlane(values, context.env);
    await enroll(options, await readPasscode(values, "passcode"), settings, context);
  },
};
