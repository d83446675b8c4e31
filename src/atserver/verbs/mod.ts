/** The table of verbs: one handler to a file. To add a verb, add its form in `wire/` and its handler here. */

import type { Verb, VerbName } from "../../atprotocol/wire/mod.ts";
import { batchWith } from "./batch.ts";
import type { Command, Handler, Outcome } from "./command.ts";
import { config } from "./config.ts";
import { cram } from "./cram.ts";
import { deleteKey } from "./delete.ts";
import { enroll } from "./enroll.ts";
import { from } from "./from.ts";
import { info } from "./info.ts";
import { keys } from "./keys.ts";
import { llookup } from "./llookup.ts";
import { lookup } from "./lookup.ts";
import { monitor } from "./monitor.ts";
import { noop } from "./noop.ts";
import { notify } from "./notify.ts";
import { notifyAll } from "./notify_all.ts";
import { notifyFetch, notifyList, notifyRemove, notifyStatus } from "./notify_box.ts";
import { otp } from "./otp.ts";
import { pkam } from "./pkam.ts";
import { plookup } from "./plookup.ts";
import { pol } from "./pol.ts";
import { scan } from "./scan.ts";
import { stats } from "./stats.ts";
import { sync } from "./sync.ts";
import { update } from "./update.ts";
import { updateMeta } from "./update_meta.ts";

export type { Command, Outcome } from "./command.ts";

const HANDLERS: { readonly [N in VerbName]: Handler<N> } = {
  from,
  cram,
  pkam,
  pol,
  enroll,
  otp,
  keys,
  lookup,
  plookup,
  llookup,
  update,
  "update:meta": updateMeta,
  delete: deleteKey,
  scan,
  notify,
  "notify:all": notifyAll,
  "notify:list": notifyList,
  "notify:status": notifyStatus,
  "notify:fetch": notifyFetch,
  "notify:remove": notifyRemove,
  monitor,
  noop,
  info,
  stats,
  sync,
  batch: batchWith(runVerb),
  config,
  exit: () => ({ kind: "close" }),
};

/** Runs one verb. @throws {AtError} the refusal that the client hears; `EnrollmentGone`: close without a word. */
export async function runVerb(command: Command, verb: Verb): Promise<Outcome> {
  // an enrollment that was revoked or has expired ends the connection with its next command, whichever it is
  command.session.enrollment();
  const handler = HANDLERS[verb.verb] as Handler<VerbName>;
  return await handler(command, verb);
}
