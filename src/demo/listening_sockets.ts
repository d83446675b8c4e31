/**
 * Which TCP and UDP ports a process listens on, read from the kernel: the process's own descriptors matched with `/proc/net`.
 * Linux only.
 */

import { NoportsError } from "../base/mod.ts";

/** TCP_LISTEN, and for UDP the state of an unconnected socket. */
const LISTENING: Readonly<Record<string, string>> = {
  tcp: "0A",
  tcp6: "0A",
  udp: "07",
  udp6: "07",
};

export interface ListeningSocket {
  readonly protocol: string;
  readonly port: number;
}

/** True where `listeningSockets` works. */
export function canReadSockets(): boolean {
  return Deno.build.os === "linux";
}

/**
 * The listening TCP and unconnected UDP sockets of process `pid`.
 * @throws {NoportsError} `internal` when the process or the kernel's tables cannot be read, so that "none" is never a guess.
 */
export async function listeningSockets(pid: number): Promise<ListeningSocket[]> {
  const inodes = await socketInodes(pid);
  const found: ListeningSocket[] = [];
  for (const [protocol, state] of Object.entries(LISTENING)) {
    const table = await readTable(protocol);
    for (const line of table.split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      const [, local, , fieldState] = fields;
      const inode = fields[9];
      if (local === undefined || inode === undefined || fieldState !== state) continue;
      if (!inodes.has(inode)) continue;
      found.push({ protocol, port: parseInt(local.slice(local.lastIndexOf(":") + 1), 16) });
    }
  }
  return found;
}

async function socketInodes(pid: number): Promise<Set<string>> {
  const inodes = new Set<string>();
  let descriptors = 0;
  try {
    for await (const entry of Deno.readDir(`/proc/${pid}/fd`)) {
      descriptors++;
      const target = await Deno.readLink(`/proc/${pid}/fd/${entry.name}`).catch(() => "");
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined) inodes.add(inode);
    }
  } catch (cause) {
    throw new NoportsError("internal", `Cannot read the descriptors of process ${pid}`, { cause });
  }
  if (descriptors === 0) {
    throw new NoportsError("internal", `Cannot read the descriptors of process ${pid}: none seen`);
  }
  return inodes;
}

async function readTable(protocol: string): Promise<string> {
  try {
    return await Deno.readTextFile(`/proc/net/${protocol}`);
  } catch (cause) {
    // a kernel without IPv6 has no such tables, hence no such sockets
    if (protocol.endsWith("6") && cause instanceof Deno.errors.NotFound) return "";
    throw new NoportsError("internal", `Cannot read /proc/net/${protocol}`, { cause });
  }
}
