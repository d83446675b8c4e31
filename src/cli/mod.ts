export * from "./command.ts";
export * from "./flags.ts";
export * from "./help.ts";
export * from "./values.ts";
