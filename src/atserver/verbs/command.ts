/** What a verb's handler gets and gives. */

import { AtError, type Verb, type VerbName } from "../../atprotocol/wire/mod.ts";
import type { Services } from "../services.ts";
import type { OwnerLogin, Session } from "../session.ts";

export interface Command {
  readonly services: Services;
  readonly session: Session;
}

export type Outcome =
  /** What stands after `data:`. */
  | { readonly kind: "data"; readonly text: string }
  /** A whole line, for the one verb that has a form of its own. */
  | { readonly kind: "line"; readonly line: string }
  /** The prompt alone: `pol`. */
  | { readonly kind: "prompt" }
  /** No bytes: `monitor`. */
  | { readonly kind: "silence" }
  /** The connection ends without an answer: `@exit`. */
  | { readonly kind: "close" };

/** The member of `Verb` that is called `N`. */
export type VerbOf<N extends VerbName> = Verb extends infer V
  ? V extends { readonly verb: infer K } ? (N extends K ? V : never) : never
  : never;

/** Runs one verb. @throws {AtError} the refusal that the client hears. */
export type Handler<N extends VerbName> = (
  command: Command,
  verb: VerbOf<N>,
) => Outcome | Promise<Outcome>;

/** A verb that only a logged-in owner may use. */
export type OwnerHandler<N extends VerbName> = (
  command: Command & { readonly owner: OwnerLogin },
  verb: VerbOf<N>,
) => Outcome | Promise<Outcome>;

/** Puts the check for the owner in front. */
export function forOwner<N extends VerbName>(handler: OwnerHandler<N>): Handler<N> {
  return (command, verb) => {
    const { login } = command.session;
    if (login.kind !== "owner") {
      throw new AtError("AT0401", "Command cannot be executed without auth");
    }
    return handler({ ...command, owner: login }, verb);
  };
}

export function data(text: string): Outcome {
  return { kind: "data", text };
}
