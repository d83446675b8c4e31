/** `scan`: names of keys, as far as who asks may know them. */

import { AtError, type AtSign } from "../../atprotocol/wire/mod.ts";
import { readAtSign } from "../at_failures.ts";
import {
  isAuthorised,
  isInGrantedNamespace,
  type Rights,
  seesAllNamespaces,
} from "../authorisation.ts";
import type { HostedAtSign } from "../hosted_at_sign.ts";
import { compileRegex } from "../safe_regex.ts";
import { isSecret } from "../stored_key_name.ts";
import { type Command, data, type Outcome, type VerbOf } from "./command.ts";

const PUBLIC = "public:";

export async function scan(command: Command, verb: VerbOf<"scan">): Promise<Outcome> {
  const matches = matcher(verb.regex);
  const { session, services } = command;
  const { login } = session;
  if (verb.atSign !== undefined) {
    return list(await scanOther(command, verb, readAtSign(verb.atSign)));
  }
  if (login.kind === "owner") {
    const rights = session.rights();
    const keys = login.of.listActive().filter((key) => isShown(key, verb.showHidden));
    return list(keys.filter((key) => maySee(rights, key)).filter(matches));
  }
  if (login.kind === "peer") {
    session.bound?.blockList.check(login.atSign, true);
    return list(session.bound?.listSharedWith(login.atSign, matches) ?? []);
  }
  const { sniAtSign } = session.info;
  const meant = sniAtSign === null ? undefined : services.hosted.find(sniAtSign);
  return list(meant === undefined ? [] : listPublic(meant, matches));
}

async function scanOther(
  { session, services }: Command,
  verb: VerbOf<"scan">,
  other: AtSign,
): Promise<string[]> {
  const { login } = session;
  if (login.kind !== "owner") {
    throw new AtError("AT0401", "Scan to another atSign cannot be performed without auth");
  }
  const rights = session.rights();
  const { of } = login;
  if (other === of.atSign) {
    return of.listSharedWith(other, matcher(verb.regex)).filter((name) =>
      isAuthorised(rights, `${other}:${name}`, "read")
    );
  }
  const names = await services.foreignValues.scan(of, other, verb.regex, matcher(verb.regex));
  return names.filter((name) => isAuthorised(rights, `${of.atSign}:${name}`, "read"));
}

function listPublic(of: HostedAtSign, matches: (key: string) => boolean): string[] {
  return of.listActive(PUBLIC)
    .filter((key) => !key.startsWith(`${PUBLIC}_`))
    .filter(matches)
    .map((key) => key.slice(PUBLIC.length));
}

function isShown(key: string, showHidden: boolean): boolean {
  if (isSecret(key)) return false;
  if (key.startsWith("_") || key.startsWith(`${PUBLIC}__`)) return showHidden;
  return !key.startsWith(`${PUBLIC}_`);
}

function maySee(rights: Rights | null, key: string): boolean {
  if (rights === null || seesAllNamespaces(rights) || key.startsWith(PUBLIC)) return true;
  return isInGrantedNamespace(rights, key);
}

function matcher(source: string | undefined): (key: string) => boolean {
  if (source === undefined) return () => true;
  const regex = compileRegex(source);
  return (key) => regex.test(key);
}

function list(keys: readonly string[]): Outcome {
  return data(JSON.stringify(keys));
}
