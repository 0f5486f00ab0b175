/**
 * Kinds of keys, as KEY_PAIR_INFO counts them (DSP0274, key pair information): an RSA key is one kind
 * under two signature schemes, every other kind has one.
 */

import { type SignatureName, signatureAlgorithms } from '../../crypto/algorithms.ts';
import { type PqcAsymName, pqcAsymBits } from '../algorithms.ts';
import { keyPairAsymBits } from '../messages/key-pairs.ts';

export type ClassicKind = keyof typeof keyPairAsymBits;
export type KeyKind = ClassicKind | PqcAsymName;

/** Schemes of a classic kind, the natural one first; SM2 is negotiable, but nobody here computes it. */
const schemes: Readonly<Record<ClassicKind, readonly SignatureName[]>> = {
  RSA2048: ['RSASSA_2048', 'RSAPSS_2048'],
  RSA3072: ['RSASSA_3072', 'RSAPSS_3072'],
  RSA4096: ['RSASSA_4096', 'RSAPSS_4096'],
  ECC256: ['ECDSA_P256'],
  ECC384: ['ECDSA_P384'],
  ECC521: ['ECDSA_P521'],
  SM2: [],
  Ed25519: ['EDDSA_25519'],
  Ed448: ['EDDSA_448'],
};

const isClassic = (kind: KeyKind): kind is ClassicKind => Object.hasOwn(keyPairAsymBits, kind);

const isSignature = (name: string): name is SignatureName =>
  Object.hasOwn(signatureAlgorithms, name);

/** The signature algorithms a key of this kind makes, the natural one first. */
export function signaturesOf(kind: KeyKind): readonly SignatureName[] {
  if (isClassic(kind)) return schemes[kind];
  return isSignature(kind) ? [kind] : [];
}

export const fitsKind = (kind: KeyKind, signature: SignatureName): boolean =>
  signaturesOf(kind).includes(signature);

/** The kind of key that makes `signature`. */
export function kindOf(signature: SignatureName): KeyKind {
  const classic = (Object.keys(schemes) as ClassicKind[]).find((kind) =>
    schemes[kind].includes(signature),
  );
  return classic ?? (signature as PqcAsymName);
}

/** AsymAlgo mask (bits of `keyPairAsymBits`) and PqcAsymAlgo mask of some kinds. */
export interface KindMasks {
  readonly asym: number;
  readonly pqc: number;
}

export function masksOf(kinds: readonly KeyKind[]): KindMasks {
  let asym = 0;
  let pqc = 0;
  for (const kind of kinds)
    if (isClassic(kind)) asym += 2 ** keyPairAsymBits[kind][0];
    else pqc += 2 ** pqcAsymBits[kind][0];
  return { asym, pqc };
}

const allKinds = [...Object.keys(keyPairAsymBits), ...Object.keys(pqcAsymBits)] as KeyKind[];

/**
 * The one kind that two masks name: undefined for none, 'several' for more than one or an unknown bit.
 */
export function kindOfMasks({ asym, pqc }: KindMasks): KeyKind | 'several' | undefined {
  if (asym === 0 && pqc === 0) return undefined;
  const one = allKinds.find((kind) => {
    const masks = masksOf([kind]);
    return masks.asym === asym && masks.pqc === pqc;
  });
  return one ?? 'several';
}
