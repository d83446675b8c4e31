/**
 * Once a day, at an hour of its own, copies of other atSigns' values that are past their time are asked for again and
 * replaced, or dropped when they are gone. atProtocol specification, Caching.
 */

import { AtError } from "../atprotocol/wire/mod.ts";
import { abortable } from "../base/mod.ts";
import type { Basics } from "./basics.ts";
import type { ForeignValues } from "./foreign_values.ts";
import type { HostedAtSign } from "./hosted_at_sign.ts";
import type { HostedAtSigns } from "./hosted_at_signs.ts";

const HOUR_MS = 3_600_000;
const HOURS = 24;
const CACHED = "cached:";

/** The hour of the day (UTC, 0 to 23) for a process that started at `startedAt`: the second of its start is chance enough. */
export function chooseRefreshHour(startedAt: number): number {
  return Math.floor(startedAt / 1000) % HOURS;
}

/** How long from `nowMs` until it is `hour` o'clock (UTC); a whole day when it is that just now. */
export function msUntilHour(hour: number, nowMs: number): number {
  const passed = (nowMs - hour * HOUR_MS) % (HOURS * HOUR_MS);
  return HOURS * HOUR_MS - passed;
}

/** Refreshes every day until `signal` aborts. */
export async function runCacheRefresh(
  basics: Basics,
  hosted: HostedAtSigns,
  foreignValues: ForeignValues,
  signal: AbortSignal,
): Promise<void> {
  const hour = chooseRefreshHour(basics.clock.now());
  while (!signal.aborted) {
    try {
      await basics.clock.sleep(msUntilHour(hour, basics.clock.now()), signal);
    } catch {
      return;
    }
    for (const of of [...hosted]) {
      try {
        await refreshCopies(basics, of, foreignValues, signal);
      } catch (error) {
        basics.log.error("refresh of copies failed", { atSign: of.atSign, error });
      }
    }
  }
}

/** Asks again for what `of` keeps too long, one after the other. A server that does not answer is left alone this time. */
export async function refreshCopies(
  basics: Basics,
  of: HostedAtSign,
  foreignValues: ForeignValues,
  signal: AbortSignal,
): Promise<void> {
  const silent = new Set<string>();
  for (const key of of.listActive(CACHED)) {
    if (signal.aborted) return;
    const owner = key.slice(key.lastIndexOf("@"));
    if (silent.has(owner)) continue;
    const { ttr, refreshAt } = of.read(key)?.metadata ?? {};
    const isStale = ttr !== undefined && ttr > 0 && (refreshAt ?? 0) < basics.clock.now();
    if (!isStale) continue;
    try {
      await abortable(foreignValues.refresh(of, key), signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof AtError)) throw error;
      // a value that is gone has been dropped
      if (error.code !== "AT0015") silent.add(owner);
      basics.log.debug("copy not refreshed", { atSign: of.atSign, owner, code: error.code });
    }
  }
}
