/** Which sessions are live and which ids were used: a request is served once, and no client can take all of the device. */

import type { AtSign } from "../src/atprotocol/wire/mod.ts";
import { BoundedMap } from "../src/base/mod.ts";

/** Our choices: no device needs more sessions at a time, and an id this far back is long past its notification's life. */
const MAX_SESSIONS = 500;
const MAX_SESSIONS_PER_CLIENT = 100;
const MAX_REMEMBERED_IDS = 20_000;

export type Claim =
  | ({ readonly kind: "claimed" } & Disposable)
  | { readonly kind: "replayed" }
  | { readonly kind: "full" };

export class SessionRegistry {
  readonly #used = new BoundedMap<string, true>(MAX_REMEMBERED_IDS);
  readonly #live = new Map<AtSign, number>();
  #total = 0;

  /** How many sessions are live. */
  get size(): number {
    return this.#total;
  }

  /** Takes a session id for `client`; disposing the claim frees the place, not the id. */
  claim(sessionId: string, client: AtSign): Claim {
    if (this.#used.has(sessionId)) return { kind: "replayed" };
    const ofClient = this.#live.get(client) ?? 0;
    if (this.#total >= MAX_SESSIONS || ofClient >= MAX_SESSIONS_PER_CLIENT) return { kind: "full" };
    this.#used.set(sessionId, true);
    this.#live.set(client, ofClient + 1);
    this.#total++;
    let freed = false;
    return {
      kind: "claimed",
      [Symbol.dispose]: () => {
        if (freed) return;
        freed = true;
        this.#total--;
        const left = (this.#live.get(client) ?? 1) - 1;
        if (left === 0) this.#live.delete(client);
        else this.#live.set(client, left);
      },
    };
  }
}
