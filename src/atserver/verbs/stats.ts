/** `stats`: numbers about an atSign. Clients use id 3 only, the highest commit id. */

import { isInGrantedNamespace, type Rights, seesAllNamespaces } from "../authorisation.ts";
import { compileRegex } from "../safe_regex.ts";
import type { HostedAtSign } from "../hosted_at_sign.ts";
import { type Command, data, forOwner, type Handler, type VerbOf } from "./command.ts";

interface Subject {
  readonly services: Command["services"];
  readonly of: HostedAtSign;
  readonly rights: Rights | null;
  readonly matches: (key: string) => boolean;
}

interface Statistic {
  readonly name: string;
  readonly value: (subject: Subject) => string | number;
}

/** In the specification's order. Those that this server does not gather are missing: asked for one, it says so. */
const STATISTICS: ReadonlyMap<string, Statistic> = new Map<string, Statistic>([
  ["1", { name: "activeInboundConnections", value: ({ of }) => String(of.owners.size) }],
  ["3", { name: "lastCommitID", value: lastCommitId }],
  ["4", {
    name: "secondaryStorageSize",
    value: ({ services, of }) => services.basics.store.storedChars(of.atSign),
  }],
  ["7", { name: "secondaryServerVersion", value: ({ services }) => services.version }],
  ["9", {
    name: "diskSize",
    value: ({ services, of }) => `${services.basics.store.storedChars(of.atSign)} bytes`,
  }],
  ["11", {
    name: "NotificationCount",
    value: ({ services, of }) =>
      JSON.stringify({ total: services.basics.store.countNotifications(of.atSign) }),
  }],
  ["15", { name: "LatestCommitEntryOfEachKey", value: latestCommits }],
]);

export const stats: Handler<"stats"> = forOwner(({ services, session, owner }, verb) => {
  const rights = session.rights();
  const subject: Subject = { services, of: owner.of, rights, matches: matcher(verb) };
  const items: string[] = [];
  for (const id of verb.ids.length === 0 ? STATISTICS.keys() : verb.ids) {
    const statistic = STATISTICS.get(id);
    if (statistic === undefined) {
      return { kind: "line", line: `error:null:stat id ${id} is not gathered here` };
    }
    items.push(JSON.stringify({ id, name: statistic.name, value: statistic.value(subject) }));
  }
  // the blank after the colon and the one between items are the specification's
  return data(` [${items.join(", ")}]`);
});

function matcher(verb: VerbOf<"stats">): (key: string) => boolean {
  if (verb.regex === undefined) return () => true;
  const regex = compileRegex(verb.regex);
  return (key) => regex.test(key);
}

function lastCommitId({ services, of, rights, matches }: Subject): string {
  const id = services.basics.store.lastCommitId(
    of.atSign,
    (key) => maySee(rights, key) && matches(key),
  );
  return String(id);
}

function latestCommits({ services, of, rights, matches }: Subject): string {
  const entries = services.basics.store.listCommits(of.atSign)
    .filter(({ key }) => maySee(rights, key) && matches(key))
    .map(({ key, commitId, operation }) => [key, [commitId, operation]]);
  return JSON.stringify(Object.fromEntries(entries));
}

/** Keys without a namespace count for everyone, as the reserved ones do. */
function maySee(rights: Rights | null, key: string): boolean {
  if (rights === null || seesAllNamespaces(rights)) return true;
  return key.startsWith("public:") || isInGrantedNamespace(rights, key) || !key.includes(".");
}
