/** Removes notifications whose time has ended from every mailbox, and keeps how many there were of each. */

import type { AtSign } from "../atprotocol/wire/mod.ts";
import type { Basics } from "./basics.ts";
import type { HostedAtSign } from "./hosted_at_sign.ts";

export function purgeNotifications(
  { store, clock }: Basics,
  find: (atSign: AtSign) => HostedAtSign | undefined,
): void {
  const startedAt = clock.now();
  store.transaction(() => {
    const expired = store.countExpiredNotifications(startedAt);
    const before = expired.map(({ atSign }) => store.countNotifications(atSign));
    store.purgeNotifications(startedAt);
    const durationMs = clock.now() - startedAt;
    for (const [i, { atSign, count }] of expired.entries()) {
      find(atSign)?.statistics.recordCompaction("notificationCompaction", {
        startedAt,
        durationMs,
        before: before[i] ?? count,
        removed: count,
      });
    }
  });
}
