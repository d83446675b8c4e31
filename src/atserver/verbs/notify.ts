/** `notify`: an owner sends a notification, or a foreign atServer delivers one. */

import {
  AtError,
  type AtSign,
  isNotificationEncrypted,
  type Metadata,
  normalizeKey,
} from "../../atprotocol/wire/mod.ts";
import { notAuthorised, readAtSign } from "../at_failures.ts";
import { isAuthorised, isAuthorisedForText } from "../authorisation.ts";
import { inTransaction } from "../basics.ts";
import type { NewNotification } from "../notifications.ts";
import type { OwnerLogin } from "../session.ts";
import { type Command, data, type Outcome, type VerbOf } from "./command.ts";

/** The specification's default. */
const DEFAULT_NOTIFIER = "SYSTEM";

export function notify(command: Command, verb: VerbOf<"notify">): Outcome {
  const { login } = command.session;
  switch (login.kind) {
    case "owner":
      return send(command, login, verb);
    case "peer":
      return deliver(command, login.atSign, verb);
    case "none":
      throw new AtError("AT0401", "Notify command cannot be executed without authentication");
    default:
      return login satisfies never;
  }
}

function send(command: Command, login: OwnerLogin, verb: VerbOf<"notify">): Outcome {
  const { services } = command;
  const notification = prepare(command, login, verb);
  inTransaction(
    services.basics.store,
    (after) => services.notifications.send(login.of, notification, after),
  );
  return data(notification.id);
}

/** What an owner's `notify` sends. @throws {AtError} AT0009 when it may not, AT0011 for a bad atSign, AT0016. */
export function prepare(
  command: Command,
  { of }: OwnerLogin,
  verb: VerbOf<"notify">,
): NewNotification {
  const to = readRecipient(verb);
  const owner = verb.owner === undefined ? of.atSign : readAtSign(verb.owner);
  if (owner !== of.atSign) {
    throw new AtError("AT0009", `${owner} is not authorized to send notification as ${of.atSign}`);
  }
  const notification = build(command, verb, to, owner);
  const rights = command.session.rights();
  const isAllowed = verb.messageType === "text"
    ? isAuthorisedForText(rights, "write")
    : isAuthorised(rights, normalizeKey(notification.key), "write");
  if (!isAllowed) throw notAuthorised(rights?.enrollmentId ?? null, "notify", notification.key);
  return notification;
}

/** From a proven peer, for one of ours, about its own keys: nothing else. */
function deliver(command: Command, peer: AtSign, verb: VerbOf<"notify">): Outcome {
  const { services } = command;
  const to = readRecipient(verb);
  const receiver = services.hosted.find(to);
  if (receiver === undefined) {
    throw new AtError("AT0009", `${peer} is not authorized to send notification to ${to}`);
  }
  receiver.blockList.check(peer, true);
  const owner = verb.owner === undefined ? peer : readAtSign(verb.owner);
  if (verb.messageType === "key" && owner !== peer) {
    throw new AtError("AT0009", `${peer} is not authorized to send notification as ${owner}`);
  }
  const notification = build(command, verb, to, owner);
  inTransaction(
    services.basics.store,
    (after) => services.notifications.receive(receiver, peer, notification, after),
  );
  return data("success");
}

function readRecipient(verb: VerbOf<"notify">): AtSign {
  // a notification to nobody: the specification's way to say so is that of a bad atSign
  return readAtSign(verb.recipient === "public" ? "" : verb.recipient);
}

function build(
  { services }: Command,
  verb: VerbOf<"notify">,
  to: AtSign,
  owner: AtSign,
): NewNotification {
  const key = keyText(verb, to, owner);
  // only what a store could hold; the text keeps its case
  if (verb.messageType === "key") normalizeKey(key);
  return {
    id: verb.id ?? services.basics.entropy.uuid(),
    to,
    key,
    value: verb.value ?? null,
    operation: verb.operation,
    messageType: verb.messageType,
    priority: verb.priority,
    strategy: verb.strategy,
    latestN: verb.latestN,
    notifier: verb.notifier ?? DEFAULT_NOTIFIER,
    isEncrypted: isNotificationEncrypted(verb),
    metadata: metadataOf(verb),
    ttlnMs: verb.ttlnMs ?? services.basics.limits.notificationTtlMs,
  };
}

function keyText(verb: VerbOf<"notify">, to: AtSign, owner: AtSign): string {
  if (verb.messageType === "text") return `${to}:${verb.key}`;
  return verb.key.startsWith("public:") ? `${verb.key}${owner}` : `${to}:${verb.key}${owner}`;
}

/** `sharedKeyStatus` is parsed and never kept. */
function metadataOf(verb: VerbOf<"notify">): Metadata {
  const { sharedKeyStatus: _, ...kept } = verb.metadata;
  return kept;
}
