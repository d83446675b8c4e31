/** Enrollments as text: the vendor's table and its map notation, and our JSON. Pure. */

import type { Enrollment } from "../atprotocol/client/mod.ts";
import type { AtSign } from "../atprotocol/wire/mod.ts";

/** The vendor's column widths; the last column has none. */
const WIDTHS = [38, 10, 20, 38, 0] as const;
/** Our choice: counts up when a member changes its meaning or goes. */
const JSON_VERSION = 1;

/** The header and a row for each. */
export function encodeEnrollmentTable(enrollments: readonly Enrollment[]): string[] {
  const rows = enrollments.map((e) => [
    e.id,
    e.status,
    e.appName,
    e.deviceName,
    encodeDartMap(e.namespaces),
  ]);
  return [["Enrollment ID", "Status", "AppName", "DeviceName", "Namespaces"], ...rows]
    .map((cells) => cells.map((cell, i) => printable(cell).padEnd(WIDTHS[i] ?? 0)).join(""));
}

/** The line of `fetch`. */
export function encodeFetched(enrollment: Enrollment): string {
  const { appName, deviceName, namespaces, encryptedApkamSymmetricKey: key, status } = enrollment;
  const members = {
    appName,
    deviceName,
    namespace: encodeDartMap(namespaces),
    ...(key === undefined ? {} : { encryptedAPKAMSymmetricKey: key }),
    status,
  };
  return `Fetched enrollment OK: ${printable(encodeDartMap(members))}`;
}

/** `list --json`. */
export function encodeEnrollmentsJson(atSign: AtSign, enrollments: readonly Enrollment[]): string {
  return JSON.stringify({ version: JSON_VERSION, atSign, enrollments: enrollments.map(toJson) });
}

/** `fetch --json`. */
export function encodeEnrollmentJson(atSign: AtSign, enrollment: Enrollment): string {
  return JSON.stringify({ version: JSON_VERSION, atSign, enrollment: toJson(enrollment) });
}

/** Whoever asks for an enrollment chooses its names: characters that could steer a terminal are replaced. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\uFFFD");
}

function toJson({ id, status, appName, deviceName, namespaces }: Enrollment): object {
  return { enrollmentId: id, status, appName, deviceName, namespaces };
}

/** As Dart prints a map: `{sshnp: rw, sshrvd: rw}`. */
function encodeDartMap(map: Readonly<Record<string, string>>): string {
  return `{${Object.entries(map).map(([name, value]) => `${name}: ${value}`).join(", ")}}`;
}
