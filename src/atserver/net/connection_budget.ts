/**
 * How many connections the listeners may hold. In Deno 2.9 a `node:net` server that meets the limit of open files stops
 * accepting for good, without an error; so the limit must never be met, however many strangers connect.
 */

import type { Log } from "../../base/mod.ts";

/** Our choice: where the limit is not known (it is on Linux), the usual one. */
const ASSUMED_OPEN_FILES = 1_024;
/** Our choice: for the database, connections to other servers, and sockets that are about to close. */
const RESERVED_SHARE = 1 / 3;
const RESERVED_AT_LEAST = 128;
/** Our choice: beyond this, memory and the processor are the limit. */
const MAX_AT_SERVER_CONNECTIONS = 10_000;
const MAX_DIRECTORY_CONNECTIONS = 2_000;
/** Our choice: a directory's connections are short. */
const DIRECTORY_SHARE = 1 / 5;
/** Our choice: with less than this the operator should know. */
const FEW_CONNECTIONS = 500;

export interface ConnectionBudget {
  readonly atServers: number;
  readonly directory: number;
}

/** Splits what `openFiles` descriptors allow. Pure. */
export function splitBudget(openFiles: number): ConnectionBudget {
  const reserved = Math.max(RESERVED_AT_LEAST, Math.floor(openFiles * RESERVED_SHARE));
  const usable = Math.max(openFiles - reserved, 10);
  const directory = Math.min(MAX_DIRECTORY_CONNECTIONS, Math.ceil(usable * DIRECTORY_SHARE));
  return { atServers: Math.min(MAX_AT_SERVER_CONNECTIONS, usable - directory), directory };
}

/** What this process's limit of open files allows. */
export async function readConnectionBudget(log: Log): Promise<ConnectionBudget> {
  const openFiles = await readOpenFilesLimit();
  const budget = splitBudget(openFiles);
  if (budget.atServers < FEW_CONNECTIONS) {
    log.warn("few connections possible: the limit of open files is low", {
      openFiles,
      connections: budget.atServers,
      fix: "raise it with `ulimit -n` or LimitNOFILE",
    });
  }
  return budget;
}

/** The soft limit in the text of `/proc/self/limits`, or null. Pure. */
export function parseOpenFilesLimit(limits: string): number | null {
  const match = /^Max open files\s+(\d+|unlimited)\s/m.exec(limits)?.[1];
  if (match === undefined) return null;
  return match === "unlimited" ? 1_000_000 : Number(match);
}

async function readOpenFilesLimit(): Promise<number> {
  try {
    return parseOpenFilesLimit(await Deno.readTextFile("/proc/self/limits")) ?? ASSUMED_OPEN_FILES;
  } catch {
    return ASSUMED_OPEN_FILES; // no /proc here
  }
}
