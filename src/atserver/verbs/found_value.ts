/** Answers of the lookup verbs: the value, its metadata, or both. */

import {
  type Detail,
  encodeAllResult,
  encodeStoredMetadataJson,
} from "../../atprotocol/wire/mod.ts";
import { keyNotFound } from "../at_failures.ts";
import type { FoundValue } from "../foreign_values.ts";
import type { HostedAtSign } from "../hosted_at_sign.ts";
import type { StoredKey } from "../store/store.ts";
import { isActive } from "../value_metadata.ts";
import { type Command, data, type Outcome } from "./command.ts";

export function answerFound(found: FoundValue, detail: Detail): Outcome {
  switch (detail) {
    case "value":
      return data(found.data ?? "null");
    case "meta":
      return data(encodeStoredMetadataJson(found.metadata));
    case "all":
      return data(encodeAllResult(found));
    default:
      return detail satisfies never;
  }
}

/**
 * Answers with a key of `of`'s own store; `null` for one that is not active, or for which `resolve` finds nothing. What
 * that finds is answered under the key that was asked for. @throws {AtError} AT0015.
 */
export function answerStored(
  { services, session }: Command,
  of: HostedAtSign,
  key: string,
  detail: Detail,
  resolve: (found: StoredKey) => StoredKey | null = (found) => found,
): Outcome {
  of.statistics.countAccess(session.login.kind === "peer" ? session.login.atSign : null, key);
  const found = of.read(key);
  if (found === null) throw keyNotFound(key);
  if (!isActive(found.metadata, services.basics.clock.now())) return data("null");
  const meant = resolve(found);
  if (meant === null) return data("null");
  return answerFound({ key, data: meant.value, metadata: meant.metadata }, detail);
}
