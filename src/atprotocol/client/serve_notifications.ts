/** The main loop of a role that waits for requests: daemon and relay. */

import { describeError, type Log } from "../../base/mod.ts";
import type { IncomingNotification, Subscription } from "./at_client.ts";

export interface ServeNotificationsOptions {
  readonly notifications: Subscription;
  /** Starts to serve one; must neither wait for it nor throw. */
  readonly serve: (notification: IncomingNotification) => void;
  /** Aborted when no more can come: what is being served under an identity that was taken away ends with it. */
  readonly over: AbortController;
  readonly log: Log;
}

/**
 * Hands over each notification until `signal` aborts.
 * @throws why no more can come: the monitor gave up for good.
 */
export async function serveNotifications(
  { notifications, serve, over, log }: ServeNotificationsOptions,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    let notification: IncomingNotification;
    try {
      notification = await notifications.next(signal);
    } catch (error) {
      if (signal.aborted) return;
      log.error("no more requests: our atServer takes us no more", {
        reason: describeError(error),
      });
      over.abort(error);
      throw error;
    }
    serve(notification);
  }
}
