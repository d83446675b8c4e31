/** `lookup`: to a stranger public values, to a peer what is shared with it, to an owner what another atSign shares. */

import { type AtSign, normalizeKey } from "../../atprotocol/wire/mod.ts";
import { keyNotFound, notAuthorised, readAtSign } from "../at_failures.ts";
import { isAuthorised, isServerKey } from "../authorisation.ts";
import { resolveReference } from "../value_references.ts";
import { type Command, type Outcome, type VerbOf } from "./command.ts";
import { answerFound, answerStored } from "./found_value.ts";

export async function lookup(command: Command, verb: VerbOf<"lookup">): Promise<Outcome> {
  const { session, services } = command;
  const owner = readAtSign(verb.owner);
  const { login } = session;
  if (login.kind !== "owner") return lookupForOthers(command, verb, owner);
  const key = normalizeKey(`${login.of.atSign}:${verb.entity}${owner}`);
  const rights = session.rights();
  if (!isAuthorised(rights, key, "read") || isServerKey(key, "read")) {
    throw notAuthorised(rights?.enrollmentId ?? null, "lookup", key);
  }
  if (owner === login.of.atSign) {
    return answerStored(command, login.of, key, verb.detail, (found) =>
      resolveReference(
        login.of,
        found,
        `${owner}:`,
        (referred) => isAuthorised(rights, referred, "read") && !isServerKey(referred, "read"),
      ));
  }
  const found = await services.foreignValues.lookup({
    asker: login.of,
    owner,
    entity: verb.entity,
    bypassCache: verb.bypassCache,
  });
  return answerFound(found, verb.detail);
}

/** A stranger and a foreign atServer name the atSign that they mean as the key's owner. */
function lookupForOthers(command: Command, verb: VerbOf<"lookup">, owner: AtSign): Outcome {
  const { session, services } = command;
  const front = session.login.kind === "peer" ? session.login.atSign : "public";
  const key = normalizeKey(`${front}:${verb.entity}${owner}`);
  const hosted = services.hosted.find(owner);
  if (hosted === undefined) throw keyNotFound(key);
  if (session.login.kind === "peer") hosted.blockList.check(session.login.atSign, true);
  if (verb.entity.toLowerCase() === "publickey") {
    session.asked = hosted; // what a new client asks before it enrolls
    // how another atServer begins, before it has said who it is
    if (verb.detail === "all") session.bound ??= hosted;
  }
  return answerStored(
    command,
    hosted,
    key,
    verb.detail,
    (found) => resolveReference(hosted, found, `${front}:`, () => true),
  );
}
