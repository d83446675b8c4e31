/** Randomness as an argument, so that what is built from it can be tested byte for byte. */

/** An RSA key pair as the atPlatform moves it: base64 of DER, SPKI and PKCS#8. */
export interface RsaKeyPair {
  readonly publicKey: string;
  readonly privateKey: string;
}

export interface Entropy {
  bytes(length: number): Uint8Array<ArrayBuffer>;
  /** A version 4 UUID in lower case. */
  uuid(): string;
  /** A fresh RSA-2048 pair, e = 65537; made off the event loop, about 150 ms. */
  rsaKeyPair(): Promise<RsaKeyPair>;
}

export const systemEntropy: Entropy = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  uuid: () => crypto.randomUUID(),
  rsaKeyPair: async () => {
    // loaded when needed: `noports --help` should not wait for it
    const { generateKeyPair } = await import("node:crypto");
    return await new Promise((resolve, reject) =>
      generateKeyPair("rsa", {
        modulusLength: 2048,
        publicKeyEncoding: { type: "spki", format: "der" },
        privateKeyEncoding: { type: "pkcs8", format: "der" },
      }, (error, publicKey, privateKey) => {
        if (error) return reject(error);
        resolve({
          publicKey: new Uint8Array(publicKey).toBase64(),
          privateKey: new Uint8Array(privateKey).toBase64(),
        });
      })
    );
  },
};
