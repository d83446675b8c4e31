/**
 * The registrar: hands the activation code of an atSign that waits for its activation to whoever knows the code that the
 * operator was shown. The HTTP interface is the vendor's registrar's, as its activation tool uses it; PROTOCOL.md,
 * "Registrar". Sockets and TLS are the listener's.
 */

import * as v from "valibot";
import { type AtSign, parseAtSign } from "../atprotocol/wire/mod.ts";
import { type ByteConn, type Clock, closeQuietly, type Entropy, type Log } from "../base/mod.ts";
import {
  addressGroup,
  type HttpAnswer,
  type HttpRequest,
  readHttpRequest,
  writeHttpAnswer,
} from "./net/mod.ts";
import { RegistrarCodes } from "./registrar_codes.ts";

/** The vendor's: where its clients ask, and the application id that they all send. */
const SEND_CODE_PATH = "/api/app/v3/authenticate/atsign";
const ACTIVATE_PATH = "/api/app/v3/authenticate/atsign/activate";
const APPLICATION_ID = "477b-876u-bcez-c42z-6a3d";
/** Our choice: a request has about 100 bytes, and 10 s; showing a code may take 10 s more. */
const MAX_BODY_BYTES = 4 * 1024;
const EXCHANGE_MS = 25_000;

const SEND_CODE = v.object({ atsign: v.pipe(v.string(), v.maxLength(256)) });
const ACTIVATE = v.object({
  ...SEND_CODE.entries,
  otp: v.pipe(v.string(), v.maxLength(64)),
});

export interface RegistrarOptions {
  /** The activation code of an atSign that waits for its activation, else null. */
  readonly activationCode: (atSign: AtSign) => string | null;
  /** Shows a code to the operator or the owner, never to a log; throws when that failed. */
  readonly showCode: (atSign: AtSign, code: string) => void | Promise<void>;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}

export class Registrar {
  readonly #options: RegistrarOptions;
  readonly #codes: RegistrarCodes;

  constructor(options: RegistrarOptions) {
    this.#options = options;
    this.#codes = new RegistrarCodes(options.clock, options.entropy);
  }

  /** Serves one connection until it ends, and closes it. Never throws for what a peer does. */
  async serve(conn: ByteConn, remoteAddress: string): Promise<void> {
    const { clock, log } = this.#options;
    const done = new AbortController();
    clock.sleep(EXCHANGE_MS, done.signal).then(() => closeQuietly(conn), () => {});
    try {
      const request = await readHttpRequest(conn, MAX_BODY_BYTES);
      if (request === null) return;
      const answer = typeof request === "number"
        ? refusal(request, "the request cannot be read")
        : await this.#answer(request, addressGroup(remoteAddress));
      await writeHttpAnswer(conn, answer);
    } catch (error) {
      log.debug("registrar connection ended", { error, remote: remoteAddress });
    } finally {
      done.abort();
      closeQuietly(conn);
    }
  }

  async #answer(request: HttpRequest, group: string): Promise<HttpAnswer> {
    const { path, method } = request;
    if (path !== SEND_CODE_PATH && path !== ACTIVATE_PATH) return refusal(404, "not found");
    if (method !== "POST") return refusal(405, "only POST");
    if (request.headers.get("authorization") !== APPLICATION_ID) {
      return refusal(401, "the application id is missing");
    }
    if (!this.#codes.admit(group)) return refusal(429, "too many requests; try again in an hour");
    return path === SEND_CODE_PATH
      ? await this.#sendCode(request.body)
      : this.#activate(request.body);
  }

  async #sendCode(body: string): Promise<HttpAnswer> {
    const atSign = readAtSign(v.safeParse(SEND_CODE, parseJson(body)));
    if (atSign === null) return refusal(400, "no atSign in the request");
    const { activationCode, showCode, log } = this.#options;
    if (activationCode(atSign) === null) {
      return refusal(400, `${atSign} does not wait for its activation here`);
    }
    const code = this.#codes.make(atSign);
    if (code === null) return refusal(429, "too many codes; try again later");
    try {
      await showCode(atSign, code);
    } catch (error) {
      this.#codes.discard(atSign);
      log.error("verification code not shown", { atSign, error });
      return refusal(502, "the code could not be sent");
    }
    log.info("verification code made", { atSign });
    return { status: 200, body: { status: "success", message: "Sent Successfully" } };
  }

  #activate(body: string): HttpAnswer {
    const request = v.safeParse(ACTIVATE, parseJson(body));
    const atSign = readAtSign(request);
    if (!request.success || atSign === null) {
      return refusal(400, "no atSign and code in the request");
    }
    const { activationCode, log } = this.#options;
    const secret = activationCode(atSign);
    if (secret === null || !this.#codes.take(atSign, request.output.otp.trim())) {
      log.warn("wrong verification code", { atSign });
      return {
        status: 200,
        body: { status: "error", message: "The code you have entered is invalid or expired." },
      };
    }
    log.info("activation code handed out", { atSign });
    const cramkey = `${atSign}:${secret}`;
    return { status: 200, body: { status: "success", message: "Verified", cramkey } };
  }
}

function readAtSign(
  request: { readonly success: boolean; readonly output: unknown },
): AtSign | null {
  if (!request.success) return null;
  try {
    return parseAtSign((request.output as { atsign: string }).atsign);
  } catch {
    return null;
  }
}

function refusal(status: number, message: string): HttpAnswer {
  return { status, body: { status: "error", message } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
