/** `sync`: one page of the commit log with the values it names, for a client that keeps a copy of all of them. */

import { encodeStoredMetadataJson, type StoredMetadata } from "../../atprotocol/wire/mod.ts";
import { encodeUtf8 } from "../../encoding/mod.ts";
import type { HostedAtSign } from "../hosted_at_sign.ts";
import { compileRegex } from "../safe_regex.ts";
import type { CommitEntry } from "../store/store.ts";
import { isAlwaysSynced, maySync } from "../synced_keys.ts";
import { data, forOwner, type Handler } from "./command.ts";

/** The specification's page; the limit of the command does not change it. */
const PAGE_ENTRIES = 25;
const PAGE_BYTES = 5_242_880;

export const sync: Handler<"sync"> = forOwner(({ services, session, owner }, verb) => {
  const { of } = owner;
  const rights = session.rights();
  const regex = verb.regex === undefined ? null : compileRegex(verb.regex);
  const entries = services.basics.store.listCommitsAfter(
    of.atSign,
    verb.fromCommitId,
    PAGE_ENTRIES,
    (key) => maySync(rights, key) && (regex === null || isAlwaysSynced(key) || regex.test(key)),
  );
  const texts = entries.values().map((entry) => encodeEntry(of, entry));
  return data(`[${takePage(texts, PAGE_BYTES).join(",")}]`);
});

/** The first texts that are not longer than `maxBytes` together, but one at least: a client must get past a long one. */
export function takePage(texts: Iterable<string>, maxBytes: number): string[] {
  const page: string[] = [];
  let bytes = 0;
  for (const text of texts) {
    bytes += encodeUtf8(text).length;
    if (page.length > 0 && bytes > maxBytes) break;
    page.push(text);
  }
  return page;
}

function encodeEntry(of: HostedAtSign, { key, commitId, operation }: CommitEntry): string {
  const found = operation === "-" ? null : of.read(key);
  return JSON.stringify({
    atKey: key,
    value: found?.value ?? null,
    metadata: found === null ? null : asTexts(found.metadata),
    commitId,
    operation,
  });
}

/** Numbers and booleans too are texts here. */
function asTexts(metadata: StoredMetadata): Record<string, string> {
  const members = JSON.parse(encodeStoredMetadataJson(metadata)) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [name, String(value)]));
}
