/** `noports activate …`: wiring. */

import { parseAtSign } from "../src/atprotocol/wire/mod.ts";
import { Directory, onboard, reserveKeyFile } from "../src/atprotocol/client/mod.ts";
import { type CommandGroup, type LeafCommand, requiredText } from "../src/cli/mod.ts";
import {
  CONTROL_PLANE_FLAGS,
  defaultKeyFile,
  readActivationCode,
  resolveControlPlane,
} from "../src/config/mod.ts";

const onboardCommand: LeafCommand = {
  name: "onboard",
  summary: "Activate an atSign: make its keys and write its key file",
  usage: "-a ATSIGN --cram-file FILE|- [flags]",
  flags: [
    { long: "atsign", short: "a", value: "ATSIGN", help: "the atSign to activate" },
    {
      long: "cram-file",
      value: "FILE",
      help: "read the activation code from this file, or from standard input with -",
    },
    {
      long: "cramkey",
      aliases: ["license-key"],
      short: "c",
      value: "CODE",
      help: "the activation code itself; others on this machine can see it, so prefer --cram-file",
    },
    {
      long: "keys",
      short: "k",
      value: "FILE",
      help: "the key file to write; never over an existing one",
      default: "~/.atsign/keys/@atsign_key.atKeys",
    },
    ...CONTROL_PLANE_FLAGS,
  ],
  logLevel: "warn",
  run: async (values, context) => {
    const atSign = parseAtSign(requiredText(values, "atsign", "the atSign to activate"));
    const settings = resolveControlPlane(values, context.env);
    const activationCode = await readActivationCode(values, context.stderr);
    const path = values.text("keys") ?? defaultKeyFile(atSign, context.env);
    const file = await reserveKeyFile(path);
    try {
      await onboard({
        atSign,
        activationCode,
        directory: new Directory(settings.rootDomain, settings.caCerts, context.clock),
        caCerts: settings.caCerts,
        clock: context.clock,
        entropy: context.entropy,
        log: context.log,
        save: (keys) => file.write(atSign, keys),
      }, context.signal);
    } finally {
      await file.discard();
    }
    context.stdout(`[Success] Your .atKeys file saved at ${path}`);
  },
};

export const activateCommand: CommandGroup = {
  name: "activate",
  summary: "Activate atSigns and manage their keys",
  commands: [onboardCommand],
};
