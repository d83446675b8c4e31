/**
 * K4 and K5: the client's ping and the daemon's answer, which says what the daemon can do (PROTOCOL.md, Ping). Behaviour follows
 * the features alone; versions are for display. Pure.
 */

import { NoportsError } from "../base/mod.ts";
import { asObject, type JsonObject, malformed, parseJsonObject, textMember } from "./_json.ts";

const WHAT = "ping response";
const MAX_CHARS = 32 * 1024;
const MAX_SERVICES = 1000;
/** The core version that our programs name: our own scheme, never one that could pass for the vendor's. */
export const CORE_PACKAGE_VERSION = "np1.0.0";
/** The value of K4; receivers ignore it. */
export const PING_TEXT = "ping";
/** C daemons name their core version so; csshnpd 0.x starts one thread per control message. */
const C_DAEMON_PREFIX = "c0.";

/** Features that a client may need, with the vendor's words for the error when the daemon lacks one. */
const FEATURE_PHRASES = {
  acceptsPublicKeys: "accept ssh public keys from the client",
  srAuth: "authenticate to the socket rendezvous",
  srE2ee: "encrypt traffic to the socket rendezvous",
  supportsPortChoice: "support requests for specific device ports",
  adjustableTimeout: "support the 'timeout' value in npt session requests",
  controlChannelHeartbeats: "take heartbeats on the control channel",
  twinKeys: "use separate keys for each direction",
  numberedPairing: "number its relay connections",
} as const;

export type Feature = keyof typeof FEATURE_PHRASES;

export interface PingResponse {
  readonly deviceName: string;
  readonly deviceGroupName: string;
  readonly version: string;
  readonly corePackageVersion: string;
  readonly supportedFeatures: Readonly<Record<string, boolean>>;
  /** The daemon's permit-open list, for display only. */
  readonly allowedServices: readonly string[];
}

/** Encodes K5 in the vendor's order. */
export function encodePingResponse(response: PingResponse): string {
  return JSON.stringify({
    devicename: response.deviceName,
    deviceGroupName: response.deviceGroupName,
    version: response.version,
    corePackageVersion: response.corePackageVersion,
    supportedFeatures: response.supportedFeatures,
    allowedServices: response.allowedServices,
  });
}

/**
 * Reads K5. Only the device name is required; a daemon without `supportedFeatures` (v4) accepts public keys and nothing else.
 * @throws {NoportsError} `protocol_violation`.
 */
export function parsePingResponse(text: string): PingResponse {
  const json = parseJsonObject(text, MAX_CHARS, WHAT);
  return {
    deviceName: textMember(json, "devicename", WHAT),
    deviceGroupName: optionalText(json, "deviceGroupName", "__none__"),
    version: optionalText(json, "version", ""),
    corePackageVersion: optionalText(json, "corePackageVersion", ""),
    supportedFeatures: parseFeatures(json.supportedFeatures),
    allowedServices: parseServices(json.allowedServices),
  };
}

/** True when the daemon says that it has `feature`. */
export function hasFeature(response: PingResponse, feature: Feature): boolean {
  return response.supportedFeatures[feature] === true;
}

/** @throws {NoportsError} `daemon_refused` that names the first of `features` that the daemon lacks. */
export function requireFeatures(response: PingResponse, features: readonly Feature[]): void {
  const missing = features.find((feature) => !hasFeature(response, feature));
  if (missing === undefined) return;
  throw new NoportsError(
    "daemon_refused",
    `This device daemon does not ${FEATURE_PHRASES[missing]}`,
    { hint: "update the daemon on the device" },
  );
}

/** True for csshnpd 0.x, whose relay connections may become ready in another order than they were asked for. */
export function isParallelDaemon(response: PingResponse): boolean {
  return response.corePackageVersion.startsWith(C_DAEMON_PREFIX);
}

function parseFeatures(value: unknown): Readonly<Record<string, boolean>> {
  if (value === undefined || value === null) return { acceptsPublicKeys: true };
  const entries = Object.entries(asObject(value, WHAT));
  return Object.fromEntries(entries.map(([name, on]) => [name, on === true]));
}

function parseServices(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > MAX_SERVICES) {
    throw malformed(WHAT, `"allowedServices" is not a list of at most ${MAX_SERVICES}`);
  }
  return value.filter((service) => typeof service === "string");
}

function optionalText(json: JsonObject, name: string, absent: string): string {
  return typeof json[name] === "string" && json[name] !== ""
    ? textMember(json, name, WHAT)
    : absent;
}
