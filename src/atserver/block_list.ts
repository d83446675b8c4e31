/** The atSigns that a hosted one has blocked: their atServers are turned away, their notifications not taken. */

import { AtError, type AtSign } from "../atprotocol/wire/mod.ts";
import type { AfterCommit, Basics } from "./basics.ts";

/** Our choice: the list is read for each command of a peer. */
const MAX_BLOCKED = 1_000;

export class BlockList {
  /** Where it is kept. */
  readonly key: string;
  readonly #basics: Basics;
  readonly #owner: AtSign;
  #blocked: ReadonlySet<AtSign> | undefined;

  constructor(basics: Basics, owner: AtSign) {
    this.#basics = basics;
    this.#owner = owner;
    this.key = `private:blocklist${owner}`;
  }

  has(atSign: AtSign): boolean {
    return this.#load().has(atSign);
  }

  /** In the order in which they were added. */
  list(): AtSign[] {
    return [...this.#load()];
  }

  /** @throws {AtError} AT0013 when `atSign` is blocked. `closes`: its connection ends then. */
  check(atSign: AtSign, closes: boolean): void {
    if (this.has(atSign)) throw new AtError("AT0013", "Unable to connect", { closes });
  }

  /** Call it in a transaction. @throws {AtError} AT0022 when the list would become too long. */
  add(atSigns: readonly AtSign[], after: AfterCommit): void {
    const blocked = new Set([...this.#load(), ...atSigns]);
    if (blocked.size > MAX_BLOCKED) {
      throw new AtError("AT0022", `block list is limited to ${MAX_BLOCKED} atSigns`);
    }
    this.#store(blocked, after);
  }

  /** Call it in a transaction. */
  remove(atSigns: readonly AtSign[], after: AfterCommit): void {
    this.#store(this.#load().difference(new Set(atSigns)), after);
  }

  #load(): ReadonlySet<AtSign> {
    this.#blocked ??= new Set(
      this.#parse(this.#basics.store.getKey(this.#owner, this.key)?.value ?? null),
    );
    return this.#blocked;
  }

  #parse(text: string | null): AtSign[] {
    if (text === null) return [];
    return (JSON.parse(text) as { blockList: AtSign[] }).blockList;
  }

  #store(blocked: ReadonlySet<AtSign>, after: AfterCommit): void {
    const { store } = this.#basics;
    if (blocked.size === 0) store.deleteKey(this.#owner, this.key, false);
    else {
      const value = JSON.stringify({ blockList: [...blocked] });
      store.putKey(this.#owner, { key: this.key, value, metadata: {} }, null);
    }
    after(() => this.#blocked = blocked);
  }
}
