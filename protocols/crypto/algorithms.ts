/** Algorithm names, spelled as the DMTF emulators spell them, with their sizes in bytes. */

export const hashSizes = {
  SHA_256: 32,
  SHA_384: 48,
  SHA_512: 64,
} as const;
export type HashName = keyof typeof hashSizes;

export interface SignatureFacts {
  readonly curve: CurveName;
  readonly hash: HashName;
  /** r || s, each as long as the curve's field */
  readonly signatureSize: number;
}
export const signatureAlgorithms = {
  ECDSA_P256: { curve: 'SECP_256_R1', hash: 'SHA_256', signatureSize: 64 },
  ECDSA_P384: { curve: 'SECP_384_R1', hash: 'SHA_384', signatureSize: 96 },
  ECDSA_P521: { curve: 'SECP_521_R1', hash: 'SHA_512', signatureSize: 132 },
} as const satisfies Record<string, SignatureFacts>;
export type SignatureName = keyof typeof signatureAlgorithms;

export interface CurveFacts {
  /** bytes of a coordinate; a public value is X || Y, without the 0x04 prefix */
  readonly fieldSize: number;
}
export const curves = {
  SECP_256_R1: { fieldSize: 32 },
  SECP_384_R1: { fieldSize: 48 },
  SECP_521_R1: { fieldSize: 66 },
} as const satisfies Record<string, CurveFacts>;
export type CurveName = keyof typeof curves;

export interface AeadFacts {
  readonly keySize: number;
  readonly ivSize: number;
  readonly tagSize: number;
}
export const aeadAlgorithms = {
  AES_128_GCM: { keySize: 16, ivSize: 12, tagSize: 16 },
  AES_256_GCM: { keySize: 32, ivSize: 12, tagSize: 16 },
  CHACHA20_POLY1305: { keySize: 32, ivSize: 12, tagSize: 16 },
} as const satisfies Record<string, AeadFacts>;
export type AeadName = keyof typeof aeadAlgorithms;
