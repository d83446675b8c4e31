/** `noports server status`: what the running server says of itself, or what its data folder shows when none runs. */

import { X509Certificate } from "node:crypto";
import * as v from "valibot";
import { describeDataDir } from "./data_dir.ts";
import { readIfThere } from "./net/mod.ts";
import { type AdminContext, callServer, onServerOrFolder } from "./server_or_folder.ts";

export const STATUS_METHOD = "status";

/** Times are ISO 8601. */
const RUNNING = v.object({
  pid: v.number(),
  startedAt: v.string(),
  uptimeSeconds: v.number(),
  program: v.string(),
  hostname: v.string(),
  listen: v.string(),
  directory: v.string(),
  registrar: v.nullable(v.string()),
  metrics: v.nullable(v.string()),
  connections: v.object({
    strangers: v.number(),
    owners: v.number(),
    peers: v.number(),
    monitors: v.number(),
  }),
});
const COUNTS = v.object({
  atSigns: v.number(),
  notificationsQueued: v.number(),
  storeBytes: v.number(),
  schemaVersion: v.number(),
  certificateExpiresAt: v.nullable(v.string()),
});
const STATUS = v.object({ ...RUNNING.entries, ...COUNTS.entries });

/** What a running server answers. */
export type RunningStatus = v.InferOutput<typeof STATUS>;

/** `running: false` has only what the folder shows. */
export type ServerStatus =
  & { readonly version: 1; readonly dataDir: string }
  & (
    | ({ readonly running: true } & RunningStatus)
    | ({ readonly running: false } & v.InferOutput<typeof COUNTS>)
  );

/** @throws {NoportsError} `conflict` (starting or stopping), `storage_failed`, `timeout`. */
export async function readStatus(
  options: { readonly dataDir: string },
  context: AdminContext,
): Promise<ServerStatus> {
  const dir = describeDataDir(options.dataDir);
  const head = { version: 1, dataDir: dir.path } as const;
  return await onServerOrFolder<ServerStatus>(dir, context, {
    ask: async () => ({
      ...head,
      running: true,
      ...v.parse(STATUS, await callServer(dir, STATUS_METHOD)),
    }),
    ifEmpty: () => ({
      ...head,
      running: false,
      atSigns: 0,
      notificationsQueued: 0,
      storeBytes: 0,
      schemaVersion: 0,
      certificateExpiresAt: null,
    }),
    work: async (_, store) => {
      const { atSigns, notificationsQueued, bytes } = store.totals();
      const { schemaVersion } = store;
      const counts = { atSigns, notificationsQueued, storeBytes: bytes, schemaVersion };
      const pem = await readIfThere(`${dir.tlsFolder}/server.pem`);
      return { ...head, running: false, ...counts, certificateExpiresAt: expiryOf(pem) };
    },
  });
}

/** When the first certificate in `pem` ends, ISO 8601; null when there is none. */
export function expiryOf(pem: string | null): string | null {
  if (pem === null) return null;
  try {
    return new Date(Date.parse(new X509Certificate(pem).validTo)).toISOString();
  } catch {
    return null;
  }
}

/** The lines for a person. */
export function renderStatus(status: ServerStatus): string[] {
  const rows: [string, string][] = [];
  if (status.running) {
    const { connections: c } = status;
    rows.push(
      ["running", `yes, process ${status.pid}, since ${status.startedAt}`],
      ["program", status.program],
      ["atServers", `${status.listen} (clients are told ${status.hostname})`],
      ["directory", status.directory],
      ["registrar", status.registrar ?? "off"],
      ["metrics", status.metrics ?? "off"],
      ["connections", `${c.owners} owners, ${c.peers} peers, ${c.strangers} not logged in`],
      ["monitors", String(c.monitors)],
    );
  } else {
    rows.push(["running", "no"]);
  }
  rows.push(
    ["data", status.dataDir],
    ["atSigns", String(status.atSigns)],
    ["notifications queued", String(status.notificationsQueued)],
    ["store", `${status.storeBytes} bytes, schema ${status.schemaVersion}`],
    ["certificate ends", status.certificateExpiresAt ?? "not known"],
  );
  return rows.map(([name, value]) => `${name.padEnd(20)}  ${value}`);
}
