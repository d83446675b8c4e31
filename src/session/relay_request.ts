/**
 * K1: what a client asks of a relay, in the JSON form (PROTOCOL.md, Relay request). The legacy plain-text request (K2) is not
 * spoken: newer relays ignore it too. Who may ask is decided by the relay. Pure.
 */

import { type AtSign, parseAtSign } from "../atprotocol/wire/mod.ts";
import { booleanMember, parseJsonObject, textMember } from "./_json.ts";
import { parseSessionId } from "./session_id.ts";

const WHAT = "relay request";
const MAX_CHARS = 16 * 1024;

export interface RelayRequest {
  readonly sessionId: string;
  /** The client's atSign, side A. */
  readonly atSignA: AtSign;
  /** The daemon's atSign, side B. */
  readonly atSignB: AtSign;
  readonly authenticateSocketA: boolean;
  readonly authenticateSocketB: boolean;
  readonly clientNonce: string;
  /** The client can read a JSON response; otherwise it gets comma-separated text. */
  readonly sendJsonResponse: boolean;
  /** The client takes the first of several answers, and understands a refusal (`nack.…`). */
  readonly multipleAcksOk: boolean;
  /** `escr` when the client insists on the challenge form, which we do not offer yet. */
  readonly relayAuthMode: "payload" | "escr";
  /** The client insists on the single port 443, which we do not offer yet. */
  readonly only443: boolean;
}

/** What our own client asks: payload authentication on both sides, a JSON answer, and a reason when refused. */
export function encodeRelayRequest(
  request: Pick<
    RelayRequest,
    | "sessionId"
    | "atSignA"
    | "atSignB"
    | "authenticateSocketA"
    | "authenticateSocketB"
    | "clientNonce"
  >,
): string {
  return JSON.stringify({
    sessionId: request.sessionId,
    atSignA: request.atSignA,
    atSignB: request.atSignB,
    authenticateSocketA: request.authenticateSocketA,
    authenticateSocketB: request.authenticateSocketB,
    clientNonce: request.clientNonce,
    relayAuthMode: "payload",
    multipleAcksOk: true,
    sendJsonResponse: true,
  });
}

/** Reads a relay request. @throws {NoportsError} `protocol_violation`, `atsign_invalid`: no answer is due. */
export function parseRelayRequest(text: string): RelayRequest {
  const json = parseJsonObject(text, MAX_CHARS, WHAT);
  return {
    sessionId: parseSessionId(json.sessionId),
    atSignA: parseAtSign(textMember(json, "atSignA", WHAT)),
    atSignB: parseAtSign(textMember(json, "atSignB", WHAT)),
    authenticateSocketA: booleanMember(json, "authenticateSocketA", WHAT),
    authenticateSocketB: booleanMember(json, "authenticateSocketB", WHAT),
    clientNonce: textMember(json, "clientNonce", WHAT),
    // what is not a plain `true` is what old clients mean by leaving the member out
    sendJsonResponse: json.sendJsonResponse === true,
    multipleAcksOk: json.multipleAcksOk === true,
    relayAuthMode: json.relayAuthMode === "escr" ? "escr" : "payload",
    only443: json.only443 === true,
  };
}
