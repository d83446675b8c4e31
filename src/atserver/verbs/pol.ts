/**
 * `pol`: a foreign atServer proves that it speaks for its atSign. We ask the server that the peer directory names, never
 * the address that the connection came from. atProtocol specification, Server to server.
 */

import { AtError } from "../../atprotocol/wire/mod.ts";
import { verifyRsa } from "../../crypto/mod.ts";
import type { Command, Outcome } from "./command.ts";

/** The specification: the caller waits 3 s. */
const PROOF_MS = 3_000;

export async function pol(command: Command): Promise<Outcome> {
  const { session, services } = command;
  const { peer, value } = session.takePeerChallenge();
  const proof = await withDeadline(command, services.peers.fetchProof(peer, session.id));
  if (!verifyRsa(proof.signingPublicKey, value, proof.signature)) {
    throw new AtError("AT0401", "Pol Authentication Failed");
  }
  session.logInPeer(peer);
  return { kind: "prompt" };
}

async function withDeadline<T>({ services, session }: Command, work: Promise<T>): Promise<T> {
  const answered = new AbortController();
  const signal = AbortSignal.any([answered.signal, session.connection.signal]);
  const late = services.basics.clock.sleep(PROOF_MS, signal).then(
    () => {
      throw new AtError("AT0023", "the peer's server did not answer in time");
    },
    () => work, // answered, or nobody listens any more
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    answered.abort();
    late.catch(() => {}); // lost the race
    work.catch(() => {});
  }
}
