export * from "./control_path.ts";
export * from "./control_socket.ts";
export * from "./lifecycle.ts";
export * from "./metrics.ts";
export * from "./metrics_server.ts";
