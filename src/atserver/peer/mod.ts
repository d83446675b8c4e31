export * from "./tls_peer_gateway.ts";
