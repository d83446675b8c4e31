/** `noop`: the universal sign of life. */

import { AtError } from "../../atprotocol/wire/mod.ts";
import { type Command, data, type Outcome, type VerbOf } from "./command.ts";

/** The specification's longest wait. */
const MAX_MS = 5_000;

export async function noop(
  { services, session }: Command,
  { durationMs }: VerbOf<"noop">,
): Promise<Outcome> {
  if (durationMs > MAX_MS) {
    throw new AtError(
      "AT0022",
      "noop:<durationInMillis> where the duration maximum is 5000 milliseconds",
    );
  }
  if (durationMs > 0) await services.basics.clock.sleep(durationMs, session.connection.signal);
  return data("ok");
}
