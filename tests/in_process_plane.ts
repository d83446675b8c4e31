/** A control plane inside the test's own process, over real TLS: for tests of the client library. */

import { AtServerCore, openSqliteStore, type PeerGateway } from "../src/atserver/mod.ts";
import { DirectoryServer, openLocalCa, openTlsListener } from "../src/atserver/net/mod.ts";
import { Directory, onboard, openAtClient } from "../src/atprotocol/client/mod.ts";
import type { AtClient } from "../src/atprotocol/client/mod.ts";
import { AtError, type AtKeys, parseAtSign } from "../src/atprotocol/wire/mod.ts";
import {
  type ByteConn,
  closeQuietly,
  NoportsError,
  silentLog,
  systemClock,
  systemEntropy,
} from "../src/base/mod.ts";

const NO_PEERS: PeerGateway = {
  request: () => Promise.reject(new AtError("AT0007", "no peers here")),
  fetchProof: () => Promise.reject(new AtError("AT0007", "no peers here")),
};
const BASICS = { clock: systemClock, entropy: systemEntropy, log: silentLog };

export interface InProcessPlane extends AsyncDisposable {
  /** Adds and activates an atSign; gives its keys. */
  activate(atSign: string): Promise<AtKeys>;
  /** A client of an activated atSign; whoever calls disposes it. */
  client(atSign: string, keys: AtKeys): AtClient;
  readonly directory: Directory;
  readonly caCerts: readonly string[];
  readonly core: AtServerCore;
  /** Ends every connection to the atServers, as a lost network does. */
  dropConnections(): void;
}

export async function openInProcessPlane(): Promise<InProcessPlane> {
  await using opening = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir();
  opening.defer(() => Deno.remove(folder, { recursive: true }));
  const ca = await openLocalCa({ ...BASICS, folder, names: ["localhost", "127.0.0.1"] });
  const store = opening.use(openSqliteStore(":memory:"));
  const core = opening.use(
    new AtServerCore({ ...BASICS, store, peers: NO_PEERS, version: "test" }),
  );
  const open = new Set<ByteConn>();
  const listen = { hostname: "127.0.0.1", port: 0 };
  const { credentials } = ca;
  const atServers = opening.use(
    await openTlsListener({
      listen,
      credentials,
      purpose: "atServer",
      log: silentLog,
      serve: async (conn, peer) => {
        open.add(conn);
        const { remoteAddress } = peer;
        await core.serve(conn, { remoteAddress, sniAtSign: null, peerCertificateNames: null });
        open.delete(conn);
      },
    }),
  );
  const names = new DirectoryServer({
    ...BASICS,
    resolve: (atSign) =>
      core.isHosted(atSign) ? { host: "localhost", port: atServers.address.port } : null,
  });
  const directoryListener = opening.use(
    await openTlsListener({
      listen,
      credentials,
      purpose: "atDirectory",
      log: silentLog,
      serve: (conn, peer) => names.serve(conn, peer.remoteAddress),
    }),
  );
  const caCerts = [ca.caPem];
  const directory = new Directory(
    { kind: "directory", host: "localhost", port: directoryListener.address.port },
    caCerts,
    systemClock,
  );
  const owned = opening.move();
  return {
    core,
    directory,
    caCerts,
    dropConnections: () => {
      for (const conn of open) closeQuietly(conn);
    },
    client: (atSign, keys) =>
      openAtClient({ ...BASICS, atSign: parseAtSign(atSign), keys, directory, caCerts }),
    activate: async (name) => {
      const atSign = parseAtSign(name);
      const activationCode = core.addAtSign(atSign);
      let keys: AtKeys | null = null;
      await onboard({
        ...BASICS,
        atSign,
        activationCode,
        directory,
        caCerts,
        save: (made) => {
          keys = made;
          return Promise.resolve();
        },
      });
      if (keys === null) throw new NoportsError("internal", "onboarding saved no keys");
      return keys;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
