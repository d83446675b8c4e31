/**
 * K3: where a relay waits for the two sides of a session, as JSON or as the comma-separated text of older relays
 * (PROTOCOL.md, Relay response). Any client must read both. The sender is checked by the client. Pure.
 */

import {
  checkHost,
  checkPort,
  hostMember,
  malformed,
  parseJsonObject,
  portMember,
  textMember,
} from "./_json.ts";

const WHAT = "relay response";
const MAX_CHARS = 4096;

export interface RelayResponse {
  /** Host name or address, as the relay's operator gave it. */
  readonly address: string;
  /** Where the client connects. */
  readonly portA: number;
  /** Where the daemon connects. */
  readonly portB: number;
  /** The relay's nonce for this session; null from relays too old to send one. */
  readonly rvdNonce: string | null;
  /** The relay joins connections by the number in their auth lines (PROTOCOL.md, Numbered pairing): ours does. */
  readonly numberedPairing: boolean;
}

/** Encodes a response in the form that the client asked for. */
export function encodeRelayResponse(response: RelayResponse, form: "json" | "csv"): string {
  if (form === "csv") {
    return [response.address, response.portA, response.portB, response.rvdNonce].join(",");
  }
  return JSON.stringify({
    address: response.address,
    portA: response.portA,
    portB: response.portB,
    rvdNonce: response.rvdNonce,
    supportsEventLogging: false,
    ...(response.numberedPairing ? { numberedPairing: true } : {}),
  });
}

/** Reads a response in either form. @throws {NoportsError} `protocol_violation`. */
export function parseRelayResponse(text: string): RelayResponse {
  return text.startsWith("{") ? parseJson(text) : parseCsv(text);
}

function parseJson(text: string): RelayResponse {
  const json = parseJsonObject(text, MAX_CHARS, WHAT);
  const hasNonce = json.rvdNonce !== undefined && json.rvdNonce !== null;
  return {
    address: hostMember(json, "address", WHAT),
    portA: portMember(json, "portA", WHAT),
    portB: portMember(json, "portB", WHAT),
    rvdNonce: hasNonce ? textMember(json, "rvdNonce", WHAT) : null,
    numberedPairing: json.numberedPairing === true,
  };
}

function parseCsv(text: string): RelayResponse {
  const [address = "", portA = "", portB = "", nonce] = text.trim().split(",");
  if (text.length > MAX_CHARS || address === "") throw malformed(WHAT, "not host,port,port,nonce");
  const rvdNonce = nonce === undefined || nonce === "" || nonce === "null" ? null : nonce;
  return {
    address: checkHost(textMember({ address }, "address", WHAT), "address", WHAT),
    portA: checkPort(decimal(portA), "portA", WHAT),
    portB: checkPort(decimal(portB), "portB", WHAT),
    rvdNonce: rvdNonce === null ? null : textMember({ rvdNonce }, "rvdNonce", WHAT),
    numberedPairing: false,
  };
}

function decimal(text: string): number {
  return /^[0-9]{1,5}$/.test(text) ? Number(text) : NaN;
}
