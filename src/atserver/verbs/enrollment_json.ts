/** An enrollment as clients see it. atProtocol specification, APKAM. */

import { stateOf } from "../enrollments.ts";
import type { StoredEnrollment } from "../store/store.ts";

/** The answer of `enroll:fetch` and an element of `enroll:list`; the member is `namespace`, in the singular. */
export function showEnrollment(
  enrollment: StoredEnrollment,
  nowMs: number,
): Record<string, unknown> {
  return {
    appName: enrollment.appName,
    deviceName: enrollment.deviceName,
    namespace: enrollment.namespaces,
    ...symmetricKey(enrollment),
    status: stateOf(enrollment, nowMs),
  };
}

/** The record that `info` shows. */
export function describeEnrollment(enrollment: StoredEnrollment): Record<string, unknown> {
  return {
    sessionId: enrollment.sessionId,
    appName: enrollment.appName,
    deviceName: enrollment.deviceName,
    namespaces: enrollment.namespaces,
    apkamPublicKey: enrollment.apkamPublicKey,
    requestType: "newEnrollment",
    approval: { state: enrollment.state },
    ...symmetricKey(enrollment),
    apkamKeysExpiryInMillis: enrollment.keysExpiryMs ?? 0,
  };
}

function symmetricKey({ encryptedApkamSymmetricKey: key }: StoredEnrollment): object {
  return key === null ? {} : { encryptedAPKAMSymmetricKey: key };
}
