/**
 * What an enrollment may do with a key: namespace grants, reserved keys, and the few that nobody may touch.
 * atProtocol specification, APKAM; our reading of its gaps: PROTOCOL.md. Pure; asked where the effect happens.
 */

import type { AtSign } from "../atprotocol/wire/mod.ts";
import type { NamespaceAccess } from "./store/store.ts";

/** The rights of a connection that logged in with an enrollment. CRAM and legacy PKAM connections have none: full rights. */
export interface Rights {
  readonly enrollmentId: string;
  readonly namespaces: Readonly<Record<string, NamespaceAccess>>;
}

/** `monitor` is a read that holders of `__manage` may do in that namespace too. */
export type Access = "read" | "write" | "monitor";

/** The right to administer enrollments; its records are for the verbs that do so, never for data verbs. */
export const MANAGE_NAMESPACE = "__manage";
const ALL_NAMESPACES = "*";
/** Signing keys of enrollments (`public:_apsk.<enrollmentId>.a.__e@alice`): each writes its own record, no other. */
const ENROLLMENT_KEYS_NAMESPACE = "__e";
/** Stands for the enrollment id where a key has none (legacy PKAM). */
const PRIMARY = "primary";

/** front (`public:`, `@bob:`, `private:@bob:`), entity, owner; of a normalised key. */
const KEY = /^(?:cached:)?(public:|(?:private:)?(?:@[^:@\s]+:)?)([^:@\s]+)(@[^:@\s]+)?$/;

/** True when `rights` (null: all) allow `access` to `key`, a whole and normalised key. */
export function isAuthorised(rights: Rights | null, key: string, access: Access): boolean {
  const parts = takeApart(key);
  if (access === "write" && parts?.namespace === ENROLLMENT_KEYS_NAMESPACE) {
    const id = rights?.enrollmentId.toLowerCase() ?? PRIMARY;
    return key === `public:_apsk.${id}.a.${ENROLLMENT_KEYS_NAMESPACE}${parts.owner}`;
  }
  if (rights === null) return true;
  if (key.startsWith("privatekey:")) return isManager(rights);
  if (parts !== null && isReserved(parts)) return true;
  return allows(findGrant(rights, parts?.entity ?? null), access);
}

/** As `isAuthorised`, for a text notification: it has no key, so only a grant of all namespaces covers it. */
export function isAuthorisedForText(rights: Rights | null, access: Access): boolean {
  return rights === null || allows(grantOf(rights, ALL_NAMESPACES), access);
}

/** True for a connection that may administer enrollments. */
export function isManager(rights: Rights | null): boolean {
  return rights === null || Object.hasOwn(rights.namespaces, MANAGE_NAMESPACE);
}

/** True when `rights` (null: all) reach at least as far as the grants `wanted`: nobody hands out more than it has. */
export function coversGrants(
  rights: Rights | null,
  wanted: Readonly<Record<string, NamespaceAccess>>,
): boolean {
  if (rights === null) return true;
  return Object.entries(wanted).every(([namespace, access]) => {
    const grant = namespace === ALL_NAMESPACES
      ? grantOf(rights, ALL_NAMESPACES)
      : findGrant(rights, `x.${namespace}`);
    return grant !== null && (access === "r" || grant.access === "rw");
  });
}

/** True when all keys are visible: no enrollment, or one with the grant of all namespaces. */
export function seesAllNamespaces(rights: Rights | null): boolean {
  return rights === null || Object.hasOwn(rights.namespaces, ALL_NAMESPACES);
}

/** True when `key` lies in a namespace that is granted by name (`scan`), `__manage` not counted. */
export function isInGrantedNamespace(rights: Rights, key: string): boolean {
  const grant = findGrant(rights, takeApart(key)?.entity ?? null);
  return grant !== null && grant.namespace !== MANAGE_NAMESPACE &&
    grant.namespace !== ALL_NAMESPACES;
}

/**
 * The name to show when `key` (whole, normalised) may not be deleted, null otherwise: without these an atSign is lost.
 * The server's own signing keys may not be overwritten either (`isServerKey`).
 */
export function protectedName(key: string, owner: AtSign): string | null {
  const isProtected = [
    `public:signing_publickey${owner}`,
    `${owner}:signing_privatekey${owner}`,
    `public:publickey${owner}`,
    "privatekey:at_pkam_publickey",
  ].includes(key);
  return isProtected ? key.slice(key.lastIndexOf(":") + 1) : null;
}

/**
 * True for the keys that the server signs with for its atSign. No client reads the private half or writes either:
 * whoever could would speak for the atSign to every other atServer.
 */
export function isServerKey(key: string, access: "read" | "write"): boolean {
  const name = takeApart(key)?.entity;
  return name === "signing_privatekey" || (name === "signing_publickey" && access === "write");
}

interface Parts {
  readonly front: string;
  readonly entity: string;
  /** What stands after the last dot. */
  readonly namespace: string | null;
  readonly owner: string;
}

function takeApart(key: string): Parts | null {
  const [, front = "", entity = "", owner = ""] = KEY.exec(key) ?? [];
  if (entity === "") return null;
  const dot = entity.lastIndexOf(".");
  return { front, entity, namespace: dot < 0 ? null : entity.slice(dot + 1), owner };
}

/** Keys that every enrollment works with, whatever its namespaces: the specification's reserved keys. */
function isReserved({ front, entity, namespace }: Parts): boolean {
  if (front === "public:" && (entity === "publickey" || entity === "signing_publickey")) {
    return true;
  }
  if (front.startsWith("@")) return entity === "shared_key";
  if (front === "" && /^shared_key\.[^.]+$/.test(entity)) return true;
  // scratch values such as pol proofs
  return entity.startsWith("_") && namespace === null && !front.startsWith("private:");
}

interface Grant {
  readonly namespace: string;
  readonly access: NamespaceAccess;
}

/** The longest granted namespace that `entity` lies in, else the grant of all, which does not cover `__manage`. */
function findGrant(rights: Rights, entity: string | null): Grant | null {
  if (entity?.endsWith(`.${MANAGE_NAMESPACE}`)) return grantOf(rights, MANAGE_NAMESPACE);
  for (let rest = entity ?? "", dot = rest.indexOf("."); dot >= 0; dot = rest.indexOf(".")) {
    rest = rest.slice(dot + 1);
    const grant = rest === ALL_NAMESPACES ? null : grantOf(rights, rest);
    if (grant !== null) return grant;
  }
  return grantOf(rights, ALL_NAMESPACES);
}

function grantOf(rights: Rights, namespace: string): Grant | null {
  const access = Object.hasOwn(rights.namespaces, namespace)
    ? rights.namespaces[namespace]
    : undefined;
  return access === undefined ? null : { namespace, access };
}

function allows(grant: Grant | null, access: Access): boolean {
  if (grant === null) return false;
  if (grant.namespace === MANAGE_NAMESPACE) return access === "monitor";
  return access !== "write" || grant.access === "rw";
}
