/**
 * `noports tunnel`: sets a session up, opens the local port, and carries connections until interrupted or until the session ends.
 * IO; the vendor's name for it is npt.
 */

import type { AtClient } from "../atprotocol/client/mod.ts";
import type { CommandContext } from "../cli/mod.ts";
import { type ControlPlaneSettings, openOwnClient } from "../config/mod.ts";
import {
  type ClientBridge,
  connectClientBridge,
  openLocalListener,
  PARALLEL_DAEMON_SETTLE_MS,
  SETTLE_MS,
} from "../dataplane/mod.ts";
import { createAuthLines, hasFeature, isParallelDaemon, signWith } from "../session/mod.ts";
import type { TunnelOptions } from "./options.ts";
import { type AgreedSession, setUpSession } from "./set_up_session.ts";

/**
 * Runs a tunnel. Prints the bound local port alone on stdout once connections are served.
 * @throws {NoportsError} what setting up throws; `port_in_use`; `session_lost` when relay or daemon are lost; `interrupted`.
 */
export async function runTunnel(
  options: TunnelOptions,
  settings: ControlPlaneSettings,
  context: CommandContext,
): Promise<void> {
  const { signal, entropy } = context;
  const step = stepLog(context);
  step("program loaded");
  // the session's own RSA pair takes the longest of all; it was begun while this was being loaded
  const ephemeralKeys = entropy.rsaKeyPair();
  ephemeralKeys.then(() => step("session key pair made"), () => {});
  await using owned = new AsyncDisposableStack();
  const own = { atSign: options.from, keyFile: options.keyFile };
  const client = owned.use(await openOwnClient(own, settings, context));
  // a port that is taken is found before anybody else is bothered
  await using local = openLocalListener({ port: options.localPort });
  const progress = progressPrinter(options, context);
  const session = await setUpSession(
    options,
    { client, entropy, log: context.log, ephemeralKeys, progress, step },
    signal,
  );
  using bridge = await connectBridge(session, client, context);
  step("connected to the relay");
  // nothing more is asked of the control plane
  await owned.disposeAsync();
  const hosts = local.hosts.map((host) => host.includes(":") ? `[${host}]` : host);
  progress(`Listening on ${hosts.map((host) => `${host}:${local.port}`).join(" and ")}`);
  context.stdout(String(local.port));
  const end = await bridge.run(local, signal);
  progress(
    `Session ended: ${end.connections} connections, ${end.bytesOut} bytes out, ${end.bytesIn} in`,
  );
  signal.throwIfAborted();
}

async function connectBridge(
  session: AgreedSession,
  client: AtClient,
  context: CommandContext,
): Promise<ClientBridge> {
  const { sessionId, relay, clientNonce, ping } = session;
  return await connectClientBridge({
    relay: {
      host: relay.address,
      port: relay.portA,
      authLines: createAuthLines(
        { sessionId, clientNonce, rvdNonce: relay.rvdNonce },
        signWith(client.keys.encryption.privateKey),
      ),
    },
    keys: session.keys,
    numberedPairing: session.numberedPairing,
    settleMs: isParallelDaemon(ping) ? PARALLEL_DAEMON_SETTLE_MS : SETTLE_MS,
    timeoutMs: session.timeoutMs,
    heartbeats: hasFeature(ping, "controlChannelHeartbeats"),
    clock: context.clock,
    entropy: context.entropy,
    log: context.log.with({ sessionId }),
  }, context.signal);
}

/** Progress lines in the vendor's form, and the same in the log. */
function progressPrinter(options: TunnelOptions, context: CommandContext): (text: string) => void {
  return (text) => {
    context.log.info(text);
    if (options.progress) context.stderr(`${localTime(new Date(context.clock.now()))} : ${text}`);
  };
}

function localTime(now: Date): string {
  const two = (n: number, width = 2) => String(n).padStart(width, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())} ` +
    `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}.` +
    two(now.getMilliseconds(), 3);
}

/** Logs each step of the set-up when it is done; what measures the set-up reads these lines. */
function stepLog(context: CommandContext): (step: string) => void {
  return (step) => context.log.info("setup step", { step });
}
