/** What the verbs work with: the parts of one running set of atServers. */

import type { AtSign } from "../atprotocol/wire/mod.ts";
import type { Basics } from "./basics.ts";
import { ConnectionPool } from "./connection_pool.ts";
import { ForeignValues } from "./foreign_values.ts";
import { HostedAtSigns } from "./hosted_at_signs.ts";
import { LoginThrottle } from "./login_throttle.ts";
import { Notifications } from "./notifications.ts";
import { Outbox } from "./outbox.ts";
import type { PeerGateway } from "./peer_gateway.ts";

export interface Services {
  readonly basics: Basics;
  readonly hosted: HostedAtSigns;
  readonly notifications: Notifications;
  readonly foreignValues: ForeignValues;
  readonly outbox: Outbox;
  readonly peers: PeerGateway;
  readonly throttle: LoginThrottle;
  /** Connections of foreign atServers after `pol`, by the atSign they speak for. */
  readonly peerPools: Map<AtSign, ConnectionPool>;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

export function createServices(basics: Basics, peers: PeerGateway, version: string): Services {
  const hosted = new HostedAtSigns(basics);
  const outbox = new Outbox(basics, peers);
  return {
    basics,
    hosted,
    outbox,
    peers,
    version,
    notifications: new Notifications(basics, hosted, outbox),
    foreignValues: new ForeignValues(basics, hosted, peers),
    throttle: new LoginThrottle(basics.clock, basics.limits),
    peerPools: new Map(),
    startedAt: basics.clock.now(),
  };
}
