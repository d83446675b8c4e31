/**
 * The relay: takes session requests from its atServer, checks who asks, opens a pair of ports per session and tells the client.
 * PROTOCOL.md, "Relay request". The bytes of a session are `session.ts`'s business. The vendor's name for it is srvd.
 */

import type { AtSign } from "../src/atprotocol/wire/mod.ts";
import {
  type AtClient,
  type IncomingNotification,
  serveNotifications,
} from "../src/atprotocol/client/mod.ts";
import { type Clock, describeError, type Entropy, type Log, TaskGroup } from "../src/base/mod.ts";
import {
  createNonce,
  encodeRelayResponse,
  isRelayRequestKey,
  parseRelayRequest,
  relayNackEntity,
  type RelayRequest,
  relayResponseEntity,
  verifyWith,
} from "../src/session/mod.ts";
import type { RelayOptions } from "./options.ts";
import { PortAllocator } from "./ports.ts";
import { RelaySession, type SideKey } from "./session.ts";

/** Our caps of live sessions: for one client atSign, and in all. */
const MAX_SESSIONS_PER_ATSIGN = 100;
const MAX_SESSIONS = 2000;
/** Our cap of requests that wait for a public key or an answer to be sent. */
const MAX_PENDING = 64;
/** Our choice: clients give up after 20 s. */
const PREPARE_TIMEOUT_MS = 15_000;
/** Our choice: within the 5 s that a socket has to authenticate. */
const REFRESH_TIMEOUT_MS = 3_000;
/** The specification's lifetime of an answer. */
const RESPONSE_TTL_MS = 10_000;

export interface RelayDependencies {
  readonly client: AtClient;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}

/** A reason not to serve a request, in words that the client may see. */
class Refusal extends Error {
  override readonly name = "Refusal";
}

/**
 * Serves session requests until `signal` aborts; live sessions are closed then.
 * @throws {NoportsError} when the first login or monitor fails, and when the keys' enrollment is revoked or expires; the client
 * repairs other losses.
 */
export async function runRelay(
  options: RelayOptions,
  deps: RelayDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { client, log } = deps;
  using requests = client.subscribe((key) => isRelayRequestKey(key));
  await client.monitorReady(signal);
  log.info("relay ready", {
    atSign: options.atSign,
    address: options.address,
    ports: options.portRange === null
      ? "any"
      : `${options.portRange.first}-${options.portRange.last}`,
    allowed: options.allowed === null ? "open" : [...options.allowed].join(","),
  });
  const over = new AbortController();
  await using relay = new Relay(options, deps, AbortSignal.any([signal, over.signal]));
  const serve = (request: IncomingNotification): void => relay.serve(request);
  await serveNotifications({ notifications: requests, serve, over, log }, signal);
  log.info("relay stopping", { sessions: relay.sessions });
}

class Relay implements AsyncDisposable {
  readonly #options: RelayOptions;
  readonly #deps: RelayDependencies;
  readonly #signal: AbortSignal;
  readonly #ports: PortAllocator;
  readonly #tasks: TaskGroup;
  /** Client atSigns of live sessions, by session id; a session counts from its request on. */
  readonly #live = new Map<string, AtSign>();
  #pending = 0;

