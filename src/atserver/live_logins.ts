/** Which connection is logged in with what, over all atSigns: a revocation ends the connections of its enrollment. */

import type { PoolMember } from "./connection_pool.ts";
import type { HostedAtSign } from "./hosted_at_sign.ts";

export interface LiveLogin {
  readonly of: HostedAtSign;
  readonly method: "cram" | "pkamLegacy" | "apkam";
  readonly enrollmentId: string | null;
}

export class LiveLogins {
  readonly #logins = new Map<PoolMember, LiveLogin>();

  set(connection: PoolMember, login: LiveLogin): void {
    this.#logins.set(connection, login);
  }

  delete(connection: PoolMember): void {
    this.#logins.delete(connection);
  }

  /** Visits every connection; it may close them meanwhile. */
  each(visit: (login: LiveLogin, connection: PoolMember) => void): void {
    for (const [connection, login] of [...this.#logins]) visit(login, connection);
  }
}
