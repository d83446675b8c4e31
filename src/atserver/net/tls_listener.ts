/**
 * A TLS server socket: accepts, shakes hands under a deadline, and hands each connection to `serve`.
 *
 * Strangers can hold a bounded number of unfinished handshakes for a bounded time; when there are too many, the oldest
 * goes, because an honest handshake takes milliseconds. Client certificates are asked for but not required: another
 * atServer presents one (atProtocol specification, from and pol); what it is worth is for the caller to judge.
 */

import { createServer, type Server, type TLSSocket } from "node:tls";
import type { AddressInfo, Socket } from "node:net";
import { describeError, type Log, NoportsError, TaskGroup } from "../../base/mod.ts";
import { addressGroup, plainAddress } from "./remote_address.ts";
import { TlsConn } from "./tls_conn.ts";

/** All our choice. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
const MAX_HANDSHAKES = 512;
const MAX_HANDSHAKES_PER_ADDRESS = 64;
const MAX_CONNECTIONS = 10_000;

/** PEM texts; `certPem` may hold a chain, the server's own certificate first. */
export interface TlsCredentials {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface ListenAddress {
  readonly hostname: string;
  readonly port: number;
}

/** What is known about the other side when the handshake is done. */
export interface AcceptedPeer {
  readonly remoteAddress: string;
  /** The host name that the client asked for (SNI), lower case; null for none, or for an address. */
  readonly serverName: string | null;
  /** Names in a client certificate that one of `clientCas` signed, else null. */
  readonly certificateNames: readonly string[] | null;
}

export interface TlsListenerOptions {
  /** Where to listen; port 0 for any. */
  readonly listen: ListenAddress;
  /** What the listener is for, e.g. `atServer`; used in messages. */
  readonly purpose: string;
  readonly credentials: TlsCredentials;
  /** PEM certificates of the authorities whose client certificates count. None: no client certificate is asked for. */
  readonly clientCas?: readonly string[];
  /** Serves one connection; the listener closes it when the promise settles. */
  readonly serve: (conn: TlsConn, peer: AcceptedPeer) => Promise<void>;
  readonly log: Log;
  readonly handshakeTimeoutMs?: number;
  readonly maxHandshakes?: number;
  readonly maxHandshakesPerAddress?: number;
  /** Unfinished handshakes included. Must stay below the limit of open files: see `connection_budget.ts`. */
  readonly maxConnections?: number;
}

export interface TlsListener extends AsyncDisposable {
  /** The address that was bound. */
  readonly address: ListenAddress;
  /** How many connections are being served, and how many are in their handshake. */
  readonly open: { readonly connections: number; readonly handshakes: number };
  /** From now on, new connections get these. */
  setCredentials(credentials: TlsCredentials): void;
  /** Takes no new connection; those that are open go on. Disposing also ends them and waits for `serve`. */
  stopAccepting(): void;
}

/**
 * Binds and listens.
 * @throws {NoportsError} `port_in_use`, `config_invalid` (address not ours, privileged port, unusable certificate).
 */
export async function openTlsListener(options: TlsListenerOptions): Promise<TlsListener> {
  const server = createTlsServer(options);
  const listener = new NodeTlsListener(server, options);
  await new Promise<void>((resolve, reject) => {
    const onError = (error: Error) => reject(listenError(error, options));
    server.once("error", onError);
    const { hostname, port } = options.listen;
    server.listen({ host: hostname, port }, () => {
      server.removeListener("error", onError);
      resolve();
    });
  });
  server.on("error", (error) => options.log.error("listener failed", { error }));
  return listener;
}

class NodeTlsListener implements TlsListener {
  readonly #server: Server;
  readonly #options: TlsListenerOptions;
  readonly #tasks: TaskGroup;
  /** Sockets before their handshake is done, by the remote end, oldest first. */
  readonly #handshakes = new Map<string, { socket: Socket; group: string }>();
  readonly #connections = new Set<TlsConn>();
  readonly #gone = Promise.withResolvers<void>();
  #stopped = false;

