export * from "./http_service.ts";
export * from "./listening_sockets.ts";
export * from "./role_process.ts";
export * from "./run_demo.ts";
