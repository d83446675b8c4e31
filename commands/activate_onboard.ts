/** `noports activate onboard`: wiring. */

import { type AtSign, parseAtSign } from "../src/atprotocol/wire/mod.ts";
import {
  Directory,
  onboard,
  parseVerificationCode,
  redeemVerificationCode,
  type RegistrarTarget,
  requestVerificationCode,
  reserveKeyFile,
} from "../src/atprotocol/client/mod.ts";
import { NoportsError } from "../src/base/mod.ts";
import {
  type CommandContext,
  type LeafCommand,
  parseHostPort,
  requiredText,
} from "../src/cli/mod.ts";
import {
  CONTROL_PLANE_FLAGS,
  defaultKeyFile,
  isInteractive,
  readActivationCode,
  readTypedLine,
  resolveControlPlane,
} from "../src/config/mod.ts";

/** The vendor's. */
const DEFAULT_REGISTRAR = "my.atsign.com";
const REGISTRAR_PORT = 443;

export const onboardCommand: LeafCommand = {
  name: "onboard",
  summary: "Activate an atSign: make its keys and write its key file",
  usage: "-a ATSIGN [--cram-file FILE|-] [flags]",
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
    {
      long: "registrarUrl",
      aliases: ["registrar-url"],
      short: "g",
      value: "HOST[:PORT]",
      help: "the registrar to ask when no activation code is given",
      default: DEFAULT_REGISTRAR,
    },
    ...CONTROL_PLANE_FLAGS,
  ],
  notes: [
    "Without an activation code the registrar is asked to send a verification code to the atSign's owner, which is then " +
    "typed in here; that needs a terminal.",
  ],
  logLevel: "warn",
  run: async (values, context) => {
    const atSign = parseAtSign(requiredText(values, "atsign", "the atSign to activate"));
    const settings = resolveControlPlane(values, context.env);
    const registrar: RegistrarTarget = {
      ...parseHostPort(
        values.text("registrarUrl") ?? DEFAULT_REGISTRAR,
        "--registrarUrl",
        REGISTRAR_PORT,
      ),
      caCerts: settings.caCerts,
    };
    const given = await readActivationCode(values, context.stderr);
    const path = values.text("keys") ?? defaultKeyFile(atSign, context.env);
    const file = await reserveKeyFile(path);
    try {
      const activationCode = given ?? await askRegistrar(registrar, atSign, context);
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

/** The activation code, by way of a verification code that is typed in: the vendor's tool's words. */
async function askRegistrar(
  registrar: RegistrarTarget,
  atSign: AtSign,
  { stdout, stderr, signal }: CommandContext,
): Promise<string> {
  if (!isInteractive()) {
    throw new NoportsError(
      "usage",
      "Cannot activate: no activation code, and this is no terminal",
      {
        hint: "give it with --cram-file FILE, or --cram-file - to read it from standard input",
      },
    );
  }
  await requestVerificationCode(registrar, atSign, signal);
  stdout("[Information] Successfully sent verification code to your registered e-mail");
  stdout(
    "[Action Required] Enter your verification code: (verification code is not case-sensitive)",
  );
  while (true) {
    const typed = await readTypedLine(signal);
    if (typed === null) throw new NoportsError("usage", "Cannot activate: no code was typed in");
    const code = parseVerificationCode(typed);
    if (code === null) {
      stderr("[Unable to proceed] The verification code you entered is invalid.");
      stderr("Please check your email for a 4-character verification code.");
      stderr(
        "If you cannot see the code in your inbox, please check your spam/junk/promotions folders.",
      );
      stderr("[Action Required] Enter your verification code:");
      continue;
    }
    const secret = await redeemVerificationCode(registrar, atSign, code, signal);
    if (secret !== null) {
      stdout("[Information] CRAM Key fetched successfully");
      return secret;
    }
    throw new NoportsError(
      "auth_failed",
      "Invalid verification code. Please enter a valid verification code",
      { hint: "run the command again for a new code" },
    );
  }
}
