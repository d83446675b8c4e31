/** `noports activate …`: the family; each command's wiring is beside it. */

import type { CommandGroup } from "../src/cli/mod.ts";
import { enrollCommand } from "./activate_enroll.ts";
import { managerCommands } from "./activate_manage.ts";
import { onboardCommand } from "./activate_onboard.ts";
import { statusCommand } from "./activate_status.ts";

export const activateCommand: CommandGroup = {
  name: "activate",
  summary: "Activate atSigns and manage their keys",
  commands: [statusCommand, onboardCommand, ...managerCommands, enrollCommand],
};
