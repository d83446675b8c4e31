/** A control plane in memory: what one atSign's client sends arrives at the other's subscriptions. For tests of the roles. */

import type {
  AtClient,
  IncomingNotification,
  OutgoingNotification,
  Subscription,
} from "../src/atprotocol/client/mod.ts";
import { Subscriptions } from "../src/atprotocol/client/subscriptions.ts";
import { type AtKeys, type AtSign, parseAtSign } from "../src/atprotocol/wire/mod.ts";
import { NoportsError, silentLog } from "../src/base/mod.ts";
import { IdleAtClient } from "./idle_at_client.ts";
import { vectorKey } from "./vectors.ts";

type KeyName = "aliceEncryption" | "bobEncryption" | "deviceApkam";

export class MemoryPlane {
  readonly #clients = new Map<AtSign, MemoryClient>();
  /** Every notification that was sent, in order. */
  readonly sent: (OutgoingNotification & { from: AtSign })[] = [];

  /** The client of `atSign`, signing with one of the test vectors' key pairs. */
  client(atSign: string, keyName: KeyName): MemoryClient {
    const client = new MemoryClient(this, parseAtSign(atSign), vectorKeys(keyName));
    this.#clients.set(client.atSign, client);
    return client;
  }

  publicKey(of: AtSign): string | undefined {
    return this.#clients.get(of)?.keys.encryption.publicKey;
  }

  send(from: AtSign, notification: OutgoingNotification): void {
    this.sent.push({ ...notification, from });
    this.#clients.get(notification.to)?.subscriptions.publish({
      id: crypto.randomUUID(),
      from,
      key: `${notification.to}:${notification.entity}${from}`.toLowerCase(),
      operation: "update",
      value: notification.value,
      epochMillis: 0,
    });
  }
}

export class MemoryClient extends IdleAtClient implements AtClient {
  readonly subscriptions = new Subscriptions(silentLog);

  constructor(
    readonly plane: MemoryPlane,
    readonly atSign: AtSign,
    readonly keys: AtKeys,
  ) {
    super();
  }

  subscribe(matches: (key: string, from: AtSign) => boolean): Subscription {
    return this.subscriptions.add(matches);
  }

  /** All notifications from now on, for the test to read. */
  inbox(): { next(): Promise<IncomingNotification> } & Disposable {
    const inbox = this.subscribe(() => true);
    return {
      next: () => inbox.next(AbortSignal.timeout(5000)),
      [Symbol.dispose]: () => inbox[Symbol.dispose](),
    };
  }

  notify(notification: OutgoingNotification): Promise<string> {
    this.plane.send(this.atSign, notification);
    return Promise.resolve(crypto.randomUUID());
  }

  publicKey(of: AtSign): Promise<string> {
    const key = this.plane.publicKey(of);
    if (key !== undefined) return Promise.resolve(key);
    return Promise.reject(new NoportsError("atsign_unknown", `Cannot find ${of}`));
  }

  override [Symbol.asyncDispose](): Promise<void> {
    this.subscriptions.closeAll();
    return Promise.resolve();
  }
}

function vectorKeys(name: KeyName): AtKeys {
  const pair = vectorKey(name);
  return { pkam: pair, encryption: pair, selfEncryptionKey: "" };
}
