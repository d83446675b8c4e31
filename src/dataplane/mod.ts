/**
 * Bytes between two ends: joining connections, ciphers on the way, relay connections and the two ends of a session.
 * `openLocalListener` + `connectClientBridge(…).run(listener, signal)` is a client, `connectDaemonBridge(…).run(signal)` a daemon,
 * `bridge(a, b, …)` what the relay does with a pair.
 */
export * from "./bridge.ts";
export * from "./client_bridge.ts";
export * from "./daemon_bridge.ts";
export * from "./dial.ts";
export * from "./early_data.ts";
export * from "./local_listener.ts";
export * from "./prefixed_conn.ts";
export * from "./relay_socket.ts";
