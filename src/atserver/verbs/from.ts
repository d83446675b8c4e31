/** `from`: who wants to log in. An atSign hosted here is its owner, any other one is a foreign atServer. */

import { AtError, type AtSign } from "../../atprotocol/wire/mod.ts";
import { readAtSign } from "../at_failures.ts";
import type { Services } from "../services.ts";
import { type Command, data, type Outcome, type VerbOf } from "./command.ts";

export async function from({ services, session }: Command, verb: VerbOf<"from">): Promise<Outcome> {
  const atSign = readAtSign(verb.atSign);
  if (verb.clientConfig !== undefined) session.setClientConfig(verb.clientConfig);
  const hosted = services.hosted.find(atSign);
  if (hosted !== undefined) return data(session.challengeOwner(hosted));
  // a server that has not named the atSign it wants is turned away when it does
  session.bound?.blockList.check(atSign, true);
  await checkCertificate(services, atSign, session.info.peerCertificateNames);
  return data(`proof:${session.challengePeer(atSign)}`);
}

/** A peer need not present a certificate, since `pol` proves it; one that it presents must name its registered host. */
async function checkCertificate(
  services: Services,
  peer: AtSign,
  names: readonly string[] | null,
): Promise<void> {
  if (names === null || services.peers.hostName === undefined) return;
  const host = (await services.peers.hostName(peer)).toLowerCase();
  if (!names.some((name) => covers(name.toLowerCase(), host))) {
    throw new AtError("AT0401", "Certificate Verification Failed");
  }
}

function covers(name: string, host: string): boolean {
  if (name === host) return true;
  return name.startsWith("*.") && name.slice(1) === host.slice(host.indexOf("."));
}
