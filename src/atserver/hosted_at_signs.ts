/** The atSigns that this process answers for. */

import type { AtSign } from "../atprotocol/wire/mod.ts";
import type { AtSignRecord } from "./store/store.ts";
import { type Basics, inTransaction } from "./basics.ts";
import { HostedAtSign } from "./hosted_at_sign.ts";

/** The specification's usual length of a CRAM secret: 128 hex digits. */
const SECRET_BYTES = 64;

/** Where an atSign's CRAM secret is kept until its owner has activated it. */
export const CRAM_SECRET_KEY = "privatekey:at_secret";

export class HostedAtSigns {
  readonly #basics: Basics;
  readonly #hosted = new Map<AtSign, HostedAtSign>();

  constructor(basics: Basics) {
    this.#basics = basics;
    for (const { atSign } of basics.store.listAtSigns()) {
      this.#hosted.set(atSign, new HostedAtSign(basics, atSign));
    }
  }

  find(atSign: AtSign): HostedAtSign | undefined {
    return this.#hosted.get(atSign);
  }

  [Symbol.iterator](): Iterator<HostedAtSign> {
    return this.#hosted.values();
  }

  list(): AtSignRecord[] {
    return this.#basics.store.listAtSigns();
  }

  /** Adds an atSign; returns its activation code, the CRAM secret. @throws {NoportsError} `conflict`. */
  add(atSign: AtSign): string {
    const secret = this.#basics.entropy.bytes(SECRET_BYTES).toHex();
    const hosted = new HostedAtSign(this.#basics, atSign);
    inTransaction(this.#basics.store, (after) => {
      this.#basics.store.addAtSign(atSign, this.#basics.clock.now());
      hosted.write(CRAM_SECRET_KEY, secret, {}, after);
    });
    this.#hosted.set(atSign, hosted);
    return secret;
  }
}
