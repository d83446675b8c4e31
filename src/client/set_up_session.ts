/**
 * Sets a port-forward session up over the control plane: relay and daemon are asked at the same time, then the daemon is sent the
 * signed request. PROTOCOL.md, "A session, message by message". What carries the bytes is `tunnel.ts`'s business. IO.
 */

import type { AtSign } from "../atprotocol/wire/mod.ts";
import type { AtClient, IncomingNotification, Subscription } from "../atprotocol/client/mod.ts";
import { type Entropy, type Log, NoportsError, type RsaKeyPair } from "../base/mod.ts";
import {
  createNonce,
  type DirectionKeys,
  encodeNptRequest,
  encodeRelayRequest,
  EPHEMERAL_KEY_TYPE,
  hasFeature,
  heartbeatEntity,
  matchRelayAnswer,
  nptRequestEntity,
  parsePingResponse,
  parseRelayResponse,
  parseSessionResponse,
  PING_TEXT,
  pingEntity,
  type PingResponse,
  refusalError,
  relayRequestEntity,
  type RelayResponse,
  requireFeatures,
  sessionResponseEntity,
  signWith,
  splitKey,
  unwrapSessionKeys,
  verifyWith,
} from "../session/mod.ts";
import type { TunnelOptions } from "./options.ts";

/** The vendor's times. */
const RELAY_TIMEOUT_MS = 20_000;
const RESPONSE_TIMEOUT_MS = 15_000;
const MESSAGE_TTL_MS = 10_000;
/** What a daemon without `adjustableTimeout` uses, whatever it is asked. */
const FIXED_TIMEOUT_MS = 30_000;
/** What the vendor's client asks for when it is told "never": its daemons end at once at 0. */
const VENDOR_NEVER_MS = 365 * 24 * 3600 * 1000;
/** Our own daemons name their core version so. */
const OWN_CORE_PREFIX = "np";

/** A session that the daemon has agreed to and is connected to the relay for. */
export interface AgreedSession {
  readonly sessionId: string;
  readonly ping: PingResponse;
  readonly relay: RelayResponse & { readonly rvdNonce: string };
  readonly clientNonce: string;
  readonly keys: DirectionKeys;
  /** Client, relay and daemon all number their connections. */
  readonly numberedPairing: boolean;
  /** The idle limit that the daemon applies; 0: none. */
  readonly timeoutMs: number;
}

export interface SetUpDependencies {
  readonly client: AtClient;
  readonly entropy: Entropy;
  readonly log: Log;
  /** The session's own RSA pair, being made; it takes longer than anything else here. */
  readonly ephemeralKeys: Promise<RsaKeyPair>;
  /** Hears of each step, in the vendor's words. */
  readonly progress: (text: string) => void;
  /** Hears of each step that is done, for those who measure. */
  readonly step: (name: string) => void;
}

/**
 * Agrees on a session.
 * @throws {NoportsError} `atsign_unknown`, `atsign_not_activated`, `relay_unreachable`, `relay_refused`, `device_silent`,
 * `daemon_refused`, `permit_denied`, `timeout`, control plane errors, or the signal's reason.
 */
export async function setUpSession(
  options: TunnelOptions,
  deps: SetUpDependencies,
  signal: AbortSignal,
): Promise<AgreedSession> {
  const { client, entropy, progress, step } = deps;
  const sessionId = entropy.uuid();
  const clientNonce = createNonce(entropy);
  const messageTo = (to: AtSign, entity: string, value: string) =>
    client.notify({ to, entity, value, ttlMs: MESSAGE_TTL_MS }, signal);

  // subscribed before anything is sent that is answered
  using relayAnswers = client.subscribe((key, from) =>
    from === options.relay && matchRelayAnswer(key, sessionId) !== null
  );
  using heartbeats = client.subscribe(isEntity(heartbeatEntity(options.device), options.to));
  using responses = client.subscribe(
    isEntity(sessionResponseEntity(sessionId, options.device), options.to),
  );
  // looked up through our own atServer: an unknown atSign is found at once, and one of another control plane is found too
  await Promise.all([
    client.monitorReady(signal),
    client.publicKey(options.to, { signal }),
    client.publicKey(options.relay, { signal }),
  ]);
  step("logged in, monitor up, atSigns found");

  const [ping, relay] = await allOrFirstError([
    async () => {
      progress("Sending daemon feature check request");
      await messageTo(options.to, pingEntity(options.device), PING_TEXT);
      const answer = await answerWithin(
        heartbeats,
        options.pingTimeoutMs,
        signal,
        () => silentDevice(options),
      );
      progress("Received daemon feature check response");
      const response = parsePingResponse(answer.value ?? "");
      requireFeatures(response, ["srAuth", "srE2ee", "supportsPortChoice"]);
      return response;
    },
    async () => {
      progress("Fetching host and port from srvd");
      const request = encodeRelayRequest({
        sessionId,
        atSignA: options.from,
        atSignB: options.to,
        authenticateSocketA: true,
        authenticateSocketB: true,
        clientNonce,
      });
      await messageTo(options.relay, relayRequestEntity(options.device), request);
      const answer = await answerWithin(
        relayAnswers,
        RELAY_TIMEOUT_MS,
        signal,
        () => silentRelay(options),
      );
      const response = readRelayAnswer(answer, options.relay, sessionId);
      progress("Received host and port from srvd");
      return response;
    },
  ]);

  step("relay and daemon answered");
  const adjustable = hasFeature(ping, "adjustableTimeout");
  if (!adjustable && options.timeoutMs !== FIXED_TIMEOUT_MS) {
    progress("This daemon ends a session after 30 s without a connection, whatever is asked");
  }
  const ephemeral = await deps.ephemeralKeys;
  const numberedPairing = relay.numberedPairing && hasFeature(ping, "numberedPairing");
  progress("Sending session request to the device daemon");
  await messageTo(
    options.to,
    nptRequestEntity(options.device),
    encodeNptRequest({
      sessionId,
      rvdHost: relay.address,
      rvdPort: relay.portB,
      requestedPort: options.remotePort,
      requestedHost: options.remoteHost,
      authenticateToRvd: true,
      clientNonce,
      rvdNonce: relay.rvdNonce,
      encryptRvdTraffic: true,
      clientEphemeralPK: ephemeral.publicKey,
      clientEphemeralPKType: EPHEMERAL_KEY_TYPE,
      timeoutMs: requestedTimeoutMs(options.timeoutMs, ping, adjustable),
      twinKeys: hasFeature(ping, "twinKeys"),
      numberedPairing,
    }, signWith(client.keys.encryption.privateKey)),
  );
  progress("Waiting for response from the device daemon");
  const answer = await answerWithin(responses, RESPONSE_TIMEOUT_MS, signal, () =>
    new NoportsError(
      "timeout",
      `Cannot open session: ${options.device} of ${options.to} did not answer the request within ` +
        `${RESPONSE_TIMEOUT_MS / 1000} s`,
      { hint: "look at the daemon's log; it may not reach the relay" },
    ));
  const keys = await readResponse(answer, options.to, sessionId, client, ephemeral, signal);
  progress("Received response from the device daemon");
  step("daemon connected to the relay and agreed");
  return {
    sessionId,
    ping,
    relay,
    clientNonce,
    keys,
    numberedPairing,
    timeoutMs: adjustable ? options.timeoutMs : FIXED_TIMEOUT_MS,
  };
}

