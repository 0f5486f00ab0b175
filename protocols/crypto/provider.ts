/**
 * The one door to cryptography. Every operation is synchronous and deterministic; two providers
 * given the same arguments return the same bytes, so a run's trace never depends on which is used.
 * A key, IV or tag size that does not fit the algorithm, and an algorithm the provider does not
 * support, throw `LocalError`; what a peer may have sent (public keys, signatures, ciphertexts, sealed
 * bytes) never throws.
 */

import { LocalError } from '../codec/refusal.ts';
import {
  type AeadName,
  type AlgorithmName,
  type CurveName,
  curves,
  type FfdheName,
  type GroupName,
  type HashName,
  type KemName,
  type SignatureName,
} from './algorithms.ts';
import { isScalar } from './arguments.ts';
import { ffdheDrawSize } from './ffdhe.ts';

export interface KemKeyPair {
  readonly encapsulationKey: Uint8Array;
  readonly decapsulationKey: Uint8Array;
}
export interface Encapsulated {
  readonly ciphertext: Uint8Array;
  /** 32 bytes */
  readonly sharedSecret: Uint8Array;
}

/**
 * Keys as bytes, by family. ECDSA: private scalar, public X || Y. RSA: PKCS #1 RSAPrivateKey and
 * RSAPublicKey in DER. EDDSA: RFC 8032 private key (32, 57 bytes) and public key. ML_DSA, SLH_DSA:
 * FIPS 204/205 expanded private key and public key.
 */
export interface CryptoProvider {
  readonly name: string;

  /** False: not offered to a peer, and refused by name if the peer insists on it. */
  supports(name: AlgorithmName): boolean;

  hash(name: HashName, data: Uint8Array): Uint8Array;
  hmac(name: HashName, key: Uint8Array, data: Uint8Array): Uint8Array;

  /**
   * Signature over `message`: ECDSA and RSA hash it with `hash`, the others take it whole. `context` is
   * the scheme's own context parameter (Ed448, ML-DSA, SLH-DSA; at most 255 bytes); default empty.
   * Deterministic: ECDSA by RFC 6979, PSS with a salt drawn from key and message as long as the hash,
   * ML-DSA and SLH-DSA without extra entropy.
   */
  sign(
    name: SignatureName,
    hash: HashName,
    privateKey: Uint8Array,
    message: Uint8Array,
    context?: Uint8Array,
  ): Uint8Array;
  /** False for a wrong signature, a wrong length, and a public key that is none. */
  verify(
    name: SignatureName,
    hash: HashName,
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
    context?: Uint8Array,
  ): boolean;
  /** A private key drawn from `random`; the same draws give the same key. */
  generateSigningKey(name: SignatureName, random: (size: number) => Uint8Array): Uint8Array;
  /** The public key of a private key, in the form `verify` takes. */
  signingPublicKey(name: SignatureName, privateKey: Uint8Array): Uint8Array;

  /**
   * Public value of a private one: X || Y of a big-endian scalar in [1, n-1], or, of an FFDHE group, g^x
   * as long as the prime.
   */
  publicKey(group: GroupName, privateKey: Uint8Array): Uint8Array;
  /**
   * X coordinate of the shared point, or g^xy padded to the prime's length; undefined if the peer's value
   * is no point of the curve, or not in [2, p-2].
   */
  sharedSecret(
    group: GroupName,
    privateKey: Uint8Array,
    peerPublicKey: Uint8Array,
  ): Uint8Array | undefined;

  /** FIPS 203 key pair of a 64-byte seed (d || z). */
  kemKeyPair(name: KemName, seed: Uint8Array): KemKeyPair;
  /** Of a 32-byte message; undefined if the encapsulation key fails the modulus check. */
  kemEncapsulate(
    name: KemName,
    encapsulationKey: Uint8Array,
    message: Uint8Array,
  ): Encapsulated | undefined;
  /** A wrong ciphertext gives another secret (implicit rejection); undefined only for a wrong length. */
  kemDecapsulate(
    name: KemName,
    decapsulationKey: Uint8Array,
    ciphertext: Uint8Array,
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

/** A scalar from `draw`, uniform in [1, n-1] by rejection (FIPS 186-5, A.2.2). */
export function drawScalar(curve: CurveName, draw: (size: number) => Uint8Array): Uint8Array {
  return rejecting(draw, curves[curve].fieldSize, (candidate) => {
    // P-521's field has 521 bits: the seven above them must be clear for the scalar to have a chance.
    if (curve === 'SECP_521_R1') candidate[0] = candidate[0]! & 1;
    return isScalar(curve, candidate);
  });
}

/**
 * A Diffie-Hellman private key of the group from `draw`: a scalar of a curve, or an exponent of the
 * short length RFC 7919, 5.2 allows.
 * @throws LocalError if the provider does not support the group.
 */
export function drawPrivateKey(
  provider: CryptoProvider,
  group: GroupName,
  draw: (size: number) => Uint8Array,
): Uint8Array {
  if (!provider.supports(group))
    throw new LocalError(`group: ${provider.name} does not support ${group}`);
  if (Object.hasOwn(curves, group)) return drawScalar(group as CurveName, draw);
  const size = ffdheDrawSize(group as FfdheName);
  return rejecting(draw, size, (candidate) => candidate.some((byte) => byte !== 0));
}

function rejecting(
  draw: (size: number) => Uint8Array,
  size: number,
  accept: (candidate: Uint8Array) => boolean,
): Uint8Array {
  for (let attempt = 0; attempt < 128; attempt++) {
    const candidate = draw(size);
    if (accept(candidate)) return candidate;
  }
  throw new Error('draw: no private key in 128 tries; the random source is broken');
}
