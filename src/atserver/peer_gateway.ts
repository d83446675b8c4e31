/** How atServers elsewhere are reached. The implementation (connections, directory) belongs to `peer/`. */

import type { AtSign } from "../atprotocol/wire/mod.ts";

export interface PeerGateway {
  /**
   * One request to a foreign atSign's server; `as` null: unauthenticated, else after from/pol as that hosted atSign.
   * Resolves with the text after `data:`. `line` has its LF.
   * @throws {AtError} AT0007 unknown atSign, AT0021 unreachable, AT0023 silent, or the peer's own code.
   */
  request(peer: AtSign, as: AtSign | null, line: string, timeoutMs: number): Promise<string>;
  /**
   * Fetches what proves a `pol`: `<sessionId>@peer` (`sessionId` with its `_`) and `signing_publickey@peer`, from the
   * peer's own server, found through the peer directory, over a new connection.
   * @throws {AtError} as `request`.
   */
  fetchProof(
    peer: AtSign,
    sessionId: string,
  ): Promise<{ readonly signature: string; readonly signingPublicKey: string }>;
  /**
   * The host name under which the peer directory lists `peer`; asked only when a peer presents a client certificate,
   * which must then name that host. Where it is missing, `pol` alone proves the peer.
   * @throws {AtError} AT0007 unknown atSign, AT0021 directory unreachable.
   */
  hostName?(peer: AtSign): Promise<string>;
  /** How many connections speak for the hosted atSign `as`. */
  countLinks?(as: AtSign): number;
  /**
   * Set by the core: gets the answer to `lookup:all:publickey@peer`, with which each connection for requests begins; `as`
   * is whom it speaks for.
   */
  onPublicKey?: (peer: AtSign, as: AtSign | null, answer: string) => void;
}