  constructor(options: RelayOptions, deps: RelayDependencies, signal: AbortSignal) {
    this.#options = options;
    this.#deps = deps;
    this.#signal = signal;
    this.#ports = new PortAllocator(options.bind, options.portRange);
    this.#tasks = new TaskGroup((error) => {
      if (!signal.aborted) deps.log.error("request failed", { reason: describeError(error) });
    });
  }

  get sessions(): number {
    return this.#live.size;
  }

  /** Starts to answer a request, and runs its session. */
  serve(notification: IncomingNotification): void {
    if (this.#pending >= MAX_PENDING) {
      this.#deps.log.warn("request dropped: too many at once", { from: notification.from });
      return;
    }
    this.#tasks.run(() => this.#serve(notification));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tasks[Symbol.asyncDispose]();
  }

  async #serve(notification: IncomingNotification): Promise<void> {
    const { from } = notification;
    let session: RelaySession | null;
    let request: RelayRequest;
    this.#pending++;
    try {
      this.#deps.log.info(`New session request from ${from}`);
      try {
        request = parseRelayRequest(notification.value ?? "");
      } catch (error) {
        this.#deps.log.warn("request dropped", { from, reason: describeError(error) });
        return;
      }
      session = await this.#prepareOrRefuse(request, from);
    } finally {
      this.#pending--;
    }
    if (session === null) return;
    try {
      await this.#run(session, request);
    } finally {
      this.#live.delete(request.sessionId);
    }
  }

  /** A session whose client has been told where it is; or null after a refusal. */
  async #prepareOrRefuse(request: RelayRequest, from: AtSign): Promise<RelaySession | null> {
    const { log } = this.#deps;
    const { sessionId } = request;
    const limit = AbortSignal.any([this.#signal, AbortSignal.timeout(PREPARE_TIMEOUT_MS)]);
    let claimed = false;
    try {
      this.#checkAccess(request, from);
      this.#checkCaps(request);
      this.#live.set(sessionId, request.atSignA);
      claimed = true;
      return await this.#prepare(request, limit);
    } catch (error) {
      if (claimed) this.#live.delete(sessionId);
      if (this.#signal.aborted) return null;
      if (error instanceof Refusal) {
        log.warn(`Session ${sessionId} for ${from} is denied`, { reason: error.message });
      } else {
        log.warn(`Unable to provide the socket pair due to: ${describeError(error)}`, {
          sessionId,
          from,
        });
      }
      await this.#sendNack(request, from, error);
      return null;
    }
  }

  /** @throws {Refusal} unless the sender asks for itself, and may. */
  #checkAccess(request: RelayRequest, from: AtSign): void {
    const { allowed } = this.#options;
    if (from !== request.atSignA) throw new Refusal("The request names another client atSign");
    if (allowed !== null && !allowed.has(from)) {
      throw new Refusal(`${from} may not use this relay`);
    }
    if (request.only443) {
      throw new Refusal("Client requested port 443 but this relay is not bound to port 443");
    }
    if (request.relayAuthMode === "escr") {
      throw new Refusal("Client requested ESCR authentication but this relay does not offer it");
    }
  }

  /** @throws {Refusal} for a session that is live, or one too many. */
  #checkCaps(request: RelayRequest): void {
    const { sessionId, atSignA } = request;
    if (this.#live.has(sessionId)) {
      throw new Refusal(`A session with id ${sessionId} is already live`);
    }
    if (this.#live.size >= MAX_SESSIONS) throw new Refusal("This relay has no session to spare");
    let own = 0;
    for (const owner of this.#live.values()) if (owner === atSignA) own++;
    if (own >= MAX_SESSIONS_PER_ATSIGN) {
      throw new Refusal(`${atSignA} has ${own} sessions at this relay, as many as it allows`);
    }
  }

  async #prepare(request: RelayRequest, limit: AbortSignal): Promise<RelaySession> {
    const { client, clock, entropy, log } = this.#deps;
    const { sessionId, clientNonce, atSignA, atSignB } = request;
    const [A, B] = await Promise.all([
      request.authenticateSocketA ? this.#sideKey(atSignA, limit) : null,
      request.authenticateSocketB ? this.#sideKey(atSignB, limit) : null,
    ]);
    const rvdNonce = createNonce(entropy);
    const session = new RelaySession(this.#ports.openPair(), {
      auth: { sessionId, clientNonce, rvdNonce },
      keys: { A, B },
      clock,
      log: log.with({ sessionId }),
    });
    try {
      const { portA, portB } = session;
      const address = this.#options.address;
      log.info(
        `Starting session ${sessionId} for ${atSignA} to ${atSignB} using ports (${portA}, ${portB})`,
      );
      log.info(
        `Sending response data for requested session ${sessionId} : [${address},${portA},${portB}]`,
      );
      const form = request.sendJsonResponse ? "json" : "csv";
      await client.notify({
        to: atSignA,
        entity: relayResponseEntity(sessionId),
        value: encodeRelayResponse(
          { address, portA, portB, rvdNonce, numberedPairing: true },
          form,
        ),
        ttlMs: RESPONSE_TTL_MS,
      }, limit);
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  async #sideKey(of: AtSign, limit: AbortSignal): Promise<SideKey> {
    const { client } = this.#deps;
    const verify = verifyWith(await client.publicKey(of, { signal: limit }));
    const refresh = async () => {
      const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(REFRESH_TIMEOUT_MS)]);
      return verifyWith(await client.publicKey(of, { refresh: true, signal }));
    };
    return { verify, refresh };
  }

  async #run(session: RelaySession, request: RelayRequest): Promise<void> {
    const { sessionId, atSignA, atSignB } = request;
    const { portA, portB } = session;
    const end = await session.run(this.#signal);
    this.#deps.log.info(
      `Finished session ${sessionId} for ${atSignA} to ${atSignB} using ports [${portA}, ${portB}]`,
      { ...end },
    );
  }

  /** Tells a client that understands it why there will be no session. Only ever to the sender itself. */
  async #sendNack(request: RelayRequest, from: AtSign, error: unknown): Promise<void> {
    if (!request.multipleAcksOk || from !== request.atSignA) return;
    const reason = error instanceof Refusal
      ? error.message
      : "This relay could not prepare the session";
    await this.#deps.client.notify({
      to: from,
      entity: relayNackEntity(request.sessionId),
      value: reason,
      ttlMs: RESPONSE_TTL_MS,
    }, AbortSignal.any([this.#signal, AbortSignal.timeout(PREPARE_TIMEOUT_MS)]));
  }
}
