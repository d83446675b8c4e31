/** What the verbs work with: the parts of one running set of atServers. */

import type { AtSign } from "../atprotocol/wire/mod.ts";
import type { Basics } from "./basics.ts";
import { ConnectionPool } from "./connection_pool.ts";
import { ForeignValues } from "./foreign_values.ts";
import { HostedAtSigns } from "./hosted_at_signs.ts";
import { LiveLogins } from "./live_logins.ts";
import { LoginThrottle } from "./login_throttle.ts";
import { Notifications } from "./notifications.ts";
import { Outbox } from "./outbox.ts";
import { RequestRate } from "./request_rate.ts";
import { PasscodeThrottle } from "./passcode_throttle.ts";
import type { PeerGateway } from "./peer_gateway.ts";

export interface Services {
  readonly basics: Basics;
  readonly hosted: HostedAtSigns;
  readonly notifications: Notifications;
  readonly foreignValues: ForeignValues;
  readonly outbox: Outbox;
  readonly peers: PeerGateway;
  readonly throttle: LoginThrottle;
  readonly requestRate: RequestRate;
  readonly passcodeThrottle: PasscodeThrottle;
  readonly logins: LiveLogins;
  /** Connections of foreign atServers after `pol`, by the atSign they speak for. */
  readonly peerPools: Map<AtSign, ConnectionPool>;
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

export function createServices(basics: Basics, peers: PeerGateway, version: string): Services {
  const hosted = new HostedAtSigns(basics);
  const outbox = new Outbox(basics, peers);
  const foreignValues = new ForeignValues(basics, hosted, peers);
  peers.onPublicKey = (peer, as, answer) => foreignValues.noticePublicKey(peer, as, answer);
  return {
    basics,
    hosted,
    outbox,
    peers,
    version,
    notifications: new Notifications(basics, hosted, outbox),
    foreignValues,
    throttle: new LoginThrottle(basics.clock, basics.limits),
    requestRate: new RequestRate(basics.clock, basics.limits),
    passcodeThrottle: new PasscodeThrottle(basics.clock, basics.limits),
    logins: new LiveLogins(),
    peerPools: new Map(),
    startedAt: basics.clock.now(),
  };
}
