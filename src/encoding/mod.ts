export * from "./base2e15.ts";
export * from "./base64.ts";
export * from "./utf8.ts";
