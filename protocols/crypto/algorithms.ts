/**
 * Algorithm names, spelled as the DMTF emulators spell them, with their sizes in bytes. What is listed
 * is what a provider may compute; which of it a given provider does, its `supports` tells.
 */

export const hashSizes = {
  SHA_256: 32,
  SHA_384: 48,
  SHA_512: 64,
  SHA3_256: 32,
  SHA3_384: 48,
  SHA3_512: 64,
} as const;
export type HashName = keyof typeof hashSizes;

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

/** RFC 7919 groups: a public value is one number as long as the prime, big-endian. */
export const ffdheSizes = { FFDHE_2048: 256, FFDHE_3072: 384, FFDHE_4096: 512 } as const;
export type FfdheName = keyof typeof ffdheSizes;

/** Diffie-Hellman groups of either kind. */
export type GroupName = CurveName | FfdheName;
export const groupNames = [
  ...(Object.keys(curves) as CurveName[]),
  ...(Object.keys(ffdheSizes) as FfdheName[]),
] as const;

/** Bytes of a group's public value, both ways. */
export const publicValueSize = (group: GroupName): number =>
  group in ffdheSizes ? ffdheSizes[group as FfdheName] : 2 * curves[group as CurveName].fieldSize;

/** What a private and a public key look like, and how a signature is made, by family. */
export type SignatureFamily = 'ECDSA' | 'RSASSA' | 'RSAPSS' | 'EDDSA' | 'ML_DSA' | 'SLH_DSA';
export interface SignatureFacts {
  readonly family: SignatureFamily;
  /** the curve of an ECDSA key */
  readonly curve?: CurveName;
  /** hash it is usually paired with; a signature names its own */
  readonly hash: HashName;
  readonly signatureSize: number;
  /** bytes of the public key as `verify` takes it; RSA: of the modulus */
  readonly publicKeySize: number;
}
const rsa = (family: 'RSASSA' | 'RSAPSS', size: number) =>
  ({ family, hash: 'SHA_384', signatureSize: size, publicKeySize: size }) as const;
const slh = (signatureSize: number, publicKeySize: number) =>
  ({ family: 'SLH_DSA', hash: 'SHA_512', signatureSize, publicKeySize }) as const;

export const signatureAlgorithms = {
  RSASSA_2048: rsa('RSASSA', 256),
  RSASSA_3072: rsa('RSASSA', 384),
  RSASSA_4096: rsa('RSASSA', 512),
  RSAPSS_2048: rsa('RSAPSS', 256),
  RSAPSS_3072: rsa('RSAPSS', 384),
  RSAPSS_4096: rsa('RSAPSS', 512),
  ECDSA_P256: {
    family: 'ECDSA',
    curve: 'SECP_256_R1',
    hash: 'SHA_256',
    signatureSize: 64,
    publicKeySize: 64,
  },
  ECDSA_P384: {
    family: 'ECDSA',
    curve: 'SECP_384_R1',
    hash: 'SHA_384',
    signatureSize: 96,
    publicKeySize: 96,
  },
  ECDSA_P521: {
    family: 'ECDSA',
    curve: 'SECP_521_R1',
    hash: 'SHA_512',
    signatureSize: 132,
    publicKeySize: 132,
  },
  EDDSA_25519: { family: 'EDDSA', hash: 'SHA_512', signatureSize: 64, publicKeySize: 32 },
  EDDSA_448: { family: 'EDDSA', hash: 'SHA_512', signatureSize: 114, publicKeySize: 57 },
  ML_DSA_44: { family: 'ML_DSA', hash: 'SHA_256', signatureSize: 2420, publicKeySize: 1312 },
  ML_DSA_65: { family: 'ML_DSA', hash: 'SHA_384', signatureSize: 3309, publicKeySize: 1952 },
  ML_DSA_87: { family: 'ML_DSA', hash: 'SHA_512', signatureSize: 4627, publicKeySize: 2592 },
  SLH_DSA_SHA2_128S: slh(7856, 32),
  SLH_DSA_SHAKE_128S: slh(7856, 32),
  SLH_DSA_SHA2_128F: slh(17088, 32),
  SLH_DSA_SHAKE_128F: slh(17088, 32),
  SLH_DSA_SHA2_192S: slh(16224, 48),
  SLH_DSA_SHAKE_192S: slh(16224, 48),
  SLH_DSA_SHA2_192F: slh(35664, 48),
  SLH_DSA_SHAKE_192F: slh(35664, 48),
  SLH_DSA_SHA2_256S: slh(29792, 64),
  SLH_DSA_SHAKE_256S: slh(29792, 64),
  SLH_DSA_SHA2_256F: slh(49856, 64),
  SLH_DSA_SHAKE_256F: slh(49856, 64),
} as const satisfies Record<string, SignatureFacts>;
export type SignatureName = keyof typeof signatureAlgorithms;
export const isSignatureName = (name: string): name is SignatureName =>
  Object.hasOwn(signatureAlgorithms, name);
export const signatureFacts = (name: SignatureName): SignatureFacts => signatureAlgorithms[name];

export interface KemFacts {
  readonly encapsulationKeySize: number;
  readonly ciphertextSize: number;
}
/** FIPS 203; every shared secret has 32 bytes. */
export const kemAlgorithms = {
  ML_KEM_512: { encapsulationKeySize: 800, ciphertextSize: 768 },
  ML_KEM_768: { encapsulationKeySize: 1184, ciphertextSize: 1088 },
  ML_KEM_1024: { encapsulationKeySize: 1568, ciphertextSize: 1568 },
} as const satisfies Record<string, KemFacts>;
export type KemName = keyof typeof kemAlgorithms;

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

/** Anything a provider may be asked for by name. */
export type AlgorithmName = HashName | GroupName | SignatureName | KemName | AeadName;
