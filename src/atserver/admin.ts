/**
 * `noports server add`, `remove`, `reset`, `list` and `ca`: on the running server, or on the data folder when none runs.
 * Backups are `backup.ts`'s and `restore.ts`'s, the state of the server is `status.ts`'s.
 */

import * as v from "valibot";
import { NoportsError } from "../base/mod.ts";
import { type AtSign, parseAtSign } from "../atprotocol/wire/mod.ts";
import type { AtServerCore } from "./core.ts";
import { describeDataDir, prepareDataDir } from "./data_dir.ts";
import { caCertificatePath, readIfThere } from "./net/mod.ts";
import { type AdminContext, callServer, onServerOrFolder } from "./server_or_folder.ts";
import type { AtSignRecord } from "./store/store.ts";

/** What answers the control socket's methods; `run.ts` registers them. */
export const ADMIN_METHODS = {
  add: "add",
  remove: "remove",
  reset: "reset",
  list: "list",
} as const;

const AT_SIGN_PARAMS = v.object({ atSign: v.string() });
const CODE_RESULT = v.object({ activationCode: v.string() });
const LIST_RESULT = v.array(
  v.object({ atSign: v.string(), activated: v.boolean(), createdAt: v.number() }),
);

export interface AtSignOptions {
  /** Absolute. */
  readonly dataDir: string;
  readonly atSign: AtSign;
}

/** Answers to the control socket, for a running server. */
export function adminHandlers(core: AtServerCore): Record<string, (params: unknown) => unknown> {
  const readAtSign = (params: unknown) => parseAtSign(v.parse(AT_SIGN_PARAMS, params).atSign);
  return {
    [ADMIN_METHODS.add]: (params) => ({ activationCode: core.addAtSign(readAtSign(params)) }),
    [ADMIN_METHODS.reset]: (params) => ({ activationCode: core.resetAtSign(readAtSign(params)) }),
    [ADMIN_METHODS.remove]: (params) => core.removeAtSign(readAtSign(params)),
    [ADMIN_METHODS.list]: () => core.listAtSigns(),
  };
}

/**
 * Adds an atSign and gives its activation code (the CRAM secret, 128 hex digits). Works while the server runs and
 * before it ever ran.
 * @throws {NoportsError} `conflict` when it is there already, `config_invalid`, `storage_failed`, `timeout`.
 */
export async function addAtSign(options: AtSignOptions, context: AdminContext): Promise<string> {
  const dir = await prepareDataDir(options.dataDir);
  const { atSign } = options;
  return await onServerOrFolder(dir, context, {
    ask: async () => {
      const answer = await callServer(dir, ADMIN_METHODS.add, { atSign });
      return v.parse(CODE_RESULT, answer).activationCode;
    },
    work: (core) => core.addAtSign(atSign),
  });
}

/**
 * Removes an atSign with all its data, for good; its live connections end.
 * @throws {NoportsError} `not_found` when it is not hosted, `conflict`, `storage_failed`, `timeout`.
 */
export async function removeAtSign(options: AtSignOptions, context: AdminContext): Promise<void> {
  const dir = describeDataDir(options.dataDir);
  const { atSign } = options;
  await onServerOrFolder<unknown>(dir, context, {
    ask: () => callServer(dir, ADMIN_METHODS.remove, { atSign }),
    ifEmpty: () => notHosted(atSign),
    work: (core) => core.removeAtSign(atSign),
  });
}

/** As `removeAtSign`, but it stays hosted and waits to be activated again; gives its new activation code. */
export async function resetAtSign(options: AtSignOptions, context: AdminContext): Promise<string> {
  const dir = describeDataDir(options.dataDir);
  const { atSign } = options;
  return await onServerOrFolder<string>(dir, context, {
    ask: async () => {
      const answer = await callServer(dir, ADMIN_METHODS.reset, { atSign });
      return v.parse(CODE_RESULT, answer).activationCode;
    },
    ifEmpty: () => notHosted(atSign),
    work: (core) => core.resetAtSign(atSign),
  });
}

/** The atSigns that are hosted; none where no server ever ran. @throws {NoportsError} as `addAtSign`. */
export async function listAtSigns(
  options: { readonly dataDir: string },
  context: AdminContext,
): Promise<AtSignRecord[]> {
  const dir = describeDataDir(options.dataDir);
  return await onServerOrFolder<AtSignRecord[]>(dir, context, {
    ask: async () => {
      const rows = v.parse(LIST_RESULT, await callServer(dir, ADMIN_METHODS.list));
      return rows.map((row) => ({ ...row, atSign: parseAtSign(row.atSign) }));
    },
    ifEmpty: () => [],
    work: (core) => core.listAtSigns(),
  });
}

/** The certificate (PEM) of the server's own authority. Makes nothing. @throws {NoportsError} `not_found`. */
export async function readCaCertificate(options: { readonly dataDir: string }): Promise<string> {
  const path = caCertificatePath(describeDataDir(options.dataDir).tlsFolder);
  const pem = await readIfThere(path);
  if (pem !== null) return pem;
  throw new NoportsError("not_found", `Cannot show the CA certificate: there is no "${path}"`, {
    hint: "start `noports server run` once; with --tls-cert it has no authority of its own",
  });
}

function notHosted(atSign: AtSign): never {
  throw new NoportsError("not_found", `Cannot find "${atSign}": not hosted here`, {
    hint: "name the server's folder with --data-dir",
  });
}
