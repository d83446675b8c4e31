/** `otp`: passcodes with which an unknown client may ask for an enrollment. atProtocol specification, APKAM. */

import { invalidRequest } from "../at_failures.ts";
import { isManager } from "../authorisation.ts";
import { inTransaction } from "../basics.ts";
import { keepOtp, keepSemiPermanent, makeOtp } from "../passcodes.ts";
import { data, forOwner, type Handler } from "./command.ts";

export const otp: Handler<"otp"> = forOwner(({ services, session, owner: { of } }, verb) => {
  const { store, entropy, limits } = services.basics;
  const { ttlMs = 0, passcode } = verb;
  if (passcode === undefined) {
    const code = makeOtp(entropy);
    inTransaction(
      store,
      (after) => keepOtp(of, code, ttlMs === 0 ? limits.otpTtlMs : ttlMs, after),
    );
    return data(code);
  }
  if (!isManager(session.rights())) {
    throw invalidRequest("Client not allowed to not store semi permanent pass code");
  }
  inTransaction(
    store,
    (after) => keepSemiPermanent(of, passcode, ttlMs === 0 ? null : ttlMs, after),
  );
  return data("ok");
});
