export * from "./daemon.ts";
export * from "./options.ts";
