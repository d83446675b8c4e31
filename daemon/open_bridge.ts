/** Connects the daemon's side of a session to the relay, with the atSign's own auth line. IO. */

import type { AtClient } from "../src/atprotocol/client/mod.ts";
import type { Clock, Log } from "../src/base/mod.ts";
import { connectDaemonBridge, type DaemonBridge } from "../src/dataplane/mod.ts";
import {
  createAuthLines,
  type DirectionKeys,
  type NptRequest,
  signWith,
} from "../src/session/mod.ts";

export interface OpenBridgeOptions {
  readonly request: NptRequest;
  /** Null: the session is not encrypted. */
  readonly keys: DirectionKeys | null;
  /** Asked before each dial of the target. */
  readonly authorize: (host: string, port: number) => boolean;
  readonly client: AtClient;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Dials the relay that `request` names; the caller disposes or runs the bridge.
 * @throws {NoportsError} `relay_unreachable`; the signal's reason.
 */
export async function openBridge(
  options: OpenBridgeOptions,
  signal: AbortSignal,
): Promise<DaemonBridge> {
  const { request, keys, authorize, client, clock, log } = options;
  const { sessionId, clientNonce, rvdNonce } = request;
  return await connectDaemonBridge({
    relay: {
      host: request.rvdHost,
      port: request.rvdPort,
      authLines: request.authenticateToRvd
        ? createAuthLines(
          { sessionId, clientNonce, rvdNonce },
          signWith(client.keys.encryption.privateKey),
        )
        : null,
    },
    target: { host: request.requestedHost, port: request.requestedPort },
    keys,
    numberedPairing: request.numberedPairing,
    timeoutMs: request.timeoutMs,
    authorize,
    clock,
    log,
  }, signal);
}
