/**
 * Security strengths in bits (NIST SP 800-57 part 1 rev. 5, 5.6.1; FIPS 204 and 205 categories 1 to 5 as 128
 * to 256), for policies with a floor. RSA of 4096 bits counts as 128, the step below its own: a choice.
 */

import { type HashName, hashSizes, type SignatureName } from '../../crypto/algorithms.ts';

const strengths: readonly (readonly [pattern: RegExp, bits: number])[] = [
  [/^RSA\w+_2048$/, 112],
  [/^RSA/, 128],
  [/^ECDSA_P256$/, 128],
  [/^ECDSA_P384$/, 192],
  [/^ECDSA_P521$/, 256],
  [/^EDDSA_25519$/, 128],
  [/^EDDSA_448$/, 224],
  [/^ML_DSA_44$/, 128],
  [/^ML_DSA_65$/, 192],
  [/^ML_DSA_87$/, 256],
  [/^SLH_DSA_\w+_128/, 128],
  [/^SLH_DSA_\w+_192/, 192],
  [/^SLH_DSA_\w+_256/, 256],
];

/** 0 for a name nobody here knows. */
export const signatureStrength = (name: SignatureName): number =>
  strengths.find(([pattern]) => pattern.test(name))?.[1] ?? 0;

/** Against collisions: half the digest's bits. */
export const hashStrength = (name: HashName): number => hashSizes[name] * 4;

export const isPostQuantum = (name: SignatureName): boolean => /^(?:ML|SLH)_DSA_/.test(name);
