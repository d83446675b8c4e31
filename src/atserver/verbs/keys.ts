/**
 * `keys`: what an enrollment keeps for itself on the server, and where it finds the keys that its approver encrypted for
 * it. atProtocol specification, APKAM; upstream lets every enrollment read every stored key here, which we do not.
 */

import { AtError, type AtSign, type KeysVerb, normalizeKey } from "../../atprotocol/wire/mod.ts";
import { notAuthorised } from "../at_failures.ts";
import { isManager, MANAGE_NAMESPACE } from "../authorisation.ts";
import { inTransaction } from "../basics.ts";
import { defaultKeyNames } from "../enrollments.ts";
import type { OwnerLogin } from "../session.ts";
import type { StoredEnrollment } from "../store/store.ts";
import { type Command, data, forOwner, type Handler, type Outcome } from "./command.ts";

const GLOBAL_NAMESPACE = "__global";
const SEGMENT = {
  public: "__public_keys",
  private: "__private_keys",
  self: "__self_keys",
} as const;
/** Keys of this verb are not in the commit log. */
const NO_COMMIT = "-1";

interface Access {
  readonly command: Command & { readonly owner: OwnerLogin };
  readonly enrollment: StoredEnrollment;
  readonly isManager: boolean;
}

export const keys: Handler<"keys"> = forOwner((command, verb) => {
  const enrollment = command.session.enrollment();
  if (enrollment === null) {
    throw new AtError("AT0011", "Keys verb cannot be accessed without an enrollmentId");
  }
  const access = { command, enrollment, isManager: isManager(command.session.rights()) };
  switch (verb.operation) {
    case "put":
      return put(access, verb);
    case "get":
      return verb.keyName === undefined ? list(access, verb) : get(access, verb.keyName);
    case "delete":
      return remove(access, verb.keyName ?? "");
    default:
      return verb.operation satisfies never;
  }
});

function put(access: Access, verb: KeysVerb): Outcome {
  const { command: { services, owner: { of } }, enrollment } = access;
  const namespace = (verb.namespace ?? GLOBAL_NAMESPACE).toLowerCase();
  const name = verb.keyName ?? "";
  if (!/^[\w.-]+$/.test(name)) {
    throw new AtError("AT0003", "Invalid syntax. a key name has letters, digits and _ . - only");
  }
  const visibility = verb.visibility ?? "self";
  const app = `${verb.appName ?? enrollment.appName}.${verb.deviceName ?? enrollment.deviceName}`;
  const front = visibility === "public"
    ? "public:"
    : visibility === "private"
    ? `private:${app}.`
    : `${app}.`;
  const key = normalizeKey(`${front}${name}.${SEGMENT[visibility]}.${namespace}${of.atSign}`);
  const found = of.read(key)?.value ?? null;
  const isFree = found === null || access.isManager || ownerOf(found) === enrollment.id;
  if (!isFree || !mayUse(access, namespace)) throw notAuthorised(enrollment.id, "put", key);
  const value = JSON.stringify({
    value: verb.value ?? "",
    ...(verb.keyType === undefined ? {} : { keyType: verb.keyType }),
    enrollmentId: enrollment.id,
    ...(verb.encryptionKeyName === undefined ? {} : { encryptionKeyName: verb.encryptionKeyName }),
  });
  inTransaction(services.basics.store, (after) => {
    of.write(key, value, {}, after);
  });
  return data(NO_COMMIT);
}

function get(access: Access, keyName: string): Outcome {
  const { key, value } = find(access, "get", keyName);
  if (value === null) throw new AtError("AT0015", `key ${key} not found in keystore`);
  return data(value);
}

/** A missing key is no error, as with `delete`. */
function remove(access: Access, keyName: string): Outcome {
  const { services, owner: { of } } = access.command;
  const { key } = find(access, "delete", keyName);
  inTransaction(services.basics.store, (after) => {
    of.remove(key, after);
  });
  return data(NO_COMMIT);
}

/** The names of the keys of one visibility that this enrollment has put, and that of its default key. */
function list(access: Access, verb: KeysVerb): Outcome {
  const { command: { owner: { of } }, enrollment } = access;
  const visibility = verb.visibility ?? "self";
  const wanted = verb.namespace === undefined
    ? [GLOBAL_NAMESPACE, MANAGE_NAMESPACE]
    : [verb.namespace.toLowerCase()];
  const ends = wanted.filter((namespace) => mayUse(access, namespace))
    .map((namespace) => `.${SEGMENT[visibility]}.${namespace}${of.atSign}`);
  const front = visibility === "self" ? undefined : `${visibility}:`;
  const names = of.listActive(front).filter((key) =>
    ends.some((end) => key.endsWith(end)) && ownerOf(of.read(key)?.value ?? "") === enrollment.id
  );
  const { encryptionPrivateKey, selfEncryptionKey } = defaultKeyNames(enrollment.id, of.atSign);
  if (visibility === "private" && of.readActive(encryptionPrivateKey) !== null) {
    names.push(encryptionPrivateKey);
  }
  if (visibility === "self" && of.readActive(selfEncryptionKey) !== null) {
    names.push(selfEncryptionKey);
  }
  return data(JSON.stringify(names));
}

/** A key that this enrollment may read and delete; its value is null when it is missing. @throws {AtError} AT0009. */
function find(
  access: Access,
  action: "get" | "delete",
  keyName: string,
): { readonly key: string; readonly value: string | null } {
  const { command: { owner: { of } }, enrollment } = access;
  const key = normalizeKey(keyName);
  const isDefault = Object.values(defaultKeyNames(enrollment.id, of.atSign)).includes(key);
  if (!isDefault && !isOfKeysVerb(key, of.atSign)) {
    throw notAuthorised(enrollment.id, action, key);
  }
  const value = of.readActive(key)?.value ?? null;
  const isOwn = isDefault || access.isManager || value === null || ownerOf(value) === enrollment.id;
  if (!isOwn) throw notAuthorised(enrollment.id, action, key);
  return { key, value };
}

function isOfKeysVerb(key: string, atSign: AtSign): boolean {
  return [GLOBAL_NAMESPACE, MANAGE_NAMESPACE].some((end) => key.endsWith(`.${end}${atSign}`));
}

function mayUse({ isManager }: Access, namespace: string): boolean {
  return namespace === GLOBAL_NAMESPACE || (namespace === MANAGE_NAMESPACE && isManager);
}

/** The enrollment that put a stored value, null for a value of other origin. */
function ownerOf(value: string): string | null {
  try {
    const { enrollmentId } = Object(JSON.parse(value)) as { enrollmentId?: unknown };
    return typeof enrollmentId === "string" ? enrollmentId : null;
  } catch {
    return null;
  }
}
