/**
 * Reaches the atServers of atSigns that are not hosted here: finds them in the peer directory, keeps connections, proves
 * our atSigns to them, and fetches what proves theirs. atProtocol specification, Server to server; our reading:
 * PROTOCOL.md. Nothing here is locked while a peer answers: it may call us back meanwhile.
 */

import type { Clock, Log } from "../../base/mod.ts";
import { Directory, type RootDomain } from "../../atprotocol/client/mod.ts";
import { AtError, type AtSign, bareName, type HostPort } from "../../atprotocol/wire/mod.ts";
import type { TlsCredentials } from "../net/mod.ts";
import type { PeerGateway } from "../peer_gateway.ts";
import { dialPeer } from "./dial_peer.ts";
import { LinkLostError, PeerLink, type PublishProof } from "./peer_link.ts";
import { type LinkPair, PeerLinks } from "./peer_links.ts";

/** Our choice: finding and connecting together. */
const CONNECT_TIMEOUT_MS = 5_000;
/** The specification: the client whose `pol` waits gives up after this. */
const PROOF_TIMEOUT_MS = 3_000;
/** Our choice: strangers make us fetch proofs, so both are bounded. */
const MAX_PROOFS = 64;
const MAX_PROOFS_PER_PEER = 8;
/** Our choice: a signature, a public key, and JSON around it. */
const MAX_PROOF_REPLY_CHARS = 64 * 1024;

export interface TlsPeerGatewayOptions {
  /** Where foreign atSigns are looked up; null: none are known. */
  readonly directory: HostPort | null;
  /** PEM certificates trusted besides the built-in ones, for the directory and for the peers. */
  readonly caCerts: readonly string[];
  /** Our certificate at this time, shown to peers. */
  readonly certificate: () => TlsCredentials;
  readonly publishProof: PublishProof;
  readonly clock: Clock;
  readonly log: Log;
}

export class TlsPeerGateway implements PeerGateway, AsyncDisposable {
  onPublicKey?: NonNullable<PeerGateway["onPublicKey"]>;
  readonly #options: TlsPeerGatewayOptions;
  readonly #directory: Directory | null;
  readonly #links: PeerLinks;
  readonly #stop = new AbortController();
  readonly #proofs = new Map<AtSign, number>();
  #proofCount = 0;

  constructor(options: TlsPeerGatewayOptions) {
    this.#options = options;
    const { directory, caCerts, clock, log } = options;
    this.#directory = directory === null
      ? null
      : new Directory({ kind: "directory", ...directory } satisfies RootDomain, caCerts, clock);
    this.#links = new PeerLinks({ open: (pair, signal) => this.#open(pair, signal), clock, log });
  }

  request(peer: AtSign, as: AtSign | null, line: string, timeoutMs: number): Promise<string> {
    return this.#links.withLink({ peer, as }, (link) => link.ask(line, timeoutMs));
  }

  countLinks(as: AtSign): number {
    return this.#links.countAs(as);
  }

  async fetchProof(
    peer: AtSign,
    sessionId: string,
  ): Promise<{ signature: string; signingPublicKey: string }> {
    const ofPeer = this.#proofs.get(peer) ?? 0;
    if (this.#proofCount >= MAX_PROOFS || ofPeer >= MAX_PROOFS_PER_PEER) {
      throw new AtError("AT0006", "Outbound connection limit exceeded");
    }
    this.#proofCount++;
    this.#proofs.set(peer, ofPeer + 1);
    try {
      return await this.#fetchProof(peer, sessionId);
    } finally {
      this.#proofCount--;
      const left = (this.#proofs.get(peer) ?? 1) - 1;
      if (left === 0) this.#proofs.delete(peer);
      else this.#proofs.set(peer, left);
    }
  }

  async hostName(peer: AtSign): Promise<string> {
    return (await this.#find(peer, AbortSignal.timeout(PROOF_TIMEOUT_MS))).host;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new AtError("AT0024", "Server is stopping"));
    await this.#links[Symbol.asyncDispose]();
  }

  async #fetchProof(
    peer: AtSign,
    sessionId: string,
  ): Promise<{ signature: string; signingPublicKey: string }> {
    const deadline = AbortSignal.timeout(PROOF_TIMEOUT_MS);
    const limit = AbortSignal.any([this.#stop.signal, deadline]);
    const link = await this.#connect(peer, limit, { maxReplyChars: MAX_PROOF_REPLY_CHARS });
    const stop = () => link.close();
    limit.addEventListener("abort", stop, { once: true });
    if (limit.aborted) stop();
    try {
      await link.greet(peer);
      const signature = await link.ask(`lookup:${sessionId}${peer}\n`, PROOF_TIMEOUT_MS);
      const signingPublicKey = await link.ask(
        `lookup:signing_publickey${peer}\n`,
        PROOF_TIMEOUT_MS,
      );
      return { signature, signingPublicKey };
    } catch (cause) {
      if (deadline.aborted) {
        throw new AtError("AT0023", `Timeout waiting for response of ${peer}`, { cause });
      }
      if (cause instanceof LinkLostError) throw unreachable(peer, cause);
      throw cause;
    } finally {
      limit.removeEventListener("abort", stop);
      link.close();
    }
  }

  /** A connection for the pool: greeted and, where it is wanted, proved. */
  async #open({ peer, as }: LinkPair, stop: AbortSignal): Promise<PeerLink> {
    const limit = AbortSignal.any([stop, AbortSignal.timeout(CONNECT_TIMEOUT_MS)]);
    const link = await this.#connect(peer, limit, {
      ...(as === null ? {} : { certificate: this.#options.certificate() }),
    });
    const close = () => link.close();
    stop.addEventListener("abort", close, { once: true });
    try {
      const publicKey = await link.greet(peer);
      if (publicKey !== null) this.onPublicKey?.(peer, as, publicKey);
      if (as !== null) await link.prove(as, this.#options.publishProof);
      stop.throwIfAborted();
      return link;
    } catch (error) {
      link.close();
      throw error;
    } finally {
      stop.removeEventListener("abort", close);
    }
  }

  async #connect(
    peer: AtSign,
    signal: AbortSignal,
    options: { certificate?: TlsCredentials; maxReplyChars?: number },
  ): Promise<PeerLink> {
    const address = await this.#find(peer, signal);
    const { certificate, maxReplyChars } = options;
    try {
      const conn = await dialPeer(address, {
        caCerts: this.#options.caCerts,
        ...(certificate === undefined ? {} : { certificate }),
        signal,
      });
      return new PeerLink(conn, maxReplyChars);
    } catch (cause) {
      this.#directory?.forget(peer); // it may have moved
      this.#options.log.info("peer unreachable", { peer, ...address, error: cause });
      throw unreachable(peer, cause);
    }
  }

  async #find(peer: AtSign, signal: AbortSignal): Promise<HostPort> {
    let address: HostPort | null;
    try {
      address = await this.#directory?.find(peer, signal) ?? null;
    } catch (cause) {
      this.#options.log.warn("peer directory failed", { peer, error: cause });
      throw new AtError("AT0021", "Unable to connect to the directory", { cause });
    }
    if (address !== null) return address;
    throw new AtError("AT0007", `Unable to find secondary address for atSign:${bareName(peer)}`);
  }
}

function unreachable(peer: AtSign, cause: unknown): AtError {
  return new AtError("AT0021", `Unable to connect to secondary of ${peer}`, { cause });
}
