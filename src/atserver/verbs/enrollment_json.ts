/** An enrollment as clients see it. atProtocol specification, APKAM. */

import type { StoredEnrollment } from "../store/store.ts";

/** The answer of `enroll:fetch`; the member is `namespace`, in the singular. */
export function enrollmentJson(enrollment: StoredEnrollment): string {
  return JSON.stringify({
    appName: enrollment.appName,
    deviceName: enrollment.deviceName,
    namespace: enrollment.namespaces,
    ...(enrollment.encryptedApkamSymmetricKey === null
      ? {}
      : { encryptedAPKAMSymmetricKey: enrollment.encryptedApkamSymmetricKey }),
    status: enrollment.state,
  });
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
  };
}
