/**
 * The file that `noports server backup` writes: a readable head, then chunks that are each checked by themselves, so that
 * a cut, a swap or a changed byte is found before anything is used. With a passphrase the chunks are encrypted. The
 * bytes: docs/server.md, "The backup file". Files and what goes into them are `backup.ts`'s and `restore.ts`'s.
 */

import { createCipheriv, createDecipheriv, createHash, scrypt } from "node:crypto";
import * as v from "valibot";
import { NoportsError } from "../base/mod.ts";
import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8 } from "../encoding/mod.ts";

/** All our choice; version 1 of the format means exactly these. */
const MAGIC = encodeUtf8("noports-backup\n");
const FORMAT_VERSION = 1;
const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 * 1024 } as const;
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const TAG_BYTES = 16;
const MAX_CHUNK_BYTES = 1024 * 1024;
const MAX_HEAD_BYTES = 64 * 1024;
const LAST_CHUNK = 0x8000_0000;

const HEAD = v.object({
  version: v.number(),
  createdAt: v.string(),
  program: v.string(),
  schemaVersion: v.number(),
  complete: v.boolean(),
  leftOut: v.array(v.string()),
  encryption: v.nullable(v.object({
    kdf: v.literal("scrypt"),
    cipher: v.literal("aes-256-gcm"),
    salt: v.string(),
  })),
});

/** What the head says; it is readable without the passphrase, and protected by it. */
export interface BackupHead {
  /** ISO 8601. */
  readonly createdAt: string;
  /** Version of the program that made it. */
  readonly program: string;
  readonly schemaVersion: number;
  /** False: what `leftOut` names is not in it. */
  readonly complete: boolean;
  readonly leftOut: readonly string[];
}

/** Bytes in order; fewer than asked for only at the end. */
export type ReadBytes = (count: number) => Promise<Uint8Array>;

/** Gives a backup's bytes: the head, then one chunk for each call of `chunk`. */
export class BackupEncoder {
  readonly head: Uint8Array<ArrayBuffer>;
  readonly #seal: Seal;
  #index = 0;

  private constructor(head: Uint8Array<ArrayBuffer>, key: Uint8Array | null) {
    this.head = head;
    this.#seal = new Seal(head, key);
  }

  /** `encryption` null: readable by everybody. `salt` has 16 random bytes. */
  static async create(
    head: BackupHead,
    encryption: { readonly passphrase: string; readonly salt: Uint8Array } | null,
  ): Promise<BackupEncoder> {
    const text = JSON.stringify(
      {
        version: FORMAT_VERSION,
        ...head,
        encryption: encryption === null
          ? null
          : { kdf: "scrypt", cipher: "aes-256-gcm", salt: encodeBase64(encryption.salt) },
      },
    );
    const json = encodeUtf8(`${text}\n`);
    const key = encryption === null
      ? null
      : await deriveKey(encryption.passphrase, encryption.salt);
    return new BackupEncoder(concatBytes([MAGIC, encodeUint32(json.length), json]), key);
  }

  /** The longest content of a chunk. */
  static readonly maxBytes = MAX_CHUNK_BYTES;

  chunk(content: Uint8Array, isLast: boolean): Uint8Array<ArrayBuffer> {
    const { sealed, tag } = this.#seal.close(content, this.#index++, isLast);
    const frame = encodeUint32((content.length | (isLast ? LAST_CHUNK : 0)) >>> 0);
    return concatBytes([frame, sealed, tag]);
  }
}

/** Reads what `BackupEncoder` wrote. */
export class BackupDecoder {
  readonly #read: ReadBytes;
  readonly #seal: Seal;
  readonly #isEncrypted: boolean;
  #index = 0;
  #ended = false;

  private constructor(
    readonly head: BackupHead,
    read: ReadBytes,
    seal: Seal,
    isEncrypted: boolean,
  ) {
    this.#read = read;
    this.#seal = seal;
    this.#isEncrypted = isEncrypted;
  }

  /**
   * Reads the head; `passphrase` is asked for where the backup is encrypted.
   * @throws {NoportsError} `config_invalid`: no backup, of a later version, or without the passphrase that it needs.
   */
  static async open(read: ReadBytes, passphrase: string | null): Promise<BackupDecoder> {
    const start = await read(MAGIC.length + 4);
    const length = decodeUint32(start.subarray(MAGIC.length));
    if (!MAGIC.every((byte, i) => start[i] === byte) || !(length <= MAX_HEAD_BYTES)) {
      throw unusable("it is no backup of `noports server`");
    }
    const json = await read(length);
    const head = v.safeParse(HEAD, parseJson(json));
    if (json.length < length || !head.success) {
      throw unusable("its head is damaged, or of another version");
    }
    const { version, encryption, ...rest } = head.output;
    if (version !== FORMAT_VERSION) {
      throw unusable(`its format is version ${version}, this program reads ${FORMAT_VERSION}`);
    }
    if (encryption !== null && passphrase === null) {
      throw new NoportsError("usage", "Cannot read the backup: it is encrypted", {
        hint: "give its passphrase with --passphrase-file FILE, or - for standard input",
      });
    }
    const key = encryption === null || passphrase === null
      ? null
      : await deriveKey(passphrase, readSalt(encryption.salt));
    const seal = new Seal(concatBytes([start, json]), key);
    return new BackupDecoder(rest, read, seal, key !== null);
  }

