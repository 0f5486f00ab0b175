/** NEGOTIATE_ALGORITHMS / ALGORITHMS: bit tables, and what a selection means in bytes (DSP0274 10.4). */

import type { Bits } from '../codec/field.ts';
import {
  type AeadName,
  aeadAlgorithms,
  type GroupName,
  groupNames,
  type HashName,
  hashSizes,
  type KemName,
  kemAlgorithms,
  publicValueSize,
  type SignatureName,
  signatureAlgorithms,
} from '../crypto/algorithms.ts';

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
const ASYM_SINCE_1_0 = 2 ** baseAsymBits.SM2_P256[0] - 1;
const MORE_ASYM_SINCE = 0x12;
/** What of a BaseAsym mask a version knows: 1.2 added SM2 and EdDSA. */
export const baseAsymIn = (version: number, mask: number): number =>
  version >= MORE_ASYM_SINCE ? mask : mask & ASYM_SINCE_1_0;

/** PqcAsym, and the 16-bit requester table of the same bits (1.4). */
export const pqcAsymBits = {
  ML_DSA_44: [0],
  ML_DSA_65: [1],
  ML_DSA_87: [2],
  SLH_DSA_SHA2_128S: [3],
  SLH_DSA_SHAKE_128S: [4],
  SLH_DSA_SHA2_128F: [5],
  SLH_DSA_SHAKE_128F: [6],
  SLH_DSA_SHA2_192S: [7],
  SLH_DSA_SHAKE_192S: [8],
  SLH_DSA_SHA2_192F: [9],
  SLH_DSA_SHAKE_192F: [10],
  SLH_DSA_SHA2_256S: [11],
  SLH_DSA_SHAKE_256S: [12],
  SLH_DSA_SHA2_256F: [13],
  SLH_DSA_SHAKE_256F: [14],
} as const satisfies Bits;
export type PqcAsymName = keyof typeof pqcAsymBits;
/** What one side signs with: of either family, never both. */
export type AsymName = BaseAsymName | PqcAsymName;

const SM2_SIGNATURE_SIZE = 64;
export const signatureSizeOf = (name: AsymName): number =>
  name === 'SM2_P256' ? SM2_SIGNATURE_SIZE : signatureAlgorithms[name].signatureSize;

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

export const kemBits = {
  ML_KEM_512: [0],
  ML_KEM_768: [1],
  ML_KEM_1024: [2],
} as const satisfies Bits;
/** How a session's secret comes about: of either family, never both. */
export type ExchangeName = DheName | KemName;

const SM2_EXCHANGE_SIZE = 64;
/** Bytes of ExchangeData: a KEM's differ by direction. */
export function exchangeSizesOf(name: ExchangeName): { request: number; response: number } {
  if (name === 'SM2_P256') return { request: SM2_EXCHANGE_SIZE, response: SM2_EXCHANGE_SIZE };
  if (isKem(name)) {
    const { encapsulationKeySize, ciphertextSize } = kemAlgorithms[name];
    return { request: encapsulationKeySize, response: ciphertextSize };
  }
  const size = publicValueSize(name);
  return { request: size, response: size };
}
export const isKem = (name: string): name is KemName => Object.hasOwn(kemAlgorithms, name);

export const aeadBits = {
  AES_128_GCM: [0],
  AES_256_GCM: [1],
  CHACHA20_POLY1305: [2],
  AEAD_SM4_GCM: [3],
} as const satisfies Bits;

export const AlgTypes = {
  DHE: 2,
  AEAD: 3,
  ReqBaseAsym: 4,
  KeySchedule: 5,
  ReqPqcAsym: 6,
  KEM: 7,
} as const;
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

/** What a connection agreed on. Sizes are in bytes, 0 where nothing was chosen. */
export interface Negotiated {
  readonly version: number;
  readonly requesterFlags: number;
  readonly responderFlags: number;
  readonly measurementSpecification: number;
  readonly measurementHash: keyof typeof measurementHashBits | undefined;
  readonly measurementHashSize: number;
  /** the responder's signatures: BaseAsymSel or PqcAsymSel */
  readonly asym: AsymName | undefined;
  readonly signatureSize: number;
  /** the requester's: ReqBaseAsym or ReqPqcAsym */
  readonly requesterAsym: AsymName | undefined;
  readonly requesterSignatureSize: number;
  /** undefined: the responder never hashes */
  readonly baseHash: BaseHashName | undefined;
  readonly hashSize: number;
  /** DHE or KEM */
  readonly exchange: ExchangeName | undefined;
  readonly requestExchangeSize: number;
  readonly responseExchangeSize: number;
  readonly aead: keyof typeof aeadBits | undefined;
  /** general opaque data of 1.2 on: OpaqueDataFmt1, else the format of 1.1 (OpaqueDataFmt0) */
  readonly opaqueFormat1: boolean;
  readonly melSpecification: number;
  /** slots have key pairs of their own: of the responder, of the requester (1.3) */
  readonly multiKeyConn: boolean;
  readonly requesterMultiKeyConn: boolean;
}

/** The negotiated names as providers know them; undefined: negotiated, but nobody here computes it. */
export interface Suite {
  readonly hash: HashName;
  readonly signature: SignatureName | undefined;
  readonly requesterSignature: SignatureName | undefined;
  readonly group: GroupName | undefined;
  readonly kem: KemName | undefined;
  readonly aead: AeadName | undefined;
}

const known = <T extends string>(table: object, name: string | undefined): T | undefined =>
  name !== undefined && Object.hasOwn(table, name) ? (name as T) : undefined;

/** Undefined if the hash is none of ours: without it nothing can be computed. */
export function suiteOf(negotiated: Negotiated): Suite | undefined {
  const hash = known<HashName>(hashSizes, negotiated.baseHash);
  if (hash === undefined) return undefined;
  const { exchange } = negotiated;
  return {
    hash,
    signature: known<SignatureName>(signatureAlgorithms, negotiated.asym),
    requesterSignature: known<SignatureName>(signatureAlgorithms, negotiated.requesterAsym),
    group: groupNames.find((name) => name === exchange),
    kem: known<KemName>(kemAlgorithms, exchange),
    aead: known<AeadName>(aeadAlgorithms, negotiated.aead),
  };
}
