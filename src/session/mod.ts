/** What client, daemon and relay say to each other: messages, their keys, signatures and permissions. Pure. */
export * from "./auth_line.ts";
export * from "./control_message.ts";
export * from "./device_name.ts";
export * from "./envelope.ts";
export * from "./keys.ts";
export * from "./nonce.ts";
export * from "./npt_request.ts";
export * from "./permit_open.ts";
export * from "./ping.ts";
export * from "./relay_request.ts";
export * from "./relay_response.ts";
export * from "./session_id.ts";
export * from "./session_keys.ts";
export * from "./session_response.ts";
export * from "./signature.ts";
