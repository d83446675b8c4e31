/**
 * First activation of an atSign: log in with the activation code, enroll this machine's keys, publish the encryption key, delete the
 * code on the server. atProtocol client specification, Onboarding; PROTOCOL.md, "Onboarding". IO.
 */

import { type Clock, type Entropy, type Log, NoportsError } from "../../base/mod.ts";
import { encodeBase64 } from "../../encoding/mod.ts";
import { encryptAesText } from "../../crypto/mod.ts";
import type { AtKeys, AtSign, Verb } from "../wire/mod.ts";
import type { AtConnection } from "./connection.ts";
import type { Directory } from "./directory.ts";
import { loginCram, loginPkam } from "./login.ts";
import { refusal } from "./refusal.ts";
import { dialAtServer } from "./request_channel.ts";

/** The names that the vendor's tool gives the first enrollment. */
const FIRST_APP = "firstApp";
const FIRST_DEVICE = "firstDevice";

export interface OnboardOptions {
  readonly atSign: AtSign;
  /** The activation code (CRAM secret), as given. */
  readonly activationCode: string;
  readonly directory: Directory;
  readonly caCerts: readonly string[];
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Keeps the keys for good; called as soon as the server has accepted them, before the code is deleted. */
  readonly save: (keys: AtKeys) => Promise<void>;
}

/**
 * Activates `options.atSign`.
 * @throws {NoportsError} `already_activated`, `auth_failed` (wrong code), `atsign_unknown`, what `save` throws, network errors.
 */
export async function onboard(options: OnboardOptions, signal?: AbortSignal): Promise<void> {
  const { atSign } = options;
  // the keys take the longest, so they are made while the network is asked
  const making = makeKeys(options.entropy);
  making.catch(() => {});
  await requireNotActivated(options, signal);

  using first = await dialAtServer(atSign, options, signal);
  await loginCram(first, atSign, options.activationCode, signal);
  const keys = await making;
  const enrollmentId = await enrollFirst(first, atSign, keys, signal);
  const enrolled: AtKeys = { ...keys, enrollmentId };
  await options.save(enrolled);

  using second = await dialAtServer(atSign, options, signal);
  await loginPkam(second, atSign, enrolled, signal);
  await command(second, {
    verb: "update",
    key: { cached: false, visibility: "public", entity: "publickey", owner: atSign },
    value: keys.encryption.publicKey,
    metadata: { isEncrypted: false },
  }, signal);
  await command(second, {
    verb: "delete",
    key: { cached: false, visibility: "self", entity: "privatekey:at_secret" },
  }, signal);
}

/** True when the atSign's server publishes an encryption key, which is what activated means. */
export async function isActivated(
  options: Pick<OnboardOptions, "atSign" | "directory" | "caCerts">,
  signal?: AbortSignal,
): Promise<boolean> {
  using conn = await dialAtServer(options.atSign, options, signal);
  const reply = await conn.request({
    verb: "lookup",
    entity: "publickey",
    owner: options.atSign,
    detail: "value",
    bypassCache: false,
  }, signal === undefined ? {} : { signal });
  if (reply.kind === "data") return reply.value !== "null" && reply.value !== "";
  if (reply.kind === "error" && reply.code === "AT0015") return false;
  throw refusal(reply, `see whether ${options.atSign} is activated`);
}

async function requireNotActivated(
  options: OnboardOptions,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (await isActivated(options, signal)) {
    throw new NoportsError(
      "already_activated",
      `Cannot activate ${options.atSign}: it is activated already`,
      {
        hint: "use its key file, or enroll this machine",
      },
    );
  }
}

async function makeKeys(entropy: Entropy): Promise<AtKeys> {
  const [encryption, pkam] = await Promise.all([entropy.rsaKeyPair(), entropy.rsaKeyPair()]);
  return {
    encryption,
    pkam,
    selfEncryptionKey: encodeBase64(entropy.bytes(32)),
    apkamSymmetricKey: encodeBase64(entropy.bytes(32)),
  };
}

async function enrollFirst(
  conn: AtConnection,
  atSign: AtSign,
  keys: AtKeys,
  signal: AbortSignal | undefined,
): Promise<string> {
  const wrap = (text: string) => encryptAesText(keys.apkamSymmetricKey ?? "", null, text);
  const reply = await conn.request({
    verb: "enroll",
    operation: "request",
    force: false,
    params: JSON.stringify({
      appName: FIRST_APP,
      deviceName: FIRST_DEVICE,
      encryptedDefaultEncryptionPrivateKey: wrap(keys.encryption.privateKey),
      encryptedDefaultSelfEncryptionKey: wrap(keys.selfEncryptionKey),
      apkamPublicKey: keys.pkam.publicKey,
    }),
  }, signal === undefined ? {} : { signal });
  if (reply.kind !== "data") throw refusal(reply, `enroll the first keys of ${atSign}`);
  const answer = Object(JSON.parse(reply.value)) as { enrollmentId?: unknown; status?: unknown };
  if (typeof answer.enrollmentId !== "string" || answer.status !== "approved") {
    throw new NoportsError(
      "protocol_violation",
      `Cannot enroll the first keys of ${atSign}: the atServer did not approve them`,
    );
  }
  return answer.enrollmentId;
}

async function command(
  conn: AtConnection,
  verb: Verb,
  signal: AbortSignal | undefined,
): Promise<void> {
  const reply = await conn.request(verb, signal === undefined ? {} : { signal });
  if (reply.kind !== "data") throw refusal(reply, `${verb.verb} while activating`);
}
