/** NEGOTIATE_ALGORITHMS / ALGORITHMS: bit tables, and what a selection means in bytes (DSP0274 10.4). */

import type { Bits } from '../codec/field.ts';
import type { AeadName, CurveName, HashName, SignatureName } from '../crypto/algorithms.ts';

export const baseAsymBits = {
  RSASSA_2048: [0],
  RSAPSS_2048: [1],
  RSASSA_3072: [2],
  RSAPSS_3072: [3],
  ECDSA_P256: [4],
  RSASSA_4096: [5],
  RSAPSS_4096: [6],
  ECDSA_P384: [7],
  ECDSA_P521: [8],
  SM2_P256: [9],
  EDDSA_25519: [10],
  EDDSA_448: [11],
} as const satisfies Bits;
export type BaseAsymName = keyof typeof baseAsymBits;

export const signatureSizes: Record<BaseAsymName, number> = {
  RSASSA_2048: 256,
  RSAPSS_2048: 256,
  RSASSA_3072: 384,
  RSAPSS_3072: 384,
  ECDSA_P256: 64,
  RSASSA_4096: 512,
  RSAPSS_4096: 512,
  ECDSA_P384: 96,
  ECDSA_P521: 132,
  SM2_P256: 64,
  EDDSA_25519: 64,
  EDDSA_448: 114,
};

export const baseHashBits = {
  SHA_256: [0],
  SHA_384: [1],
  SHA_512: [2],
  SHA3_256: [3],
  SHA3_384: [4],
  SHA3_512: [5],
  SM3_256: [6],
} as const satisfies Bits;
export type BaseHashName = keyof typeof baseHashBits;

export const baseHashSizes: Record<BaseHashName, number> = {
  SHA_256: 32,
  SHA_384: 48,
  SHA_512: 64,
  SHA3_256: 32,
  SHA3_384: 48,
  SHA3_512: 64,
  SM3_256: 32,
};

/** One bit further up than BaseHash: bit 0 means "raw bit stream only". */
export const measurementHashBits = {
  RAW_BIT_STREAM_ONLY: [0],
  SHA_256: [1],
  SHA_384: [2],
  SHA_512: [3],
  SHA3_256: [4],
  SHA3_384: [5],
  SHA3_512: [6],
  SM3_256: [7],
} as const satisfies Bits;

export const dheBits = {
  FFDHE_2048: [0],
  FFDHE_3072: [1],
  FFDHE_4096: [2],
  SECP_256_R1: [3],
  SECP_384_R1: [4],
  SECP_521_R1: [5],
  SM2_P256: [6],
} as const satisfies Bits;
export type DheName = keyof typeof dheBits;
export const exchangeSizes: Record<DheName, number> = {
  FFDHE_2048: 256,
  FFDHE_3072: 384,
  FFDHE_4096: 512,
  SECP_256_R1: 64,
  SECP_384_R1: 96,
  SECP_521_R1: 132,
  SM2_P256: 64,
};

export const aeadBits = {
  AES_128_GCM: [0],
  AES_256_GCM: [1],
  CHACHA20_POLY1305: [2],
  AEAD_SM4_GCM: [3],
} as const satisfies Bits;
export const keyScheduleBits = { SPDM: [0] } as const satisfies Bits;

export const AlgTypes = { DHE: 2, AEAD: 3, ReqBaseAsym: 4, KeySchedule: 5 } as const;
export const algTypeNames = {
  2: 'DHE',
  3: 'AEAD',
  4: 'ReqBaseAsym',
  5: 'KeySchedule',
  6: 'ReqPqcAsym',
  7: 'KEM',
};

/** OtherParamsSupport: opaque data formats. */
export const otherParamsBits = {
  OpaqueDataFmt0: [0],
  OpaqueDataFmt1: [1],
  MULTI_KEY_CONN: [4],
} as const satisfies Bits;

/** The name of the single bit set in `mask`, or undefined if none, several or an unknown one is set. */
export function nameOfBit<B extends Bits>(table: B, mask: number): (keyof B & string) | undefined {
  for (const [name, [lsb]] of Object.entries(table)) if (mask === 2 ** lsb) return name;
  return undefined;
}

export function maskOf<B extends Bits>(table: B, ...names: (keyof B)[]): number {
  let mask = 0;
  for (const name of names) mask += 2 ** table[name]![0];
  return mask;
}

/** What a connection agreed on; the names our crypto providers carry are typed as theirs. */
export interface Negotiated {
  readonly version: number;
  readonly requesterFlags: number;
  readonly responderFlags: number;
  readonly measurementSpecification: number;
  readonly measurementHash: string | undefined;
  readonly measurementHashSize: number;
  readonly baseAsym: BaseAsymName | undefined;
  readonly signatureSize: number;
  readonly baseHash: BaseHashName;
  readonly hashSize: number;
  readonly dhe: DheName | undefined;
  readonly exchangeSize: number;
  readonly aead: keyof typeof aeadBits | undefined;
  readonly opaqueFormat1: boolean;
}

/** The negotiated names as our providers know them; undefined: negotiated, but nobody here computes it. */
export interface Suite {
  readonly hash: HashName;
  readonly signature: SignatureName | undefined;
  readonly curve: CurveName | undefined;
  readonly aead: AeadName | undefined;
}

const providerHashes: readonly string[] = ['SHA_256', 'SHA_384', 'SHA_512'];
const providerSignatures: readonly string[] = ['ECDSA_P256', 'ECDSA_P384', 'ECDSA_P521'];
const providerCurves: readonly string[] = ['SECP_256_R1', 'SECP_384_R1', 'SECP_521_R1'];
const providerAeads: readonly string[] = ['AES_128_GCM', 'AES_256_GCM', 'CHACHA20_POLY1305'];

export function suiteOf(negotiated: Negotiated): Suite | undefined {
  if (!providerHashes.includes(negotiated.baseHash)) return undefined;
  const pick = <T>(known: readonly string[], name: string | undefined): T | undefined =>
    name !== undefined && known.includes(name) ? (name as T) : undefined;
  return {
    hash: negotiated.baseHash as HashName,
    signature: pick<SignatureName>(providerSignatures, negotiated.baseAsym),
    curve: pick<CurveName>(providerCurves, negotiated.dhe),
    aead: pick<AeadName>(providerAeads, negotiated.aead),
  };
}
