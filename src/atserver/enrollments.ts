/**
 * Enrollments and what belongs to them in the store: their state in time, the keys that they leave behind, the record of
 * their signing key. Who may change them is the verbs' question. atProtocol specification, APKAM.
 */

import type { AtSign } from "../atprotocol/wire/mod.ts";
import { MANAGE_NAMESPACE } from "./authorisation.ts";
import { type AfterCommit, type Basics, inTransaction } from "./basics.ts";
import type { HostedAtSign } from "./hosted_at_sign.ts";
import type { Services } from "./services.ts";
import type { EnrollmentState, StoredEnrollment } from "./store/store.ts";

/** A state as clients see it. */
export type ShownState = EnrollmentState | "expired";

/** Where the public key for a login without enrollment is kept. */
export const LEGACY_PKAM_KEY = "privatekey:at_pkam_publickey";
/** Where that key waits while its enrollment is revoked. */
const REVOKED_PKAM_KEY = "privatekey:revoked_pkam_publickey";
/** The specification: how long managers may hear of a request. */
const REQUEST_NOTICE_MS = 86_400_000;
/** Our choice: an expired enrollment is shown as such for a week. */
const EXPIRED_KEPT_MS = 604_800_000;
/** Our choice: expired enrollments looked at in one go. */
const EXPIRED_BATCH = 500;

/** Where a signing key's record stands: live, revoked, deleted. Daemons and relays look whether it has moved. */
type SigningPlace = "a" | "r" | "d";

/** What an approver encrypted for an enrollment; an IV only when it used one. */
export interface DefaultKeys {
  readonly encryptionPrivateKey: string | null;
  readonly encryptionPrivateKeyIv: string | null;
  readonly selfEncryptionKey: string | null;
  readonly selfEncryptionKeyIv: string | null;
}

export function stateOf(enrollment: StoredEnrollment, nowMs: number): ShownState {
  const { expiresAt, state } = enrollment;
  return expiresAt !== null && expiresAt <= nowMs ? "expired" : state;
}

/** The name under which clients know a record; it is in no store of keys. */
export function recordName(id: string, atSign: AtSign): string {
  return `${id}.new.enrollments.${MANAGE_NAMESPACE}${atSign}`;
}

/** The names of the keys that `keepDefaultKeys` writes. */
export function defaultKeyNames(
  id: string,
  atSign: AtSign,
): { readonly encryptionPrivateKey: string; readonly selfEncryptionKey: string } {
  const end = `${MANAGE_NAMESPACE}${atSign}`;
  return {
    encryptionPrivateKey: `${id}.default_enc_private_key.${end}`,
    selfEncryptionKey: `${id}.default_self_enc_key.${end}`,
  };
}

/** Keeps the keys that the enrolled app reads with `keys:get`. Call it in a transaction, as all that follow. */
export function keepDefaultKeys(
  of: HostedAtSign,
  id: string,
  keys: DefaultKeys,
  after: AfterCommit,
): void {
  const names = defaultKeyNames(id, of.atSign);
  const keep = (key: string, value: string | null, iv: string | null): void => {
    if (value === null) return;
    of.write(key, JSON.stringify({ value, ...(iv === null ? {} : { iv }) }), {}, after);
  };
  keep(names.encryptionPrivateKey, keys.encryptionPrivateKey, keys.encryptionPrivateKeyIv);
  keep(names.selfEncryptionKey, keys.selfEncryptionKey, keys.selfEncryptionKeyIv);
}

/** Publishes the public key of an approved enrollment. */
export function publishApkamKey(
  of: HostedAtSign,
  enrollment: StoredEnrollment,
  after: AfterCommit,
): void {
  const { apkamPublicKey } = enrollment;
  of.write(publicKeyName(of, enrollment), JSON.stringify({ apkamPublicKey }), {}, after);
}

/** Tells the managers' monitors of a request. */
export function announceRequest(
  { entropy }: Basics,
  of: HostedAtSign,
  enrollment: StoredEnrollment,
  after: AfterCommit,
): void {
  const { encryptedApkamSymmetricKey: key, appName, deviceName, namespaces } = enrollment;
  const epochMillis = of.nextEpochMillis();
  const record = {
    id: entropy.uuid(),
    from: of.atSign,
    to: of.atSign,
    key: recordName(enrollment.id, of.atSign),
    value: JSON.stringify({
      // clients read either spelling
      ...(key === null ? {} : { encryptedApkamSymmetricKey: key, encryptedAPKAMSymmetricKey: key }),
      appName,
      deviceName,
      namespace: namespaces,
    }),
    type: "self",
    operation: "update",
    messageType: "key",
    priority: "low",
    strategy: "all",
    latestN: 1,
    notifier: "SYSTEM",
    status: "delivered",
    tries: 0,
    epochMillis,
    expiresAt: epochMillis + REQUEST_NOTICE_MS,
    isEncrypted: false,
    metadata: null,
  } as const;
  if (of.addNotification(record)) after(() => of.broadcast(record));
}

