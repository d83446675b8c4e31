/** The atServers of `noports server`. */

export { AtServerCore, type AtServerCoreOptions } from "./core.ts";
export { DEFAULT_LIMITS, type Limits } from "./limits.ts";
export type { PeerGateway } from "./peer_gateway.ts";
export type { InboundInfo } from "./session.ts";
export { openSqliteStore } from "./store/sqlite_store.ts";
export type { AtSignRecord, Store } from "./store/store.ts";
export { addAtSign, listAtSigns, readCaCertificate, removeAtSign, resetAtSign } from "./admin.ts";
export { backUp, type BackupOptions, type BackupResult } from "./backup.ts";
export { formatLimit, LIMIT_TABLE, renderLimits } from "./limit_table.ts";
export type { ConnectionCounts, NotificationEvent, Observer } from "./observer.ts";
export { restore, type RestoreOptions, type RestoreResult } from "./restore.ts";
export { readStatus, renderStatus, type ServerStatus } from "./status.ts";
export {
  DATA_DIR_FLAG,
  type OptionsEnvironment,
  parseDataDir,
  parseServerOptions,
  SERVER_RUN_FLAGS,
  type ServerOptions,
} from "./options.ts";
export { runServer } from "./run.ts";
