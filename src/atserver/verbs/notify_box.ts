/** `notify:list`, `notify:status`, `notify:fetch`, `notify:remove`: an owner looks into its mailbox. */

import {
  AtError,
  bareName,
  encodeMetadataJson,
  encodeNotificationJson,
  encodeTimestamp,
  normalizeKey,
} from "../../atprotocol/wire/mod.ts";
import { notAuthorised } from "../at_failures.ts";
import { isAuthorised, isAuthorisedForText, type Rights } from "../authorisation.ts";
import { inTransaction } from "../basics.ts";
import { toNotification } from "../monitor.ts";
import { compileRegex } from "../safe_regex.ts";
import type { StoredNotification } from "../store/store.ts";
import {
  type Command,
  data,
  forOwner,
  type Handler,
  type Outcome,
  type VerbOf,
} from "./command.ts";
import type { OwnerLogin } from "../session.ts";

const DAY_MS = 86_400_000;
/** Our choice: the store is read in pages; a list is as long as the longest command, then the oldest are left out. */
const PAGE_RECORDS = 100;
const PAGE_CHARS = 1024 * 1024;
const MAX_LIST_CHARS = 10_240_000;

export function notifyList(
  command: Command,
  verb: VerbOf<"notify:list">,
): Outcome | Promise<Outcome> {
  const { login } = command.session;
  if (login.kind === "peer") {
    throw new AtError("AT0009", `${login.atSign} is not authorized to list notifications`);
  }
  return listForOwner(command, verb);
}

const listForOwner: Handler<"notify:list"> = forOwner(({ services, session, owner }, verb) => {
  const { store, clock } = services.basics;
  const rights = session.rights();
  const regex = compileRegex(verb.regex ?? ".*");
  const fromMs = verb.fromDate === undefined ? 0 : Date.parse(`${verb.fromDate}T00:00:00Z`);
  const untilMs = verb.toDate === undefined
    ? Infinity
    : Date.parse(`${verb.toDate}T00:00:00Z`) + DAY_MS;
  const list: string[] = [];
  let chars = 0;
  for (let afterEpochMs = fromMs - 1;;) {
    const page = store.listReceived(owner.of.atSign, {
      afterEpochMs,
      nowMs: clock.now(),
      includeSelf: false,
      maxRecords: PAGE_RECORDS,
      maxChars: PAGE_CHARS,
    });
    for (const record of page) {
      if (record.epochMillis >= untilMs || !allows(rights, record, "read")) continue;
      if (!regex.test(record.key) && !regex.test(bareName(record.from))) continue;
      const text = encodeNotificationJson(toNotification(record));
      list.push(text);
      chars += text.length;
      while (chars > MAX_LIST_CHARS && list.length > 1) chars -= list.shift()?.length ?? 0;
    }
    const last = page.at(-1)?.epochMillis;
    if (last === undefined || last >= untilMs) break;
    afterEpochMs = last;
  }
  return data(list.length === 0 ? "null" : `[${list.join(",")}]`);
});

export const notifyStatus: Handler<"notify:status"> = forOwner((command, verb) => {
  const found = find(command, verb.verb, verb.id, "read");
  if (found === null) return data("null");
  const isOver = found.status === "queued" &&
    found.expiresAt <= command.services.basics.clock.now();
  return data(isOver ? "expired" : found.status);
});

export const notifyFetch: Handler<"notify:fetch"> = forOwner((command, verb) => {
  const found = find(command, verb.verb, verb.id, "read");
  if (found === null || found.expiresAt <= command.services.basics.clock.now()) {
    return data(JSON.stringify({ id: verb.id, notificationStatus: "NotificationStatus.expired" }));
  }
  return data(describe(found));
});

export const notifyRemove: Handler<"notify:remove"> = forOwner((command, verb) => {
  const { of } = command.owner;
  const { store } = command.services.basics;
  const rights = command.session.rights();
  const records = store.listNotificationsById(of.atSign, verb.id);
  for (const record of records) requireRight(rights, record, verb.verb, "write");
  inTransaction(store, () => {
    for (const record of records) of.removeNotification(record);
  });
  return data("success");
});

/** The record with this id: what the owner sent goes before what somebody else sent under the same id. */
function find(
  { services, session, owner }: Command & { readonly owner: OwnerLogin },
  verb: string,
  id: string,
  access: "read" | "write",
): StoredNotification | null {
  const { atSign } = owner.of;
  const records = services.basics.store.listNotificationsById(atSign, id);
  const found = records.find((record) => record.from === atSign) ?? records[0];
  if (found === undefined) return null;
  requireRight(session.rights(), found, verb, access);
  return found;
}

function requireRight(
  rights: Rights | null,
  record: StoredNotification,
  verb: string,
  access: "read" | "write",
): void {
  if (!allows(rights, record, access)) {
    throw notAuthorised(rights?.enrollmentId ?? null, verb, record.key);
  }
}

function allows(
  rights: Rights | null,
  record: StoredNotification,
  access: "read" | "write",
): boolean {
  return record.messageType === "text"
    ? isAuthorisedForText(rights, access)
    : isAuthorised(rights, normalizeKey(record.key), access);
}

/** Every value is a text, absent ones are the text "null". */
function describe(record: StoredNotification): string {
  return JSON.stringify({
    id: record.id,
    fromAtSign: record.from,
    notificationDateTime: encodeTimestamp(record.epochMillis),
    toAtSign: record.to,
    notification: record.key,
    type: `NotificationType.${record.type}`,
    opType: `OperationType.${record.operation}`,
    messageType: `MessageType.${record.messageType}`,
    priority: `NotificationPriority.${record.priority}`,
    notificationStatus: `NotificationStatus.${record.status}`,
    retryCount: String(record.tries + 1),
    strategy: record.strategy,
    depth: String(record.latestN),
    notifier: record.notifier,
    expiresAt: encodeTimestamp(record.expiresAt),
    atValue: record.value ?? "null",
    atMetadata: record.metadata === null ? "null" : encodeMetadataJson(record.metadata),
    ttl: String(record.expiresAt - record.epochMillis),
  });
}