function isEntity(entity: string, sender: AtSign): (key: string, from: AtSign) => boolean {
  return (key, from) => from === sender && splitKey(key)?.entity === entity;
}

async function answerWithin(
  subscription: Subscription,
  timeoutMs: number,
  signal: AbortSignal,
  silence: () => NoportsError,
): Promise<IncomingNotification> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    return await subscription.next(AbortSignal.any([signal, deadline]));
  } catch (error) {
    throw deadline.aborted && !signal.aborted ? silence() : error;
  }
}

/** Runs both at the same time; the first error is thrown at once, the other ends with the subscriptions. */
async function allOrFirstError<A, B>(
  tasks: readonly [() => Promise<A>, () => Promise<B>],
): Promise<[A, B]> {
  const running = [tasks[0](), tasks[1]()] as const;
  for (const task of running) task.catch(() => {});
  return await Promise.all(running);
}

function silentDevice(options: TunnelOptions): NoportsError {
  const seconds = options.pingTimeoutMs / 1000;
  return new NoportsError(
    "device_silent",
    `Cannot reach ${options.device} of ${options.to}: no answer within ${seconds} s`,
    {
      hint: `check that the daemon is running, that it is called "${options.device}" and that ` +
        `${options.from} is one of its managers; it does not answer anybody else`,
    },
  );
}

function silentRelay(options: TunnelOptions): NoportsError {
  return new NoportsError(
    "relay_unreachable",
    `Cannot get a rendezvous: no answer from the relay ${options.relay} within ` +
      `${RELAY_TIMEOUT_MS / 1000} s`,
    { hint: "check that the relay is running and that you may use it, or choose another with -r" },
  );
}

function readRelayAnswer(
  answer: IncomingNotification,
  relay: AtSign,
  sessionId: string,
): RelayResponse & { rvdNonce: string } {
  if (matchRelayAnswer(answer.key, sessionId) === "nack") {
    const reason = (answer.value ?? "").replace(/[\p{Cc}\s]+/gu, " ").slice(0, 200);
    throw new NoportsError("relay_refused", `Cannot get a rendezvous: ${relay} said "${reason}"`, {
      hint: "choose another relay with -r, or ask its operator",
    });
  }
  const response = parseRelayResponse(answer.value ?? "");
  if (response.rvdNonce === null) {
    throw new NoportsError("relay_refused", `Cannot use the relay ${relay}: it is too old`, {
      hint: "choose another relay with -r",
    });
  }
  return { ...response, rvdNonce: response.rvdNonce };
}

function requestedTimeoutMs(wantedMs: number, ping: PingResponse, adjustable: boolean): number {
  if (!adjustable) return FIXED_TIMEOUT_MS;
  if (wantedMs > 0 || ping.corePackageVersion.startsWith(OWN_CORE_PREFIX)) return wantedMs;
  return VENDOR_NEVER_MS;
}

async function readResponse(
  answer: IncomingNotification,
  daemon: AtSign,
  sessionId: string,
  client: AtClient,
  ephemeral: RsaKeyPair,
  signal: AbortSignal,
): Promise<DirectionKeys> {
  const read = async (refresh: boolean) =>
    parseSessionResponse(answer.value ?? "", {
      sessionId,
      verify: verifyWith(await client.publicKey(daemon, { refresh, signal })),
    });
  let response;
  try {
    response = await read(false);
  } catch (error) {
    // the daemon's atSign may have been activated anew since its key was cached
    if (!(error instanceof NoportsError) || error.code !== "auth_failed") throw error;
    response = await read(true);
  }
  if (response.kind === "refused") throw refusalError(response.text);
  if (response.keys === null) {
    throw new NoportsError(
      "daemon_refused",
      "Cannot open session: the daemon answered without keys, but encryption was asked for",
    );
  }
  return unwrapSessionKeys(response.keys, ephemeral.privateKey);
}
