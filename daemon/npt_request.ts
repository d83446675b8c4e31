/**
 * Answers one session request: signature, permission, replay and limits are checked, the relay is dialled, the client gets the keys.
 * PROTOCOL.md, "A session, message by message". IO through what it is given.
 */

import type { AtClient, IncomingNotification } from "../src/atprotocol/client/mod.ts";
import {
  type Clock,
  describeError,
  type Entropy,
  isNoportsError,
  type Log,
} from "../src/base/mod.ts";
import {
  bridgeFailedText,
  createSessionKeys,
  daemonDeniesText,
  encodeSessionResponse,
  isSessionId,
  type NptRequest,
  parseNptRequest,
  sessionResponseEntity,
  signatureRefusedText,
  signWith,
  verifyWith,
  wrapSessionKeys,
} from "../src/session/mod.ts";
import type { DaemonBridge } from "../src/dataplane/mod.ts";
import { type AccessRules, authorise } from "./authorise.ts";
import { openBridge } from "./open_bridge.ts";
import type { SessionRegistry } from "./session_registry.ts";

/** The vendor's value for session messages. */
const MESSAGE_TTL_MS = 10_000;

export interface NptRequestDependencies {
  readonly client: AtClient;
  readonly device: string;
  readonly access: AccessRules;
  readonly registry: SessionRegistry;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly clock: Clock;
}

/**
 * Serves the session that `notification` asks for until it ends. What cannot be answered is logged and dropped; nothing is thrown
 * for what a peer did.
 */
export async function serveNptRequest(
  notification: IncomingNotification,
  deps: NptRequestDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { from } = notification;
  let request: NptRequest;
  try {
    request = await readRequest(notification, deps, signal);
  } catch (error) {
    await refuseUnreadable(notification, error, deps, signal);
    return;
  }
  const { sessionId, requestedHost: host, requestedPort: port } = request;
  const log = deps.log.with({ sessionId, from, target: `${host}:${port}` });
  const answer = (value: string) => respond(deps, notification, sessionId, value, signal);

  if (!authorise(deps.access, from, { host, port }).allowed) {
    log.warn("session refused: permit-open does not list the target");
    await answer(daemonDeniesText(host, port));
    return;
  }
  const slot = deps.registry.claim(sessionId, from);
  if (slot.kind === "replayed") {
    log.warn("session request dropped: this session id was used before");
    return;
  }
  if (slot.kind === "full") {
    log.warn("session refused: too many sessions");
    await answer(bridgeFailedText("this device has as many sessions as it allows"));
    return;
  }
  using _claimed = slot;
  const keys = request.encryptRvdTraffic
    ? createSessionKeys(deps.entropy, { twin: request.twinKeys })
    : null;
  let wrapped;
  let opened: DaemonBridge;
  try {
    wrapped = keys === null ? null : wrapSessionKeys(keys, request.clientEphemeralPK);
    // asked again at every dial, because the rules may have changed by then
    const authorize = (h: string, p: number) =>
      authorise(deps.access, from, { host: h, port: p }).allowed;
    opened = await openBridge({ ...deps, request, keys, authorize, log }, signal);
  } catch (error) {
    if (signal.aborted) return;
    log.warn("session refused: bridge failed", { reason: describeError(error) });
    await answer(bridgeFailedText(describeError(error)));
    return;
  }
  using bridge = opened;
  await answer(
    encodeSessionResponse(
      { sessionId, keys: wrapped },
      signWith(deps.client.keys.encryption.privateKey),
    ),
  );
  log.info("session started");
  try {
    const { kind, connections, bytesOut, bytesIn } = await bridge.run(signal);
    log.info("session ended", { end: kind, connections, bytesOut, bytesIn });
  } catch (error) {
    log.info("session ended", { reason: describeError(error) });
  }
}

async function readRequest(
  notification: IncomingNotification,
  deps: NptRequestDependencies,
  signal: AbortSignal,
): Promise<NptRequest> {
  const text = notification.value ?? "";
  const key = await deps.client.publicKey(notification.from, { signal });
  try {
    return parseNptRequest(text, verifyWith(key));
  } catch (error) {
    // the client's atSign may have been activated anew since its key was cached
    if (!isNoportsError(error, "auth_failed")) throw error;
    const fresh = await deps.client.publicKey(notification.from, { refresh: true, signal });
    if (fresh === key) throw error;
    return parseNptRequest(text, verifyWith(fresh));
  }
}

/** A manager whose signature is wrong is told so; a request that is none gets no answer. */
async function refuseUnreadable(
  notification: IncomingNotification,
  error: unknown,
  deps: NptRequestDependencies,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  deps.log.warn("session request dropped", {
    from: notification.from,
    reason: describeError(error),
  });
  if (!isNoportsError(error, "auth_failed")) return;
  const sessionId = unverifiedSessionId(notification.value ?? "");
  if (sessionId === null) return;
  await respond(deps, notification, sessionId, signatureRefusedText(error.message), signal);
}

async function respond(
  deps: NptRequestDependencies,
  notification: IncomingNotification,
  sessionId: string,
  value: string,
  signal: AbortSignal,
): Promise<void> {
  await deps.client.notify({
    to: notification.from,
    entity: sessionResponseEntity(sessionId, deps.device),
    value,
    ttlMs: MESSAGE_TTL_MS,
  }, signal);
}

/** The session id of a request whose signature failed: good for nothing but to address the refusal to its sender. */
function unverifiedSessionId(text: string): string | null {
  try {
    const { payload } = JSON.parse(text) as { payload?: { sessionId?: unknown } };
    const id = payload?.sessionId;
    return isSessionId(id) ? id : null;
  } catch {
    return null;
  }
}
