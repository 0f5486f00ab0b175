/**
 * The one door to cryptography. Every operation is synchronous and deterministic; two providers
 * given the same arguments return the same bytes, so a run's trace never depends on which is used.
 * A key, IV or tag size that does not fit the algorithm throws `LocalError`; what a peer may have sent
 * (public keys, signatures, sealed bytes) never throws.
 */

import type { AeadName, CurveName, HashName, SignatureName } from './algorithms.ts';

export interface CryptoProvider {
  readonly name: string;

  hash(name: HashName, data: Uint8Array): Uint8Array;
  hmac(name: HashName, key: Uint8Array, data: Uint8Array): Uint8Array;

  /** Signature r || s over `message`, which is hashed with `hash`; nonce by RFC 6979. */
  sign(
    name: SignatureName,
    hash: HashName,
    privateKey: Uint8Array,
    message: Uint8Array,
  ): Uint8Array;
  /** `publicKey` is X || Y. False for a wrong signature, a wrong length and a point off the curve. */
  verify(
    name: SignatureName,
    hash: HashName,
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
  ): boolean;

  /** X || Y of a private scalar, which is big-endian and in [1, n-1]. */
  publicKey(curve: CurveName, privateKey: Uint8Array): Uint8Array;
  /** X coordinate of the shared point, or undefined if the peer's X || Y is no point of the curve. */
  sharedSecret(
    curve: CurveName,
    privateKey: Uint8Array,
    peerPublicKey: Uint8Array,
  ): Uint8Array | undefined;

  /** Ciphertext || tag, the tag cut to `tagSize` bytes (12 to 16; default 16). */
  aeadSeal(
    name: AeadName,
    key: Uint8Array,
    iv: Uint8Array,
    aad: Uint8Array,
    plaintext: Uint8Array,
    tagSize?: number,
  ): Uint8Array;
  /** Plaintext, or undefined if the tag does not fit. */
  aeadOpen(
    name: AeadName,
    key: Uint8Array,
    iv: Uint8Array,
    aad: Uint8Array,
    sealed: Uint8Array,
    tagSize?: number,
  ): Uint8Array | undefined;
}

/** A private key from `draw`, uniform in [1, n-1] by rejection (FIPS 186-5 A.2.2). */
export function drawPrivateKey(
  provider: CryptoProvider,
  curve: CurveName,
  fieldSize: number,
  draw: (size: number) => Uint8Array,
): Uint8Array {
  for (let attempt = 0; attempt < 128; attempt++) {
    const candidate = draw(fieldSize);
    // P-521's field has 521 bits: the seven above them must be clear for the scalar to have a chance.
    if (curve === 'SECP_521_R1') candidate[0] = candidate[0]! & 1;
    try {
      provider.publicKey(curve, candidate);
      return candidate;
    } catch {
      // out of range: draw again
    }
  }
  throw new Error('draw: no private key in 128 tries; the random source is broken');
}
