/**
 * K7: the client's request for a port-forward session, inside a signed envelope (PROTOCOL.md, Session request). Member order is the
 * vendor's, because verifiers serialise the parsed payload again. Permission and session limits are the daemon's. Pure.
 */

import {
  booleanMember,
  hostMember,
  type JsonObject,
  malformed,
  portMember,
  textMember,
} from "./_json.ts";
import { encodeSignedEnvelope, parseSignedEnvelope } from "./envelope.ts";
import { parseSessionId } from "./session_id.ts";
import type { Sign, Verify } from "./signature.ts";

const WHAT = "session request";
/** The specification's value for a request without `timeout`. */
export const DEFAULT_SESSION_TIMEOUT_MS = 60_000;
/** The only key type that exists. */
export const EPHEMERAL_KEY_TYPE = "rsa2048";

export interface NptRequest {
  readonly sessionId: string;
  /** The relay's address and its port for the daemon. */
  readonly rvdHost: string;
  readonly rvdPort: number;
  /** The service to connect to, as seen from the daemon. */
  readonly requestedHost: string;
  readonly requestedPort: number;
  /** The daemon's connections start with an auth line. */
  readonly authenticateToRvd: boolean;
  readonly clientNonce: string;
  readonly rvdNonce: string;
  readonly encryptRvdTraffic: boolean;
  /** The client's ephemeral public key, base64 SPKI. */
  readonly clientEphemeralPK: string;
  readonly clientEphemeralPKType: string;
  /** Idle limit of the session in ms; 0: none. */
  readonly timeoutMs: number;
  /** The client takes separate keys for each direction. */
  readonly twinKeys: boolean;
  /** Client, relay and daemon number their relay connections (PROTOCOL.md, Numbered pairing). */
  readonly numberedPairing: boolean;
}

/** Encodes and signs a request. */
export function encodeNptRequest(request: NptRequest, sign: Sign): string {
  return encodeSignedEnvelope({
    sessionId: request.sessionId,
    rvdHost: request.rvdHost,
    rvdPort: request.rvdPort,
    requestedPort: request.requestedPort,
    requestedHost: request.requestedHost,
    authenticateToRvd: request.authenticateToRvd,
    clientNonce: request.clientNonce,
    rvdNonce: request.rvdNonce,
    encryptRvdTraffic: request.encryptRvdTraffic,
    clientEphemeralPK: request.clientEphemeralPK,
    clientEphemeralPKType: request.clientEphemeralPKType,
    timeout: request.timeoutMs,
    ...(request.twinKeys ? { twinKeys: true } : {}),
    ...(request.numberedPairing ? { numberedPairing: true } : {}),
  }, sign);
}

/**
 * Reads and verifies a request. @throws {NoportsError} `protocol_violation`: not a request, no answer is due;
 * `auth_failed`: the signature is not the sender's.
 */
export function parseNptRequest(text: string, verify: Verify): NptRequest {
  const json = parseSignedEnvelope(text, verify);
  const encryptRvdTraffic = booleanMember(json, "encryptRvdTraffic", WHAT);
  const clientEphemeralPKType = textMember(json, "clientEphemeralPKType", WHAT);
  if (encryptRvdTraffic && clientEphemeralPKType !== EPHEMERAL_KEY_TYPE) {
    throw malformed(WHAT, `"clientEphemeralPKType" is not ${EPHEMERAL_KEY_TYPE}`);
  }
  return {
    sessionId: parseSessionId(json.sessionId),
    rvdHost: hostMember(json, "rvdHost", WHAT),
    rvdPort: portMember(json, "rvdPort", WHAT),
    requestedHost: hostMember(json, "requestedHost", WHAT),
    requestedPort: portMember(json, "requestedPort", WHAT),
    authenticateToRvd: booleanMember(json, "authenticateToRvd", WHAT),
    clientNonce: textMember(json, "clientNonce", WHAT),
    rvdNonce: textMember(json, "rvdNonce", WHAT),
    encryptRvdTraffic,
    clientEphemeralPK: textMember(json, "clientEphemeralPK", WHAT),
    clientEphemeralPKType,
    timeoutMs: parseTimeout(json),
    twinKeys: json.twinKeys === true,
    numberedPairing: json.numberedPairing === true,
  };
}

function parseTimeout(json: JsonObject): number {
  const value = json.timeout;
  if (value === undefined || value === null) return DEFAULT_SESSION_TIMEOUT_MS;
  if (!Number.isSafeInteger(value) || Number(value) < 0) {
    throw malformed(WHAT, '"timeout" is not a count of milliseconds');
  }
  return Number(value);
}
