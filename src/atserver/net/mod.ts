export * from "./connection_budget.ts";
export * from "./directory_server.ts";
export { readIfThere } from "./durable_file.ts";
export * from "./given_certificate.ts";
export * from "./local_ca.ts";
export * from "./remote_address.ts";
export * from "./root_cas.ts";
export * from "./tls_conn.ts";
export * from "./tls_listener.ts";
