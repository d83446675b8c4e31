export * from "./settings.ts";
export * from "./activation_code.ts";
export * from "./own_client.ts";
