/**
 * Metadata of a value across updates: what is kept, what starts again, when it begins and ends.
 * atProtocol specification, Metadata; our reading of its gaps: PROTOCOL.md. Pure.
 */

import { type AtSign, type Metadata, type StoredMetadata } from "../atprotocol/wire/mod.ts";

/** Options that a later update without them leaves alone; the literal text `null` clears one. */
const KEPT_TEXTS = [
  "dataSignature",
  "sharedKeyEnc",
  "pubKeyCS",
  "encoding",
  "encKeyName",
  "encAlgo",
  "ivNonce",
  "skeEncKeyName",
  "skeEncAlgo",
] as const;

/** The last time that a date can hold; later ones are as good as never. */
const END_OF_TIME_MS = 8_640_000_000_000_000;

/** The metadata that a store keeps after `given` arrived; `previous` is that of the value it replaces. */
export function mergeMetadata(
  previous: StoredMetadata | null,
  given: Metadata,
  by: AtSign,
  nowMs: number,
): StoredMetadata {
  const ttl = given.ttl ?? previous?.ttl;
  const ttb = given.ttb ?? previous?.ttb;
  const ttr = given.ttr ?? previous?.ttr;
  const ccd = given.ccd ?? previous?.ccd;
  const merged: Record<string, unknown> = {
    createdBy: previous?.createdBy ?? by,
    updatedBy: by,
    createdAt: previous?.createdAt ?? nowMs,
    updatedAt: nowMs,
    status: "active",
    version: previous === null ? 0 : (previous.version ?? 0) + 1,
    isBinary: given.isBinary ?? false,
    isEncrypted: given.isEncrypted ?? false,
  };
  if (ttb !== undefined) Object.assign(merged, { ttb, availableAt: atMost(nowMs + ttb) });
  // each update starts the clock again; 0 is no end
  if (ttl !== undefined && ttl > 0) {
    Object.assign(merged, { ttl, expiresAt: atMost(nowMs + ttl + (ttb ?? 0)) });
  }
  if (ttr !== undefined && ttr !== 0) {
    merged["ttr"] = ttr;
    if (ttr > 0) merged["refreshAt"] = atMost(nowMs + ttr * 1000);
    if (ccd !== undefined) merged["ccd"] = ccd;
  }
  for (const name of KEPT_TEXTS) {
    const text = given[name] ?? previous?.[name];
    if (text !== undefined && text !== "null") merged[name] = text;
  }
  return merged as StoredMetadata;
}

/** True between availableAt and expiresAt: outside of them a value reads as `null` and is not listed. */
export function isActive(
  times: { readonly availableAt?: number | null; readonly expiresAt?: number | null },
  nowMs: number,
): boolean {
  return (times.availableAt ?? nowMs) <= nowMs && (times.expiresAt ?? nowMs) >= nowMs;
}

/** True when a copy of another atSign's value may be served without asking there. */
export function isFresh(metadata: StoredMetadata, nowMs: number): boolean {
  if (!isActive(metadata, nowMs)) return false;
  return metadata.ttr === -1 || (metadata.refreshAt !== undefined && nowMs <= metadata.refreshAt);
}

function atMost(timeMs: number): number {
  return Math.min(timeMs, END_OF_TIME_MS);
}
