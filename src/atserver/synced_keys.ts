/** Which entries of the commit log a connection may see (`sync`, `stats`), and which it always gets. Pure. */

import { isInGrantedNamespace, type Rights, seesAllNamespaces } from "./authorisation.ts";

const PUBLIC_WITHOUT_NAMESPACE = /^public:[^.@]+@/;
const SHARED_KEY = /^(?:@[^:@]+:shared_key|shared_key\.[^.@]+)@/;
/** A name without namespace counts for every enrollment. */
const WITHOUT_NAMESPACE = /^(?:cached:)?(?:public:|@[^:@]+:)?[^.@]*(?:@|$)/;

/** Keys that every client needs, whatever regex it gives: public ones without namespace, and keys of shared data. */
export function isAlwaysSynced(key: string): boolean {
  return PUBLIC_WITHOUT_NAMESPACE.test(key) || SHARED_KEY.test(key);
}

/** True when `rights` (null: all) reach the commit of `key`: keys with a namespace need a grant of it. */
export function maySync(rights: Rights | null, key: string): boolean {
  if (rights === null || seesAllNamespaces(rights)) return true;
  return WITHOUT_NAMESPACE.test(key) || isAlwaysSynced(key) || isInGrantedNamespace(rights, key);
}
