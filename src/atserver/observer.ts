/** What a watcher of the atServers hears of as it happens: the metrics, and nobody else so far. */

/** How a notification to a foreign atServer, or to an atSign hosted here, went on. */
export type NotificationEvent = "queued" | "delivered" | "errored" | "expired";

export interface Observer {
  /** A command was answered; `outcome` is `ok` or the code of its refusal, `verb` is `invalid` for what was none. */
  command(verb: string, outcome: string): void;
  notification(event: NotificationEvent): void;
}

/** How many connections there are of each kind, and how many of them have a monitor. */
export interface ConnectionCounts {
  readonly strangers: number;
  readonly owners: number;
  /** Other atServers that have proved who they are. */
  readonly peers: number;
  readonly monitors: number;
}
