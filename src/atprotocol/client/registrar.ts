/**
 * The registrar's side of an activation: asks it to send a verification code to the atSign's owner, and exchanges that
 * code for the activation code. The vendor's HTTP interface; PROTOCOL.md, "Registrar". IO.
 */

import { describeError, NoportsError } from "../../base/mod.ts";
import type { AtSign } from "../wire/mod.ts";

/** The fixed application id of the vendor's open-source tool; it is public and proves nothing. */
const APPLICATION_ID = "477b-876u-bcez-c42z-6a3d";
/** Our choice: sending a mail takes a while. */
const TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 64 * 1024;
/** What a verification code looks like, once in upper case. */
const CODE = /^[A-Z0-9]{4}$/;

export interface RegistrarTarget {
  readonly host: string;
  readonly port: number;
  /** PEM certificates trusted besides the built-in ones. */
  readonly caCerts: readonly string[];
}

/** The verification code in what somebody typed, or null when it is none. Pure. */
export function parseVerificationCode(typed: string): string | null {
  const code = typed.trim().toUpperCase();
  return CODE.test(code) ? code : null;
}

/**
 * Has the registrar send a verification code to the owner of `atSign`.
 * @throws {NoportsError} `atserver_refused` with the registrar's words, `atserver_unreachable`, `tls_untrusted`, `timeout`.
 */
export async function requestVerificationCode(
  target: RegistrarTarget,
  atSign: AtSign,
  signal: AbortSignal,
): Promise<void> {
  const answer = await post(target, "authenticate/atsign", { atsign: atSign }, signal);
  if (answer.status === 200 && answer.message.includes("Sent Successfully")) return;
  throw new NoportsError(
    "atserver_refused",
    `Cannot get a verification code for ${atSign}: ${answer.message}`,
    { hint: "use the activation code that came with the atSign: --cram-file FILE or -" },
  );
}

/**
 * The activation code of `atSign` for the verification code `code`; null when that is wrong or too old.
 * @throws {NoportsError} as `requestVerificationCode`.
 */
export async function redeemVerificationCode(
  target: RegistrarTarget,
  atSign: AtSign,
  code: string,
  signal: AbortSignal,
): Promise<string | null> {
  const body = { atsign: atSign, otp: code };
  const answer = await post(target, "authenticate/atsign/activate", body, signal);
  if (answer.status !== 200) {
    throw new NoportsError("atserver_refused", `Cannot activate ${atSign}: ${answer.message}`);
  }
  if (answer.message !== "Verified") return null;
  const secret = answer.cramkey.slice(answer.cramkey.indexOf(":") + 1);
  if (answer.cramkey.includes(":") && secret !== "") return secret;
  throw new NoportsError(
    "protocol_violation",
    `Cannot activate ${atSign}: the registrar's answer has no activation code`,
  );
}

interface Answer {
  readonly status: number;
  readonly message: string;
  readonly cramkey: string;
}

async function post(
  { host, port, caCerts }: RegistrarTarget,
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<Answer> {
  const where = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  using client = Deno.createHttpClient({ caCerts: [...caCerts] });
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const response = await fetch(`https://${where}/api/app/v3/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: APPLICATION_ID },
      body: JSON.stringify(body),
      redirect: "error",
      client,
      signal: AbortSignal.any([signal, deadline]),
    });
    return readAnswer(response.status, await readText(response));
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw connectError(where, cause, deadline.aborted);
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error("its answer is too long");
    chunks.push(chunk);
  }
  return await new Blob(chunks).text();
}

/** What is missing or of another kind is an empty text. */
function readAnswer(status: number, text: string): Answer {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // no JSON: said by the message below
  }
  const { message, cramkey } = Object(json) as { message?: unknown; cramkey?: unknown };
  return {
    status,
    message: typeof message === "string" ? message.slice(0, 300) : `HTTP status ${status}`,
    cramkey: typeof cramkey === "string" ? cramkey : "",
  };
}

function connectError(where: string, cause: unknown, timedOut: boolean): NoportsError {
  if (timedOut) {
    return new NoportsError("timeout", `Cannot reach the registrar at ${where}: no answer`, {
      cause,
    });
  }
  const inner = cause instanceof Error && cause.cause !== undefined ? ` ${cause.cause}` : "";
  const text = `${describeError(cause)}${inner}`;
  if (/certificate|UnknownIssuer|NotValidForName/i.test(text)) {
    return new NoportsError("tls_untrusted", `Cannot trust the registrar at ${where}: ${text}`, {
      cause,
      hint: "if it is your own control plane, give its CA file with --root-ca FILE or " +
        "NOPORTS_ROOT_CA (`noports server ca` prints it)",
    });
  }
  return new NoportsError(
    "atserver_unreachable",
    `Cannot reach the registrar at ${where}: ${text}`,
    { cause, hint: "check --registrarUrl and the network, or give the code with --cram-file" },
  );
}
