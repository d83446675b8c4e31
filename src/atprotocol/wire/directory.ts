/**
 * The atDirectory's two lines: an atSign, and the address of its atServer. atProtocol specification, atDirectory; pure.
 * The greeting `@` and the limits are the connections'.
 */

import { isNoportsError, NoportsError } from "../../base/mod.ts";
import { type AtSign, bareName, parseAtSign } from "./at_sign.ts";

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export type DirectoryRequest =
  | { readonly kind: "lookup"; readonly atSign: AtSign }
  /** No atSign at all: answer `null`, and count it as a miss. */
  | { readonly kind: "invalid" }
  /** An empty line, which C clients send as a probe: answer `null`, do not count it. */
  | { readonly kind: "blank" }
  | { readonly kind: "exit" };

/** One line with LF. */
export function encodeDirectoryRequest(atSign: AtSign): string {
  return `${bareName(atSign)}\n`;
}

/** The address, or null for an unknown atSign. Prompts around it are dropped. @throws {NoportsError} `protocol_violation`. */
export function parseDirectoryReply(line: string): HostPort | null {
  const text = line.trim().replace(/^@+/, "").replace(/@$/, "").trim();
  if (text === "null") return null;
  const match = /^([A-Za-z0-9._-]{1,253}):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || !(port >= 1 && port <= 65535)) {
    throw new NoportsError("protocol_violation", "Cannot parse directory reply: not host:port");
  }
  return { host: match[1], port };
}

/** What a client asks, from a line without its LF; one leading `@` is accepted. Never throws. */
export function parseDirectoryRequest(line: string): DirectoryRequest {
  const text = line.trim().toLowerCase();
  if (text === "") return { kind: "blank" };
  if (text === "@exit") return { kind: "exit" };
  try {
    return { kind: "lookup", atSign: parseAtSign(text) };
  } catch (error) {
    if (isNoportsError(error)) return { kind: "invalid" };
    throw error;
  }
}

/** Line end and prompt included: C clients need all of it in one write. */
export function encodeDirectoryReply(address: HostPort | null): string {
  return `${address === null ? "null" : `${address.host}:${address.port}`}\r\n@`;
}
