/** Every cap and deadline of the atServers in one place. All are our choice unless a line says otherwise. */

export interface Limits {
  /** A line before login. */
  readonly strangerLineBytes: number;
  /** From the first byte of a line before login to its LF. */
  readonly strangerLineMs: number;
  /** Without a command or a reply, before login; the specification's 10 minutes. */
  readonly strangerIdleMs: number;
  /** A line of another atServer that has proved who it is. */
  readonly peerLineBytes: number;
  readonly peerLineMs: number;
  /** A line of an owner; the specification's buffer. */
  readonly ownerLineBytes: number;
  readonly ownerLineMs: number;
  /** After login, owner or peer; the specification's 30 days. When connections run short, much less (see `idleAllowanceMs`). */
  readonly loggedInIdleMs: number;
  /** A reply or notification that the other side does not take, plus one second for each 64 KB of it. */
  readonly writeMs: number;
  /** Connections in all. */
  readonly connections: number;
  /** Logged-in owner connections of one atSign; the specification's pool. */
  readonly connectionsPerAtSign: number;
  /** Connections of one foreign atSign's server after `pol`. */
  readonly connectionsPerPeer: number;
  /** Connections of one remote address that have not logged in. */
  readonly strangersPerAddress: number;
  /** Commands of one remote address before login, a second; above it they wait, far above it they are refused. */
  readonly strangerRequestsPerSecond: number;
  /** Commands that such an address may send at once. */
  readonly strangerRequestBurst: number;
  /** Failed logins of one address that are answered at once; after that each answer takes longer. */
  readonly freeLoginFailures: number;
  /** Failed logins of one address within a minute; above it its logins are refused unseen until a minute has passed. */
  readonly loginFailures: number;
  /** The longest such delay; the C client waits 3 s for an answer. */
  readonly loginDelayMs: number;
  /** The longest delay of a wrong passcode's answer; the specification's 55 s. */
  readonly wrongPasscodeDelayMs: number;
  /** `enroll:request` on one connection; the specification's 5. */
  readonly enrollRequestsPerHour: number;
  /** A request that nobody decides; the specification's 48 hours. */
  readonly pendingEnrollmentMs: number;
  /** A one-time passcode when its lifetime is not given; the specification's 5 minutes. */
  readonly otpTtlMs: number;
  /** Enrollments of one atSign, in any state. */
  readonly enrollmentsPerAtSign: number;
  /** Lines that wait for a monitor which does not read; above it the connection is closed. */
  readonly monitorQueueBytes: number;
  /** Records in one atSign's mailbox; above it old ones are dropped. */
  readonly notificationsPerAtSign: number;
  /** Characters in one stored value. */
  readonly valueChars: number;
  /** Keys of one atSign; copies of other atSigns' keys may take half of it. */
  readonly keysPerAtSign: number;
  /** A challenge of `from`; the specification's 60 s. */
  readonly challengeMs: number;
  /** How long a notification is kept when its sender does not say; the specification's 15 minutes. */
  readonly notificationTtlMs: number;
  /** Deliveries to a foreign atServer before a notification is given up; the specification's 30. */
  readonly deliveryTries: number;
  /** Pause after a failed delivery to a foreign atServer; the specification's 10 s. */
  readonly quarantineMs: number;
  /** Deliveries to foreign atServers at one time. */
  readonly parallelDeliveries: number;
  /** Statistics to every monitor, which double as a sign of life; the specification's 15 s. */
  readonly statsIntervalMs: number;
  /** Removal of expired keys and notifications; the specification's 3 minutes. */
  readonly expiryIntervalMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  strangerLineBytes: 64 * 1024,
  strangerLineMs: 10_000,
  strangerIdleMs: 600_000,
  peerLineBytes: 1024 * 1024,
  peerLineMs: 30_000,
  ownerLineBytes: 10_240_000,
  ownerLineMs: 600_000,
  loggedInIdleMs: 2_592_000_000,
  writeMs: 30_000,
  connections: 10_000,
  connectionsPerAtSign: 200,
  connectionsPerPeer: 20,
  strangersPerAddress: 100,
  strangerRequestsPerSecond: 200,
  strangerRequestBurst: 5_000,
  freeLoginFailures: 3,
  loginFailures: 200,
  loginDelayMs: 2_000,
  wrongPasscodeDelayMs: 55_000,
  enrollRequestsPerHour: 5,
  pendingEnrollmentMs: 172_800_000,
  otpTtlMs: 300_000,
  enrollmentsPerAtSign: 1_000,
  monitorQueueBytes: 8 * 1024 * 1024,
  notificationsPerAtSign: 10_000,
  valueChars: 10_240_000,
  keysPerAtSign: 100_000,
  challengeMs: 60_000,
  notificationTtlMs: 900_000,
  deliveryTries: 30,
  quarantineMs: 10_000,
  parallelDeliveries: 16,
  statsIntervalMs: 15_000,
  expiryIntervalMs: 180_000,
};

/** The specification's least allowance of a logged-in connection when the pool is full. */
const MIN_LOGGED_IN_IDLE_MS = 60_000;

/**
 * How long a logged-in connection may be idle when `used` of `capacity` places are taken: all of `maxIdleMs` up to half
 * of them, then less in proportion, one minute at the end (atProtocol specification, Connections).
 */
export function idleAllowanceMs(used: number, capacity: number, maxIdleMs: number): number {
  const lowWater = capacity / 2;
  const over = Math.min(Math.max(used - lowWater, 0), capacity - lowWater);
  const share = 1 - over / (capacity - lowWater);
  return Math.floor((maxIdleMs - MIN_LOGGED_IN_IDLE_MS) * share) + MIN_LOGGED_IN_IDLE_MS;
}
