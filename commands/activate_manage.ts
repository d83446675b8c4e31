/** `noports activate otp`, `spp`, `list`, `fetch` and the decisions: wiring of what needs a log-in. */

import {
  decide,
  type Decision,
  EXPIRY_FLAG,
  FILTER_FLAGS,
  ID_FLAG,
  JSON_FLAG,
  LIST_FLAGS,
  LOGIN_FLAGS,
  type Manager,
  parseEnrollmentFilter,
  parseEnrollmentId,
  parseExpiryMs,
  parseLoginOptions,
  parseSelection,
  printEnrollment,
  printEnrollments,
  printOtp,
  removeEnrollment,
  setSpp,
  withManager,
} from "../src/activate/mod.ts";
import type { CommandContext, Flag, FlagValues, LeafCommand } from "../src/cli/mod.ts";
import { readPasscode, resolveControlPlane } from "../src/config/mod.ts";

type Work = (manager: Manager, context: CommandContext) => Promise<void>;

interface ManagerCommand extends Pick<LeafCommand, "name" | "summary" | "usage" | "notes"> {
  readonly flags: readonly Flag[];
  /** Reads the command line before anybody is asked, and gives what to do once logged in. */
  readonly prepare: (values: FlagValues) => Work | Promise<Work>;
}

export const managerCommands: readonly LeafCommand[] = [
  managerCommand({
    name: "otp",
    summary: "Make a passcode with which one device may ask for keys",
    usage: "-a ATSIGN [flags]",
    flags: [EXPIRY_FLAG],
    notes: ["Without --expiry the server decides, usually 5 minutes. Approval is still needed."],
    prepare: (values) => {
      const expiryMs = parseExpiryMs(values);
      return (manager, context) => printOtp(manager, expiryMs, context);
    },
  }),
  managerCommand({
    name: "spp",
    summary: "Set a passcode with which many devices may ask for keys",
    usage: "-a ATSIGN --passcode-file FILE|- [flags]",
    flags: [
      {
        long: "spp",
        short: "s",
        value: "CODE",
        help: "6 to 16 letters and digits; others on this machine can see them here",
      },
      {
        long: "passcode-file",
        value: "FILE",
        help: "read the passcode from this file, or from standard input with -",
      },
      EXPIRY_FLAG,
    ],
    notes: ["Approval of each request is still needed."],
    prepare: async (values) => {
      const expiryMs = parseExpiryMs(values);
      const passcode = await readPasscode(values, "spp");
      return (manager, context) => setSpp(manager, passcode, expiryMs, context);
    },
  }),
  managerCommand({
    name: "list",
    summary: "List the enrollments of an atSign",
    usage: "-a ATSIGN [flags]",
    flags: LIST_FLAGS,
    prepare: (values) => {
      const filter = parseEnrollmentFilter(values);
      const json = values.switch("json") === true;
      return (manager, context) => printEnrollments(manager, filter, json, context);
    },
  }),
  managerCommand({
    name: "fetch",
    summary: "Show one enrollment",
    usage: "-a ATSIGN -i ID [flags]",
    flags: [ID_FLAG, JSON_FLAG],
    prepare: (values) => {
      const id = parseEnrollmentId(values);
      const json = values.switch("json") === true;
      return (manager, context) => printEnrollment(manager, id, json, context);
    },
  }),
  decisionCommand("approve", "Give the devices that ask for keys what they ask for"),
  decisionCommand("deny", "Refuse the devices that ask for keys"),
  decisionCommand("revoke", "Take keys back: their connections end at once"),
  decisionCommand("unrevoke", "Make revoked keys good again"),
  managerCommand({
    name: "delete",
    summary: "Delete a denied or revoked enrollment",
    usage: "-a ATSIGN -i ID [flags]",
    flags: [ID_FLAG],
    prepare: (values) => {
      const id = parseEnrollmentId(values);
      return (manager, context) => removeEnrollment(manager, id, context);
    },
  }),
];

function decisionCommand(name: Decision, summary: string): LeafCommand {
  return managerCommand({
    name,
    summary,
    usage: "-a ATSIGN (-i ID | -A REGEX | -D REGEX) [flags]",
    flags: [ID_FLAG, ...FILTER_FLAGS],
    notes: [
      "At least one of -i, -A and -D is needed; an enrollment must fit all that are given. The expressions are JavaScript's and " +
      "match anywhere in the name.",
    ],
    prepare: (values) => {
      const selection = parseSelection(values);
      return (manager, context) => decide(manager, name, selection, context);
    },
  });
}

function managerCommand({ flags, prepare, ...shown }: ManagerCommand): LeafCommand {
  return {
    ...shown,
    flags: [...flags, ...LOGIN_FLAGS],
    logLevel: "warn",
    run: async (values, context) => {
      const login = parseLoginOptions(values);
      const work = await prepare(values);
      const settings = resolveControlPlane(values, context.env);
      await withManager(login, settings, context, (manager) => work(manager, context));
    },
  };
}
