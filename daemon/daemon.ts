/**
 * The device agent: listens to its own atServer for pings and session requests, serves those of its managers, dials out for each
 * session. It listens on no port. PROTOCOL.md, "Daemon". The vendor's name for it is sshnpd.
 */

import type { AtSign } from "../src/atprotocol/wire/mod.ts";
import {
  type AtClient,
  type IncomingNotification,
  serveNotifications,
} from "../src/atprotocol/client/mod.ts";
import { type Clock, describeError, type Entropy, type Log, TaskGroup } from "../src/base/mod.ts";
import {
  CORE_PACKAGE_VERSION,
  encodePermitOpen,
  encodePingResponse,
  heartbeatEntity,
  matchDeviceKey,
} from "../src/session/mod.ts";
import { authorise } from "./authorise.ts";
import { serveNptRequest } from "./npt_request.ts";
import type { DaemonOptions } from "./options.ts";
import { SessionRegistry } from "./session_registry.ts";

/** The vendor's value for session messages. */
const MESSAGE_TTL_MS = 10_000;
/** Our choice: requests being answered at the same time; live sessions have limits of their own. */
const MAX_TASKS = 1000;
/** Our choice: strangers are logged this often at most, so that they cannot fill the log. */
const STRANGER_LOG_INTERVAL_MS = 1000;

export interface DaemonDependencies {
  readonly client: AtClient;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly version: string;
}

/**
 * Serves until `signal` aborts; sessions that are live then are closed.
 * @throws {NoportsError} when the first login or monitor fails, and when the keys' enrollment is revoked or expires; other
 * losses are repaired.
 */
export async function runDaemon(
  options: DaemonOptions,
  deps: DaemonDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { client, log } = deps;
  const stranger = strangerLog(deps.clock, log);
  using requests = client.subscribe((key, from) => {
    if (matchDeviceKey(key, options.device) === null) return false;
    // strangers are turned away here, before anything of theirs is decrypted
    if (authorise(options, from).allowed) return true;
    stranger(from);
    return false;
  });
  await client.monitorReady(signal);
  log.info("daemon ready", {
    atSign: options.atSign,
    device: options.device,
    managers: [...options.managers].join(","),
    permitOpen: encodePermitOpen(options.permitOpen).join(","),
  });
  const registry = new SessionRegistry();
  const over = new AbortController();
  const serving = AbortSignal.any([signal, over.signal]);
  await using tasks = new TaskGroup((error) => {
    if (!serving.aborted) log.error("request failed", { reason: describeError(error) });
  });
  const serve = (request: IncomingNotification): void => {
    if (tasks.size >= MAX_TASKS) {
      log.warn("request dropped: too many at once", { from: request.from });
      return;
    }
    tasks.run(() => serveRequest(request, options, deps, registry, serving));
  };
  await serveNotifications({ notifications: requests, serve, over, log }, signal);
  log.info("daemon stopping", { sessions: registry.size });
}

async function serveRequest(
  request: IncomingNotification,
  options: DaemonOptions,
  deps: DaemonDependencies,
  registry: SessionRegistry,
  signal: AbortSignal,
): Promise<void> {
  const type = matchDeviceKey(request.key, options.device);
  switch (type) {
    case "ping":
      return await answerPing(request.from, options, deps, signal);
    case "npt_request":
      return await serveNptRequest(request, {
        ...deps,
        device: options.device,
        access: options,
        registry,
      }, signal);
    default:
      deps.log.info("request ignored: of a kind that this daemon does not serve", {
        type,
        from: request.from,
      });
  }
}

async function answerPing(
  from: AtSign,
  options: DaemonOptions,
  deps: DaemonDependencies,
  signal: AbortSignal,
): Promise<void> {
  await deps.client.notify({
    to: from,
    entity: heartbeatEntity(options.device),
    value: encodePingResponse({
      deviceName: options.device,
      deviceGroupName: "__none__",
      version: deps.version,
      corePackageVersion: CORE_PACKAGE_VERSION,
      supportedFeatures: {
        srAuth: true,
        srE2ee: true,
        acceptsPublicKeys: false,
        supportsPortChoice: true,
        adjustableTimeout: true,
        twinKeys: true,
        numberedPairing: true,
      },
      allowedServices: encodePermitOpen(options.permitOpen),
    }),
    ttlMs: MESSAGE_TTL_MS,
  }, signal);
  deps.log.debug("ping answered", { from });
}

/** Logs strangers, at most one line in an interval; what they sent is never logged. */
function strangerLog(clock: Clock, log: Log): (from: AtSign) => void {
  let nextAt = 0;
  let unlogged = 0;
  return (from) => {
    if (clock.now() < nextAt) {
      unlogged++;
      return;
    }
    log.info("notification ignored: sender is not authorized", {
      from,
      ...(unlogged > 0 ? { moreSinceLast: unlogged } : {}),
    });
    nextAt = clock.now() + STRANGER_LOG_INTERVAL_MS;
    unlogged = 0;
  };
}
