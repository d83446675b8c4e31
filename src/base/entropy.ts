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
  rsaKeyPair: () => {
    const pair = prepared ?? makeRsaKeyPair();
    prepared = null;
    return pair;
  },
};

/** A pair that is being made ahead of its use; the first who asks gets it. */
let prepared: Promise<RsaKeyPair> | null = null;

/**
 * Begins to make the pair that `systemEntropy.rsaKeyPair()` will give next: for programs that are about to need one. Finding primes is
 * luck with a long tail, so where there is a second core two pairs are begun and the first one counts: measured, the slowest of 20
 * takes half as long. The other one is thrown away.
 */
export function prepareRsaKeyPair(): void {
  if (prepared !== null) return;
  const attempts = navigator.hardwareConcurrency > 1 ? 2 : 1;
  prepared = Promise.any(Array.from({ length: attempts }, makeRsaKeyPair));
  prepared.catch(() => {}); // whoever asks for it hears of a failure
}

/**
 * Begins to seed the TLS library's random generator, on another thread. Otherwise its first use, the first TLS connection, does it on
 * this one and everything stands still for 40 ms (measured); the key itself is thrown away.
 */
export function warmUpTls(): void {
  crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]).catch(() => {
    // a runtime without it is slower by those 40 ms, no more
  });
}

async function makeRsaKeyPair(): Promise<RsaKeyPair> {
  const pair = await crypto.subtle.generateKey(
    {
      name: "RSASSA-PKCS1-v1_5",
      modulusLength: 2048,
      publicExponent: new Uint8Array([1, 0, 1]),
      hash: "SHA-256",
    },
    true,
    ["sign", "verify"],
  );
  const [publicKey, privateKey] = await Promise.all([
    crypto.subtle.exportKey("spki", pair.publicKey),
    crypto.subtle.exportKey("pkcs8", pair.privateKey),
  ]);
  return {
    publicKey: new Uint8Array(publicKey).toBase64(),
    privateKey: new Uint8Array(privateKey).toBase64(),
  };
}
