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
  | MonitorVerb
  | {
    readonly verb: "enroll";
    readonly operation: EnrollOperation;
    readonly force: boolean;
    /** The JSON text, not parsed. */
    readonly params?: string;
  }
  | { readonly verb: "exit" };

export type VerbName = Verb["verb"];
