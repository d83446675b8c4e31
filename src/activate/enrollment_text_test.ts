import type { Enrollment } from "../atprotocol/client/mod.ts";
import { parseAtSign } from "../atprotocol/wire/mod.ts";
import { assertEquals } from "../../tests/assert.ts";
import { encodeEnrollmentsJson, encodeEnrollmentTable, encodeFetched } from "./enrollment_text.ts";

const ENROLLMENT: Enrollment = {
  id: "352b78c8-4b6f-4d07-a9cf-5466512ffa44",
  appName: "noports",
  deviceName: "dev1",
  namespaces: { sshnp: "rw", sshrvd: "rw" },
  encryptedApkamSymmetricKey: "a2V5",
  status: "approved",
};

Deno.test("encodeEnrollmentTable pads as the vendor does", () => {
  assertEquals(encodeEnrollmentTable([ENROLLMENT]), [
    "Enrollment ID                         Status    AppName             " +
    "DeviceName                            Namespaces",
    "352b78c8-4b6f-4d07-a9cf-5466512ffa44  approved  noports             " +
    "dev1                                  {sshnp: rw, sshrvd: rw}",
  ]);
});

Deno.test("encodeFetched prints the vendor's map", () => {
  assertEquals(
    encodeFetched(ENROLLMENT),
    "Fetched enrollment OK: {appName: noports, deviceName: dev1, namespace: {sshnp: rw, sshrvd: rw}, " +
      "encryptedAPKAMSymmetricKey: a2V5, status: approved}",
  );
});

Deno.test("a stranger's names cannot steer the terminal", () => {
  const hostile = { ...ENROLLMENT, appName: "\x1b[2Jno\u202Eports\n", deviceName: "a\r\u2028b" };
  for (const line of [...encodeEnrollmentTable([hostile]), encodeFetched(hostile)]) {
    assertEquals(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(line), false, JSON.stringify(line));
  }
});

Deno.test("encodeEnrollmentsJson is versioned and holds no key", () => {
  assertEquals(
    encodeEnrollmentsJson(parseAtSign("@alice"), [ENROLLMENT]),
    '{"version":1,"atSign":"@alice","enrollments":[{"enrollmentId":"352b78c8-4b6f-4d07-a9cf-5466512ffa44",' +
      '"status":"approved","appName":"noports","deviceName":"dev1","namespaces":{"sshnp":"rw","sshrvd":"rw"}}]}',
  );
});
