export * from "./activation_code.ts";
export * from "./ca_file.ts";
export * from "./own_client.ts";
export * from "./passcode.ts";
export * from "./secret_text.ts";
export * from "./settings.ts";
export * from "./terminal.ts";
