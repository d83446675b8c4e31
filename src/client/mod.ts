export * from "./options.ts";
export * from "./tunnel.ts";