  /** The next chunk's content, null after the last. @throws {NoportsError} `config_invalid`, `auth_failed`. */
  async next(): Promise<Uint8Array<ArrayBuffer> | null> {
    if (this.#ended) {
      if ((await this.#read(1)).length > 0) throw unusable("something follows its end");
      return null;
    }
    const frame = await this.#read(4);
    const word = decodeUint32(frame);
    const length = word & ~LAST_CHUNK;
    const isLast = (word & LAST_CHUNK) !== 0;
    if (frame.length < 4) throw unusable("its end is missing");
    if (length > MAX_CHUNK_BYTES) throw unusable("it is damaged");
    const body = await this.#read(length + TAG_BYTES);
    if (body.length < length + TAG_BYTES) throw unusable("its end is missing");
    const content = this.#seal.open(
      body.subarray(0, length),
      body.subarray(length),
      this.#index,
      isLast,
    );
    if (content === null) {
      if (this.#index > 0 || !this.#isEncrypted) throw unusable("it is damaged");
      throw new NoportsError("auth_failed", "Cannot read the backup: wrong passphrase", {
        hint: "if the passphrase is right, the file is damaged: take another copy",
      });
    }
    this.#index++;
    this.#ended = isLast;
    return content;
  }
}

/** Protects chunks: encrypted and authenticated with a key, a check sum against accidents without one. */
class Seal {
  readonly #headHash: Uint8Array;
  readonly #key: Uint8Array | null;

  constructor(head: Uint8Array, key: Uint8Array | null) {
    this.#headHash = createHash("sha256").update(head).digest();
    this.#key = key;
  }

  close(
    content: Uint8Array,
    index: number,
    isLast: boolean,
  ): { sealed: Uint8Array; tag: Uint8Array } {
    const nonce = encodeNonce(index, isLast);
    if (this.#key === null) return { sealed: content, tag: this.#sum(nonce, content) };
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce).setAAD(this.#headHash);
    const sealed = concatBytes([cipher.update(content), cipher.final()]);
    return { sealed, tag: cipher.getAuthTag() };
  }

  /** Null when it is not what was sealed. */
  open(
    sealed: Uint8Array,
    tag: Uint8Array,
    index: number,
    isLast: boolean,
  ): Uint8Array<ArrayBuffer> | null {
    const nonce = encodeNonce(index, isLast);
    if (this.#key === null) {
      const isSame = this.#sum(nonce, sealed).every((byte, i) => byte === tag[i]);
      return isSame ? new Uint8Array(sealed) : null;
    }
    const decipher = createDecipheriv("aes-256-gcm", this.#key, nonce, {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(this.#headHash).setAuthTag(tag);
    try {
      return concatBytes([decipher.update(sealed), decipher.final()]);
    } catch {
      return null;
    }
  }

  #sum(nonce: Uint8Array, content: Uint8Array): Uint8Array {
    const hash = createHash("sha256").update(this.#headHash).update(nonce).update(content);
    return hash.digest().subarray(0, TAG_BYTES);
  }
}

/** The key is of this file alone (its salt is), so counting is enough. */
function encodeNonce(index: number, isLast: boolean): Uint8Array {
  const nonce = new Uint8Array(12);
  nonce[0] = isLast ? 1 : 0;
  new DataView(nonce.buffer).setBigUint64(4, BigInt(index));
  return nonce;
}

function deriveKey(passphrase: string, salt: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) =>
    scrypt(
      passphrase.normalize("NFC"),
      salt,
      KEY_BYTES,
      SCRYPT,
      (error, key) => error === null ? resolve(new Uint8Array(key)) : reject(error),
    )
  );
}

function readSalt(text: string): Uint8Array {
  try {
    const salt = decodeBase64(text);
    if (salt.length === SALT_BYTES) return salt;
  } catch {
    // said below
  }
  throw unusable("its head is damaged");
}

function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function encodeUint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** NaN for fewer than four bytes. */
function decodeUint32(bytes: Uint8Array): number {
  if (bytes.length < 4) return NaN;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decodeUtf8(bytes));
  } catch {
    return undefined;
  }
}

function unusable(why: string): NoportsError {
  return new NoportsError("config_invalid", `Cannot read the backup: ${why}`, {
    hint: "take another copy of it; nothing was changed",
  });
}
