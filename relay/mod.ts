/** The relay service: `parseRelayOptions(values)` reads its command line, `runRelay(options, deps, signal)` runs it. */
export * from "./options.ts";
export type { PortRange } from "./ports.ts";
export * from "./relay.ts";
