export * from "./at_client.ts";
export * from "./connection.ts";
export * from "./directory.ts";
export * from "./key_file.ts";
export * from "./onboarding.ts";
export * from "./open_at_client.ts";
export type { SendingKey } from "./shared_keys.ts";
export * from "./tls.ts";
