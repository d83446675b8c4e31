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

  /** Removes an atSign with its data. @throws {NoportsError} `not_found`. */
  remove(atSign: AtSign): void {
    this.#basics.store.removeAtSign(atSign);
    this.#forget(atSign);
  }

  /** Removes an atSign's data and adds it anew, in one step; returns the new activation code. @throws as `remove`. */
  reset(atSign: AtSign): string {
    return this.#create(atSign, () => this.#basics.store.removeAtSign(atSign));
  }

  /** Adds an atSign; returns its activation code, the CRAM secret. @throws {NoportsError} `conflict`. */
  add(atSign: AtSign): string {
    return this.#create(atSign, () => {});
  }

  #create(atSign: AtSign, before: () => void): string {
    const secret = this.#basics.entropy.bytes(SECRET_BYTES).toHex();
    const hosted = new HostedAtSign(this.#basics, atSign);
    inTransaction(this.#basics.store, (after) => {
      before();
      this.#basics.store.addAtSign(atSign, this.#basics.clock.now());
      hosted.write(CRAM_SECRET_KEY, secret, {}, after);
    });
    this.#forget(atSign);
    this.#hosted.set(atSign, hosted);
    return secret;
  }

  #forget(atSign: AtSign): void {
    this.#hosted.get(atSign)?.retire();
    this.#hosted.delete(atSign);
  }
}
