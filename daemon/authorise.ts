/**
 * Who may do what on this device: one pure decision, asked when a session is requested and again at each dial. It fails closed.
 */

import type { AtSign } from "../src/atprotocol/wire/mod.ts";
import { isPermitted, type PermitOpenRules } from "../src/session/mod.ts";

export interface AccessRules {
  readonly managers: ReadonlySet<AtSign>;
  readonly permitOpen: PermitOpenRules;
}

export interface AccessTarget {
  readonly host: string;
  readonly port: number;
}

export type Decision =
  | { readonly allowed: true }
  /** `stranger`: gets no answer at all; `target`: a manager asked for what is not permitted and is told so. */
  | { readonly allowed: false; readonly reason: "stranger" | "target" };

/** Decides whether `client` may talk to this device and, with `target` given, reach it. */
export function authorise(rules: AccessRules, client: AtSign, target?: AccessTarget): Decision {
  if (!rules.managers.has(client)) return { allowed: false, reason: "stranger" };
  if (target !== undefined && !isPermitted(rules.permitOpen, target.host, target.port)) {
    return { allowed: false, reason: "target" };
  }
  return { allowed: true };
}
