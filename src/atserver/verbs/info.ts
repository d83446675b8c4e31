/** `info`: version and uptime; to an enrolled client its enrollment too. */

import { describeEnrollment } from "./enrollment_json.ts";
import { type Command, data, type Outcome, type VerbOf } from "./command.ts";

export function info({ services, session }: Command, { brief }: VerbOf<"info">): Outcome {
  const uptimeMs = services.basics.clock.now() - services.startedAt;
  const enrollment = session.enrollment();
  return data(JSON.stringify({
    version: services.version,
    ...(brief ? { uptimeAsMillis: uptimeMs } : { uptimeAsWords: inWords(uptimeMs) }),
    ...(enrollment === null ? {} : { apkam_metadata: describeEnrollment(enrollment) }),
  }));
}

function inWords(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor(seconds / 3_600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  return `${days} days ${hours} hours ${minutes} minutes ${seconds % 60} seconds`;
}
