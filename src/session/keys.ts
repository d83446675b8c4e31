/**
 * Names of the keys that carry session messages, and the tests that subscriptions use. Keys are compared in lower case, and the
 * device label exactly: the vendor's daemon `web01` also sees messages for `xweb01`, ours does not (PROTOCOL.md, Keys). Pure.
 */

const SESSION_NAMESPACE = "sshnp";
const RELAY_NAMESPACE = "sshrvd";
const RELAY_REQUEST_MARK = `.request_ports.${RELAY_NAMESPACE}`;

/** A full key `@to:entity@from`, lower-cased; `to` is null in a key without a recipient. */
export interface FullKey {
  readonly to: string | null;
  readonly entity: string;
  readonly from: string | null;
}

/** Splits a full key. Gives null when it has no entity. */
export function splitKey(key: string): FullKey | null {
  const text = key.toLowerCase();
  const colon = text.startsWith("@") ? text.indexOf(":") : -1;
  const rest = text.slice(colon + 1);
  const at = rest.lastIndexOf("@");
  const entity = at < 0 ? rest : rest.slice(0, at);
  if (entity === "") return null;
  return {
    to: colon < 0 ? null : text.slice(0, colon),
    entity,
    from: at < 0 ? null : rest.slice(at),
  };
}

/** K1, client to relay: `web01.request_ports.sshrvd`. */
export function relayRequestEntity(device: string): string {
  return `${device}${RELAY_REQUEST_MARK}`;
}

/** True for a relay request in JSON form, whatever the device is called. */
export function isRelayRequestKey(key: string): boolean {
  return splitKey(key)?.entity.endsWith(RELAY_REQUEST_MARK) === true;
}

/** K3, relay to client: `<sid>.sshrvd`. */
export function relayResponseEntity(sessionId: string): string {
  return `${sessionId}.${RELAY_NAMESPACE}`;
}

/** The relay's refusal, for clients that asked for one: `nack.<sid>.sshrvd`. */
export function relayNackEntity(sessionId: string): string {
  return `nack.${sessionId}.${RELAY_NAMESPACE}`;
}

/** What a relay's notification is for this session: its answer, its refusal, or nothing of ours (null). */
export function matchRelayAnswer(key: string, sessionId: string): "response" | "nack" | null {
  const entity = splitKey(key)?.entity;
  if (entity === relayResponseEntity(sessionId)) return "response";
  if (entity === relayNackEntity(sessionId)) return "nack";
  return null;
}

/** K4, client to daemon: `ping.web01.sshnp`. */
export function pingEntity(device: string): string {
  return deviceEntity("ping", device);
}

/** K5, daemon to client: `heartbeat.web01.sshnp`. */
export function heartbeatEntity(device: string): string {
  return deviceEntity("heartbeat", device);
}

/** K6, client to daemon: `ssh_request.web01.sshnp`. */
export function sshRequestEntity(device: string): string {
  return deviceEntity("ssh_request", device);
}

/** K7, client to daemon: `npt_request.web01.sshnp`. */
export function nptRequestEntity(device: string): string {
  return deviceEntity("npt_request", device);
}

/** K8, daemon to client: `<sid>.web01.sshnp`. */
export function sessionResponseEntity(sessionId: string, device: string): string {
  return deviceEntity(sessionId, device);
}

/** K9, client to daemon: `sshpublickey.web01.sshnp`. */
export function sshPublicKeyEntity(device: string): string {
  return deviceEntity("sshpublickey", device);
}

/** K10, the daemon's user name shared with a manager: `username.web01.sshnp`. */
export function usernameEntity(device: string): string {
  return deviceEntity("username", device);
}

/** K11, the daemon's ping response kept at its own atServer: `device_info.web01.sshnp`. */
export function deviceInfoEntity(device: string): string {
  return deviceEntity("device_info", device);
}

/**
 * The type label of a message to or from `device` (`ping`, `npt_request`, a session id …), or null when the key belongs
 * to another device. The label is what the peer wrote, in lower case: compare it, do not trust it.
 */
export function matchDeviceKey(key: string, device: string): string | null {
  const entity = splitKey(key)?.entity;
  const tail = `.${device}.${SESSION_NAMESPACE}`;
  if (entity === undefined || !entity.endsWith(tail)) return null;
  const label = entity.slice(0, -tail.length);
  return label === "" || label.includes(".") ? null : label;
}

function deviceEntity(label: string, device: string): string {
  return `${label}.${device}.${SESSION_NAMESPACE}`;
}
