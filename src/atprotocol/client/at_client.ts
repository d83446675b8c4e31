/**
 * What a role (client, daemon, relay) needs of the control plane, as one interface: the real one is `openAtClient`,
 * tests bring an in-memory one. Values are plain text here; encryption to and from the wire is the implementation's.
 */

import type { AtKeys, AtSign } from "../wire/mod.ts";

/** A notification for us, decrypted. `from` is what our own atServer says, never what the payload says. */
export interface IncomingNotification {
  readonly id: string;
  readonly from: AtSign;
  /** The full key, lower case, e.g. `@bob:ping.web01.sshnp@alice`. */
  readonly key: string;
  readonly operation: "update" | "delete";
  readonly value: string | null;
  readonly epochMillis: number;
}

/** A notification to send; it is encrypted for `to`. */
export interface OutgoingNotification {
  readonly to: AtSign;
  /** Entity with namespace, e.g. `ping.web01.sshnp`; atSigns are added. */
  readonly entity: string;
  readonly value: string;
  /** Lifetime of the data. */
  readonly ttlMs?: number;
  /** How long servers keep it for an absent receiver; 60 s when not given (NoPorts' value for session messages). */
  readonly ttlnMs?: number;
  /** The receiver's server caches the value: seconds, -1 for ever. */
  readonly ttrSeconds?: number;
  readonly ccd?: boolean;
}

/** A queue of matching notifications, from the moment of `subscribe` on. Bounded: the oldest is dropped with a log line. */
export interface Subscription extends Disposable {
  /** The next notification. @throws the signal's reason when it aborts first; `interrupted` once disposed; why the monitor gave up. */
  next(signal?: AbortSignal): Promise<IncomingNotification>;
}

/** A logged-in atSign: one request connection, one monitor connection, both re-established as needed. */
export interface AtClient extends AsyncDisposable {
  readonly atSign: AtSign;
  readonly keys: AtKeys;
  /** Subscribes to notifications whose key and sender `matches` accepts; subscribe before sending what is answered. */
  subscribe(matches: (key: string, from: AtSign) => boolean): Subscription;
  /** Resolves once the monitor is subscribed (its heartbeat was acknowledged). Starts the monitor when it is not running. */
  monitorReady(signal?: AbortSignal): Promise<void>;
  /** Sends one notification; resolves with its id once our own atServer has accepted it. */
  notify(notification: OutgoingNotification, signal?: AbortSignal): Promise<string>;
  /**
   * The public encryption key of an atSign (base64 SPKI), cached for at most an hour; `refresh` asks its server again.
   * @throws {NoportsError} `atsign_unknown`, `atsign_not_activated`.
   */
  publicKey(of: AtSign, options?: { refresh?: boolean; signal?: AbortSignal }): Promise<string>;
  /** Stores a value shared with `sharedWith`, encrypted. */
  put(
    key: {
      readonly sharedWith: AtSign;
      readonly entity: string;
      readonly ttlMs?: number;
      readonly ttrSeconds?: number;
      readonly ccd?: boolean;
    },
    value: string,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Deletes a key that we shared; a missing one is no error. */
  delete(
    key: { readonly sharedWith: AtSign; readonly entity: string },
    signal?: AbortSignal,
  ): Promise<void>;
  /** A value that `owner` shared with us, decrypted, or null when there is none. */
  get(
    key: { readonly owner: AtSign; readonly entity: string; readonly bypassCache?: boolean },
    signal?: AbortSignal,
  ): Promise<string | null>;
  /** Keys that match `regex`: our own server's, or what `atSign` shares with us. */
  scan(options: { regex?: string; atSign?: AtSign }, signal?: AbortSignal): Promise<string[]>;
}