/** True when logins without enrollment use the key of this one. */
export function ownsLegacyKey(of: HostedAtSign, enrollment: StoredEnrollment): boolean {
  return enrollment.isFirst === true &&
    of.read(LEGACY_PKAM_KEY)?.value === enrollment.apkamPublicKey;
}

/** Withdraws what a revoked enrollment could still be used with elsewhere. */
export function withdrawKeys(
  of: HostedAtSign,
  enrollment: StoredEnrollment,
  after: AfterCommit,
): void {
  moveSigningRecord(of, enrollment.id, ["a"], "r", after);
  if (!ownsLegacyKey(of, enrollment)) return;
  of.remove(LEGACY_PKAM_KEY, after);
  of.write(REVOKED_PKAM_KEY, enrollment.apkamPublicKey, {}, after);
}

/** Takes `withdrawKeys` back. */
export function restoreKeys(
  of: HostedAtSign,
  enrollment: StoredEnrollment,
  after: AfterCommit,
): void {
  moveSigningRecord(of, enrollment.id, ["r"], "a", after);
  if (enrollment.isFirst !== true) return;
  if (of.read(REVOKED_PKAM_KEY)?.value !== enrollment.apkamPublicKey) return;
  of.remove(REVOKED_PKAM_KEY, after);
  if (of.read(LEGACY_PKAM_KEY) === null) {
    of.write(LEGACY_PKAM_KEY, enrollment.apkamPublicKey, {}, after);
  }
}

/** Removes an enrollment and its keys; the record of its signing key stays, as one of a deleted enrollment. */
export function removeEnrollment(
  { store }: Basics,
  of: HostedAtSign,
  enrollment: StoredEnrollment,
  after: AfterCommit,
): void {
  store.deleteEnrollment(of.atSign, enrollment.id);
  moveSigningRecord(of, enrollment.id, ["a", "r"], "d", after);
  const names = defaultKeyNames(enrollment.id, of.atSign);
  of.remove(names.encryptionPrivateKey, after);
  of.remove(names.selfEncryptionKey, after);
  // a later enrollment of the same app and device has its own key there
  const { apkamPublicKey } = enrollment;
  const publicName = publicKeyName(of, enrollment);
  if (of.read(publicName)?.value === JSON.stringify({ apkamPublicKey })) {
    of.remove(publicName, after);
  }
  if (of.read(REVOKED_PKAM_KEY)?.value === apkamPublicKey && enrollment.isFirst === true) {
    of.remove(REVOKED_PKAM_KEY, after);
  }
}

/** Withdraws what has expired, ends its connections, and removes it a week later. */
export function sweepEnrollments(
  { basics, hosted, logins }: Pick<Services, "basics" | "hosted" | "logins">,
): void {
  const { store, clock } = basics;
  const now = clock.now();
  inTransaction(store, (after) => {
    for (const { atSign, enrollment } of store.listExpiredEnrollments(now, EXPIRED_BATCH)) {
      const of = hosted.find(atSign);
      if (of === undefined) continue;
      after(() =>
        logins.each((login, connection) => {
          if (login.of === of && login.enrollmentId === enrollment.id) connection.close();
        })
      );
      if ((enrollment.expiresAt ?? now) + EXPIRED_KEPT_MS <= now) {
        removeEnrollment(basics, of, enrollment, after);
      } else withdrawKeys(of, enrollment, after);
    }
  });
}

function moveSigningRecord(
  of: HostedAtSign,
  id: string,
  from: readonly SigningPlace[],
  to: SigningPlace,
  after: AfterCommit,
): void {
  const name = (place: SigningPlace): string =>
    `public:_apsk.${id.toLowerCase()}.${place}.__e${of.atSign}`;
  for (const place of from) {
    const found = of.read(name(place));
    if (found === null) continue;
    of.remove(name(place), after); // first: a full store takes the other one in its place
    of.write(name(to), found.value, {}, after);
  }
}

function publicKeyName(of: HostedAtSign, { appName, deviceName }: StoredEnrollment): string {
  const front = `${appName}.${deviceName}`.replace(/\s+/g, "").toLowerCase();
  return `public:${front}.pkam.__pkams.__public_keys${of.atSign}`;
}
