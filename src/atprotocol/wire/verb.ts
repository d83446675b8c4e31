/**
 * The atProtocol's commands as one union: what a client encodes and a server parses.
 * atProtocol specification, Verbs; our reading of its gaps: PROTOCOL.md. Types only, pure.
 */

import type { Metadata } from "./metadata.ts";

/** A stored key as a command names it, before normalisation. `owner` is missing in `privatekey:…` keys. */
export interface KeyRef {
  /** A copy of another atSign's key: the `cached:` prefix. */
  readonly cached: boolean;
  readonly visibility: "public" | "shared" | "self";
  /** Only with visibility `shared`: the atSign in front, with `@`; it may be the owner itself. */
  readonly sharedWith?: string;
  /** Name and namespace, e.g. `phone.wavi`, or `privatekey:at_secret`. */
  readonly entity: string;
  /** The atSign behind, with `@`. */
  readonly owner?: string;
}

/** What a lookup answers: the value, its metadata, or both with the key. */
export type Detail = "value" | "meta" | "all";

/** `clientConfig` of `from`: selects JSON errors when `version` is above 3.0.37. Unknown members are dropped. */
export interface ClientConfig {
  readonly version?: string;
  readonly clientId?: string;
  readonly appName?: string;
  readonly appVersion?: string;
  readonly platform?: string;
}

export interface NotifyVerb {
  readonly verb: "notify";
  readonly id?: string;
  readonly operation: "update" | "delete";
  readonly messageType: "key" | "text";
  readonly priority: "low" | "medium" | "high";
  readonly strategy: "all" | "latest";
  readonly latestN: number;
  readonly notifier?: string;
  /** How long an undelivered notification is kept; absent: the server's default. */
  readonly ttlnMs?: number;
  readonly metadata: Metadata;
  /** The recipient with `@`, or the word `public`. */
  readonly recipient: string;
  /** Text between recipient and owner, e.g. `ping.web01.sshnp`, case kept. */
  readonly key: string;
  readonly owner?: string;
  readonly value?: string;
}

/** One notification to several atSigns. */
export interface NotifyAllVerb {
  readonly verb: "notify:all";
  readonly operation: "update" | "delete";
  readonly messageType: "key" | "text";
  readonly metadata: Metadata;
  /** With `@`; at least one. */
  readonly recipients: readonly string[];
  readonly key: string;
  readonly owner?: string;
  readonly value?: string;
}

/** What an owner received. Dates are `YYYY-MM-DD` in UTC, both inclusive; `toDate` only beside `fromDate`. */
export interface NotifyListVerb {
  readonly verb: "notify:list";
  readonly fromDate?: string;
  readonly toDate?: string;
  readonly regex?: string;
}

/** One of several commands in one line. */
export interface BatchCommand {
  readonly id: number | string;
  readonly command: string;
}

export interface MonitorVerb {
  readonly verb: "monitor";
  readonly strict: boolean;
  readonly selfNotifications: boolean;
  readonly multiplexed: boolean;
  /** Replay what was stored after this time (ms since 1970) before going live. */
  readonly sinceEpochMs?: number;
  readonly regex?: string;
}

export type EnrollOperation =
  | "request"
  | "approve"
  | "deny"
  | "revoke"
  | "unrevoke"
  | "list"
  | "fetch"
  | "delete";

/** What a key of the `keys` verb is for; it decides its stored name. */
export type KeyVisibility = "public" | "private" | "self";

/** `keys`: an enrollment's own key store. `put` has all but the two names of app and device, `delete` a name. */
export interface KeysVerb {
  readonly verb: "keys";
  readonly operation: "put" | "get" | "delete";
  readonly visibility?: KeyVisibility;
  readonly namespace?: string;
  readonly appName?: string;
  readonly deviceName?: string;
  readonly keyType?: string;
  readonly encryptionKeyName?: string;
  /** With `put` the bare name, else the whole stored one. */
  readonly keyName?: string;
  readonly value?: string;
}

export type Verb =
  | { readonly verb: "from"; readonly atSign: string; readonly clientConfig?: ClientConfig }
  | { readonly verb: "cram"; readonly digest: string }
  | {
    readonly verb: "pkam";
    readonly signingAlgo: "rsa2048" | "ecc_secp256r1";
    readonly hashingAlgo: "sha256" | "sha512";
    readonly enrollmentId?: string;
    readonly signature: string;
  }
  | { readonly verb: "pol" }
  | { readonly verb: "noop"; readonly durationMs: number }
  | { readonly verb: "info"; readonly brief: boolean }
  | { readonly verb: "stats"; readonly ids: readonly string[]; readonly regex?: string }
  | {
    readonly verb: "update";
    readonly key: KeyRef;
    readonly value: string;
    readonly metadata: Metadata;
  }
  | { readonly verb: "update:meta"; readonly key: KeyRef; readonly metadata: Metadata }
  | {
    readonly verb: "delete";
    readonly key: KeyRef;
    readonly priority?: "low" | "medium" | "high";
  }
  | { readonly verb: "llookup"; readonly key: KeyRef; readonly detail: Detail }
  | {
    readonly verb: "lookup" | "plookup";
    readonly entity: string;
    readonly owner: string;
    readonly detail: Detail;
    readonly bypassCache: boolean;
  }
  | {
    readonly verb: "scan";
    readonly showHidden: boolean;
    /** Scan another atSign's server for what it shares with us. */
    readonly atSign?: string;
    readonly regex?: string;
  }
  | NotifyVerb
  | NotifyAllVerb
  | NotifyListVerb
  | {
    readonly verb: "notify:status" | "notify:fetch" | "notify:remove";
    readonly id: string;
  }
  | MonitorVerb
  | {
    readonly verb: "sync";
    /** Commits with a greater id; -1 for all. */
    readonly fromCommitId: number;
    /** Part of the form; the server's pages have a size of their own. */
    readonly limit: number;
    readonly regex?: string;
  }
  | { readonly verb: "batch"; readonly commands: readonly BatchCommand[] }
  | {
    readonly verb: "config";
    readonly operation: "block:add" | "block:remove";
    /** With `@`; at least one. */
    readonly atSigns: readonly string[];
  }
  | { readonly verb: "config"; readonly operation: "block:show" }
  | {
    readonly verb: "config";
    /** The vendor's test mode, which changes server settings. */
    readonly operation: "set" | "reset" | "print";
    readonly setting: string;
  }
  | {
    readonly verb: "enroll";
    readonly operation: EnrollOperation;
    readonly force: boolean;
    /** The JSON text, not parsed. */
    readonly params?: string;
  }
  | {
    readonly verb: "otp";
    readonly operation: "get" | "put";
    /** Only with `put`: the semi-permanent passcode. */
    readonly passcode?: string;
    readonly ttlMs?: number;
  }
  | KeysVerb
  | { readonly verb: "exit" };

export type VerbName = Verb["verb"];
