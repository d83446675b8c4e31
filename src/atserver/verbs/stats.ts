/** `stats`: numbers about an atSign. Clients use id 3 only, the highest commit id. */

import type { Rights } from "../authorisation.ts";
import type { KeptStatistic } from "../atsign_statistics.ts";
import { compileRegex } from "../safe_regex.ts";
import type { HostedAtSign } from "../hosted_at_sign.ts";
import { maySync } from "../synced_keys.ts";
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

/** In the specification's order; texts but for one number. */
const STATISTICS: ReadonlyMap<string, Statistic> = new Map<string, Statistic>([
  ["1", { name: "activeInboundConnections", value: ({ of }) => String(of.owners.size) }],
  ["2", {
    name: "activeOutboundConnections",
    value: ({ services, of }) => String(services.peers.countLinks?.(of.atSign) ?? 0),
  }],
  ["3", { name: "lastCommitID", value: lastCommitId }],
  ["4", {
    name: "secondaryStorageSize",
    value: ({ services, of }) => services.basics.store.storedChars(of.atSign),
  }],
  ["5", { name: "topAtSigns", value: ({ of }) => JSON.stringify(of.statistics.topAtSigns()) }],
  ["6", { name: "topKeys", value: topKeys }],
  ["7", { name: "secondaryServerVersion", value: ({ services }) => services.version }],
  ["8", { name: "LastLoggedInDatetime", value: kept("lastLogin", "null") }],
  ["9", {
    name: "diskSize",
    value: ({ services, of }) => `${services.basics.store.storedChars(of.atSign)} bytes`,
  }],
  ["10", { name: "LastPkam", value: kept("lastPkam", "null") }],
  ["11", { name: "NotificationCount", value: notificationCounts }],
  ["12", { name: "CommitLogCompactionStats", value: kept("commitLogCompaction", "{}") }],
  ["13", {
    name: "AccessLogCompactionStats",
    value: ({ of }) => of.statistics.accessCompaction() ?? "{}",
  }],
  ["14", { name: "NotificationCompactionStats", value: kept("notificationCompaction", "{}") }],
  ["15", { name: "LatestCommitEntryOfEachKey", value: latestCommits }],
]);

export const stats: Handler<"stats"> = forOwner(({ services, session, owner }, verb) => {
  const rights = session.rights();
  const subject: Subject = { services, of: owner.of, rights, matches: matcher(verb) };
  const items: string[] = [];
  for (const id of verb.ids.length === 0 ? STATISTICS.keys() : verb.ids) {
    const statistic = STATISTICS.get(id);
    if (statistic === undefined) {
      return { kind: "line", line: `error:null:unknown stat id ${id}` };
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

function kept(name: KeptStatistic, otherwise: string): Statistic["value"] {
  return ({ of }) => of.statistics.read(name) ?? otherwise;
}

function lastCommitId({ services, of, rights, matches }: Subject): string {
  const id = services.basics.store.lastCommitId(
    of.atSign,
    (key) => maySync(rights, key) && matches(key),
  );
  return String(id);
}

function topKeys({ of, rights }: Subject): string {
  const counts = Object.entries(of.statistics.topKeys());
  return JSON.stringify(Object.fromEntries(counts.filter(([key]) => maySync(rights, key))));
}

function notificationCounts({ services, of }: Subject): string {
  const counts = {
    total: 0,
    type: { sent: 0, received: 0, self: 0 },
    status: { queued: 0, delivered: 0, errored: 0, expired: 0 },
    operations: { update: 0, delete: 0 },
    messageType: { key: 0, text: 0 },
  };
  for (const kind of services.basics.store.countNotificationKinds(of.atSign)) {
    counts.total += kind.count;
    counts.type[kind.type] += kind.count;
    counts.status[kind.status] += kind.count;
    counts.operations[kind.operation] += kind.count;
    counts.messageType[kind.messageType] += kind.count;
  }
  return JSON.stringify(counts);
}

function latestCommits({ services, of, rights, matches }: Subject): string {
  const entries = services.basics.store.listCommits(of.atSign)
    .filter(({ key }) => maySync(rights, key) && matches(key))
    .map(({ key, commitId, operation }) => [key, [commitId, operation]]);
  return JSON.stringify(Object.fromEntries(entries));
}