  constructor(server: Server, options: TlsListenerOptions) {
    this.#server = server;
    this.#options = options;
    this.#tasks = new TaskGroup((error) => options.log.error("connection failed", { error }));
    server.on("connection", (socket: Socket) => this.#onSocket(socket));
    server.on("secureConnection", (socket) => this.#onSecure(socket));
    server.on("tlsClientError", (error, socket) => {
      options.log.debug("TLS handshake failed", { error, remote: socket.remoteAddress });
      socket.destroy(); // after a handshake that timed out it would stay open
    });
    server.on("close", () => this.#gone.resolve());
  }

  get address(): ListenAddress {
    const { address, port } = this.#server.address() as AddressInfo;
    return { hostname: address, port };
  }

  get open(): { connections: number; handshakes: number } {
    return { connections: this.#connections.size, handshakes: this.#handshakes.size };
  }

  get #asksForCertificate(): boolean {
    return (this.#options.clientCas?.length ?? 0) > 0;
  }

  setCredentials(credentials: TlsCredentials): void {
    this.#server.setSecureContext(secureContextOptions(credentials, this.#options.clientCas));
  }

  stopAccepting(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#server.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopAccepting();
    for (const { socket } of this.#handshakes.values()) socket.destroy();
    for (const conn of this.#connections) conn.destroy();
    await this.#tasks[Symbol.asyncDispose]();
    await this.#gone.promise;
  }

  #onSocket(socket: Socket): void {
    // a reset before or during the handshake is no business of ours
    socket.on("error", (error) => this.#options.log.debug("connection lost", { error }));
    const group = addressGroup(socket.remoteAddress ?? "");
    if (this.#stopped || !this.#makeRoom(group)) {
      socket.destroy();
      return;
    }
    const endpoint = endpointOf(socket);
    this.#handshakes.set(endpoint, { socket, group });
    socket.on("close", () => {
      if (this.#handshakes.get(endpoint)?.socket === socket) this.#handshakes.delete(endpoint);
    });
  }

  /** Makes room for one more handshake; false when everything is taken by connections that are served. */
  #makeRoom(group: string): boolean {
    const { maxHandshakes, maxHandshakesPerAddress, maxConnections } = this.#options;
    let ofGroup = 0;
    let oldestOfGroup: string | undefined;
    let oldest: string | undefined;
    for (const [endpoint, entry] of this.#handshakes) {
      oldest ??= endpoint;
      if (entry.group !== group) continue;
      oldestOfGroup ??= endpoint;
      ofGroup++;
    }
    const all = this.#connections.size + this.#handshakes.size;
    if (all >= (maxConnections ?? MAX_CONNECTIONS)) {
      if (oldest === undefined) {
        this.#options.log.warn("connection refused: too many", { connections: all });
        return false;
      }
      this.#dropHandshake(oldest);
    } else if (ofGroup >= (maxHandshakesPerAddress ?? MAX_HANDSHAKES_PER_ADDRESS)) {
      this.#dropHandshake(oldestOfGroup);
    } else if (this.#handshakes.size >= (maxHandshakes ?? MAX_HANDSHAKES)) {
      this.#dropHandshake(oldest);
    }
    return true;
  }

  #dropHandshake(endpoint: string | undefined): void {
    if (endpoint === undefined) return;
    const entry = this.#handshakes.get(endpoint);
    this.#handshakes.delete(endpoint);
    entry?.socket.destroy();
  }

  #onSecure(socket: TLSSocket): void {
    const endpoint = endpointOf(socket);
    const conn = new TlsConn(socket, this.#handshakes.get(endpoint)?.socket);
    this.#handshakes.delete(endpoint);
    if (this.#stopped) return conn.destroy();
    this.#connections.add(conn);
    const peer: AcceptedPeer = {
      remoteAddress: plainAddress(socket.remoteAddress ?? ""),
      serverName: serverNameOf(socket),
      certificateNames: this.#asksForCertificate ? certificateNamesOf(socket) : null,
    };
    this.#tasks.run(async () => {
      try {
        await this.#options.serve(conn, peer);
      } finally {
        conn.close();
        await conn.closed;
        this.#connections.delete(conn);
      }
    });
  }
}

function createTlsServer(options: TlsListenerOptions): Server {
  try {
    return createServer({
      ...secureContextOptions(options.credentials, options.clientCas),
      requestCert: options.clientCas !== undefined && options.clientCas.length > 0,
      rejectUnauthorized: false,
      noDelay: true,
      // a client that hangs up during the handshake is noticed at once; TlsConn allows half-open ones afterwards
      allowHalfOpen: false,
      handshakeTimeout: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
    });
  } catch (cause) {
    throw new NoportsError(
      "config_invalid",
      `Cannot use the certificate of the ${options.purpose}: ${describeError(cause)}`,
      { cause, hint: "check that certificate and key are PEM files and belong together" },
    );
  }
}

function secureContextOptions(credentials: TlsCredentials, clientCas?: readonly string[]) {
  return {
    cert: credentials.certPem,
    key: credentials.keyPem,
    minVersion: "TLSv1.2" as const,
    ...(clientCas === undefined || clientCas.length === 0 ? {} : { ca: [...clientCas] }),
  };
}

/** The remote end of a connection: tells those of one listener apart, before and after the handshake. */
function endpointOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

function serverNameOf(socket: TLSSocket): string | null {
  const name: unknown = (socket as { servername?: unknown }).servername;
  return typeof name === "string" && name !== "" ? name.toLowerCase() : null;
}

function certificateNamesOf(socket: TLSSocket): string[] | null {
  const certificate = socket.getPeerCertificate();
  if (!socket.authorized || certificate?.raw === undefined) return null;
  const names: string[] = [];
  const commonName: unknown = certificate.subject?.CN;
  for (const name of Array.isArray(commonName) ? commonName : [commonName]) {
    if (typeof name === "string") names.push(name.toLowerCase());
  }
  for (const entry of (certificate.subjectaltname ?? "").split(", ")) {
    const name = /^(?:DNS|IP Address):(.+)$/.exec(entry)?.[1];
    if (name !== undefined) names.push(name.toLowerCase());
  }
  return names;
}

function listenError(error: Error, options: TlsListenerOptions): NoportsError {
  const { hostname, port } = options.listen;
  const at = hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  const action = `Cannot listen on ${at} for the ${options.purpose}`;
  switch ((error as { code?: string }).code) {
    case "EADDRINUSE":
      return new NoportsError("port_in_use", `${action}: port ${port} is in use`, {
        cause: error,
        hint: "stop the other program, or choose another port (0 for any)",
      });
    case "EACCES":
      return new NoportsError("config_invalid", `${action}: this user may not open it`, {
        cause: error,
        hint: "choose a port above 1023, or allow it with CAP_NET_BIND_SERVICE",
      });
    case "EADDRNOTAVAIL":
      return new NoportsError("config_invalid", `${action}: the address is not this machine's`, {
        cause: error,
        hint: "use 0.0.0.0 for every IPv4 address, [::] for IPv6 too",
      });
    default:
      return new NoportsError("config_invalid", `${action}: ${describeError(error)}`, {
        cause: error,
      });
  }
}
