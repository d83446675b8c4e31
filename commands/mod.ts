/** The command tree. Each command is loaded when it runs and not before: start-up time is a feature. */

import type { Command, Summary } from "../src/cli/mod.ts";

export interface CommandEntry extends Summary {
  /** What it will need and takes long to make: begun while the command loads. */
  readonly needs?: readonly ("tls" | "rsa key pair")[];
  readonly load: () => Promise<Command>;
}

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "tunnel",
    needs: ["tls", "rsa key pair"],
    summary: "Forward a local port to a TCP service on a device",
    load: async () => (await import("./tunnel.ts")).tunnelCommand,
  },
  {
    name: "daemon",
    needs: ["tls"],
    summary: "Answer session requests for this device",
    load: async () => (await import("./daemon.ts")).daemonCommand,
  },
  {
    name: "relay",
    needs: ["tls"],
    summary: "Join the two ends of sessions on a public host",
    load: async () => (await import("./relay.ts")).relayCommand,
  },
  {
    name: "activate",
    needs: ["tls", "rsa key pair"],
    summary: "Activate atSigns and manage their keys",
    load: async () => (await import("./activate.ts")).activateCommand,
  },
  {
    name: "server",
    summary: "Host the control plane: an atDirectory and its atServers",
    load: async () => (await import("./server.ts")).serverCommand,
  },
  {
    name: "demo",
    summary: "Run the whole system on this machine and move 64 MB through it",
    load: async () => (await import("./demo.ts")).demoCommand,
  },
  {
    name: "version",
    summary: "Print the version",
    load: async () => (await import("./version.ts")).versionCommand,
  },
];
