/**
 * Device names: one label of every key that client and daemon exchange. The vendor accepts 2–36 characters, we also accept
 * one letter, which only our own client and daemon can use with each other. Pure.
 */

import { NoportsError } from "../base/mod.ts";

const DEVICE_NAME = /^[a-z0-9_][a-z0-9_-]{0,35}$/;
const VENDOR_DEVICE_NAME = /^[a-z0-9_][a-z0-9_-]{1,35}$/;

/**
 * Lower-cases `text`, turns each run of white space into one `_` and checks the result.
 * @throws {NoportsError} `usage`, in the vendor's words.
 */
export function parseDeviceName(text: string): string {
  const name = text.trim().toLowerCase().replace(/\s+/g, "_");
  if (DEVICE_NAME.test(name)) return name;
  throw new NoportsError(
    "usage",
    "Device name must be alphanumeric snake case, max length 36. First char must be _, a-z, or 0-9.",
    { hint: "choose a name such as web01 and give it with --device" },
  );
}

/** True when the vendor's programs can address the device too (2–36 characters). */
export function isVendorDeviceName(name: string): boolean {
  return VENDOR_DEVICE_NAME.test(name);
}
