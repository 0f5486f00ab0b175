/**
 * Object identifiers of SPDM certificates: DMTF's own (DSP0274 certificate OIDs), TCG DICE, the
 * certificate extensions of RFC 5280, and the algorithms of RFC 5480, 5758, 8017, 9881 and 9909.
 */

import type { CurveName, HashName, SignatureName } from '../crypto/algorithms.ts';

/** id-DMTF-spdm, 1.3.6.1.4.1.412.274 (DSP0274 annex "OID reference"). */
export const DmtfOids = {
  /** otherName of the subject alternative name: UTF8String `Manufacturer:Product:SerialNumber` */
  DEVICE_INFO: '1.3.6.1.4.1.412.274.1',
  /** in the certificate whose key is bound to the hardware */
  HARDWARE_IDENTITY: '1.3.6.1.4.1.412.274.2',
  EKU_RESPONDER_AUTH: '1.3.6.1.4.1.412.274.3',
  EKU_REQUESTER_AUTH: '1.3.6.1.4.1.412.274.4',
  /** in a certificate that firmware may replace */
  MUTABLE_CERTIFICATE: '1.3.6.1.4.1.412.274.5',
  /** the extension that lists the ones above */
  SPDM_EXTENSION: '1.3.6.1.4.1.412.274.6',
} as const;

/** PCIe component identity in a CMA-SPDM leaf: otherName with UTF8String `Vendor=...:Device=...`. */
export const PCI_SIG_CMA_IDENTITY = '2.23.147';

/** TCG DICE Attestation Architecture: extensions and extended key usages. */
export const DiceOids = {
  TCB_INFO: '2.23.133.5.4.1',
  ENDORSEMENT_MANIFEST: '2.23.133.5.4.2',
  ENDORSEMENT_MANIFEST_URI: '2.23.133.5.4.3',
  UEID: '2.23.133.5.4.4',
  MULTI_TCB_INFO: '2.23.133.5.4.5',
  KP_IDENTITY_INIT: '2.23.133.5.4.100.6',
  KP_IDENTITY_LOC: '2.23.133.5.4.100.7',
  KP_ATTEST_INIT: '2.23.133.5.4.100.8',
  KP_ATTEST_LOC: '2.23.133.5.4.100.9',
  KP_ASSERT_INIT: '2.23.133.5.4.100.10',
  KP_ASSERT_LOC: '2.23.133.5.4.100.11',
  KP_ECA: '2.23.133.5.4.100.12',
} as const;

/** RFC 5280 4.2.1. */
export const ExtensionOids = {
  SUBJECT_KEY_IDENTIFIER: '2.5.29.14',
  KEY_USAGE: '2.5.29.15',
  SUBJECT_ALT_NAME: '2.5.29.17',
  BASIC_CONSTRAINTS: '2.5.29.19',
  AUTHORITY_KEY_IDENTIFIER: '2.5.29.35',
  EXT_KEY_USAGE: '2.5.29.37',
} as const;

export const EkuOids = {
  ANY: '2.5.29.37.0',
  SERVER_AUTH: '1.3.6.1.5.5.7.3.1',
  CLIENT_AUTH: '1.3.6.1.5.5.7.3.2',
} as const;

/** Bits of KeyUsage by their number (RFC 5280 4.2.1.3). */
export const keyUsageBits = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;
export type KeyUsageName = (typeof keyUsageBits)[number];

/** Attribute types of a distinguished name (RFC 4519), and whether X.520 wants a PrintableString. */
export const nameAttributes = {
  CN: { oid: '2.5.4.3', printable: false },
  serialNumber: { oid: '2.5.4.5', printable: true },
  C: { oid: '2.5.4.6', printable: true },
  L: { oid: '2.5.4.7', printable: false },
  ST: { oid: '2.5.4.8', printable: false },
  O: { oid: '2.5.4.10', printable: false },
  OU: { oid: '2.5.4.11', printable: false },
} as const;
export type NameAttribute = keyof typeof nameAttributes;

export const EC_PUBLIC_KEY = '1.2.840.10045.2.1';

export const curveOids = {
  SECP_256_R1: '1.2.840.10045.3.1.7',
  SECP_384_R1: '1.3.132.0.34',
  SECP_521_R1: '1.3.132.0.35',
} as const satisfies Record<CurveName, string>;

/** ecdsa-with-SHA2 (RFC 5758 3.2) and id-ecdsa-with-sha3 (NIST sigAlgs); parameters absent. */
export const ecdsaOids = {
  SHA_256: '1.2.840.10045.4.3.2',
  SHA_384: '1.2.840.10045.4.3.3',
  SHA_512: '1.2.840.10045.4.3.4',
  SHA3_256: '2.16.840.1.101.3.4.3.10',
  SHA3_384: '2.16.840.1.101.3.4.3.11',
  SHA3_512: '2.16.840.1.101.3.4.3.12',
} as const satisfies Record<HashName, string>;

export const RSA_ENCRYPTION = '1.2.840.113549.1.1.1';
export const RSASSA_PSS = '1.2.840.113549.1.1.10';
export const MGF1 = '1.2.840.113549.1.1.8';

/** RSASSA-PKCS1-v1_5 with SHA-2 (RFC 4055 5) and SHA-3 (NIST sigAlgs). */
export const rsaOids = {
  SHA_256: '1.2.840.113549.1.1.11',
  SHA_384: '1.2.840.113549.1.1.12',
  SHA_512: '1.2.840.113549.1.1.13',
  SHA3_256: '2.16.840.1.101.3.4.3.14',
  SHA3_384: '2.16.840.1.101.3.4.3.15',
  SHA3_512: '2.16.840.1.101.3.4.3.16',
} as const satisfies Record<HashName, string>;

/** The hashes themselves, as RSASSA-PSS parameters name them. */
export const hashOids = {
  SHA_256: '2.16.840.1.101.3.4.2.1',
  SHA_384: '2.16.840.1.101.3.4.2.2',
  SHA_512: '2.16.840.1.101.3.4.2.3',
  SHA3_256: '2.16.840.1.101.3.4.2.8',
  SHA3_384: '2.16.840.1.101.3.4.2.9',
  SHA3_512: '2.16.840.1.101.3.4.2.10',
} as const satisfies Record<HashName, string>;

export type PlainSignatureName = Exclude<SignatureName, `ECDSA_${string}` | `RSA${string}`>;
/** One identifier without parameters for key and signature alike (RFC 8410, 9881, 9909). */
export const plainOids = {
  EDDSA_25519: '1.3.101.112',
  EDDSA_448: '1.3.101.113',
  ML_DSA_44: '2.16.840.1.101.3.4.3.17',
  ML_DSA_65: '2.16.840.1.101.3.4.3.18',
  ML_DSA_87: '2.16.840.1.101.3.4.3.19',
  SLH_DSA_SHA2_128S: '2.16.840.1.101.3.4.3.20',
  SLH_DSA_SHA2_128F: '2.16.840.1.101.3.4.3.21',
  SLH_DSA_SHA2_192S: '2.16.840.1.101.3.4.3.22',
  SLH_DSA_SHA2_192F: '2.16.840.1.101.3.4.3.23',
  SLH_DSA_SHA2_256S: '2.16.840.1.101.3.4.3.24',
  SLH_DSA_SHA2_256F: '2.16.840.1.101.3.4.3.25',
  SLH_DSA_SHAKE_128S: '2.16.840.1.101.3.4.3.26',
  SLH_DSA_SHAKE_128F: '2.16.840.1.101.3.4.3.27',
  SLH_DSA_SHAKE_192S: '2.16.840.1.101.3.4.3.28',
  SLH_DSA_SHAKE_192F: '2.16.840.1.101.3.4.3.29',
  SLH_DSA_SHAKE_256S: '2.16.840.1.101.3.4.3.30',
  SLH_DSA_SHAKE_256F: '2.16.840.1.101.3.4.3.31',
} as const satisfies Record<PlainSignatureName, string>;

/** PKCS #9 attribute of a certification request that lists the extensions asked for (RFC 2985 5.4.2). */
export const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';

/** Names for people: every identifier above, and key and signature algorithms met in device chains. */
export const oidNames: Readonly<Record<string, string>> = {
  [DmtfOids.DEVICE_INFO]: 'id-DMTF-device-info',
  [DmtfOids.HARDWARE_IDENTITY]: 'id-DMTF-hardware-identity',
  [DmtfOids.EKU_RESPONDER_AUTH]: 'id-DMTF-eku-responder-auth',
  [DmtfOids.EKU_REQUESTER_AUTH]: 'id-DMTF-eku-requester-auth',
  [DmtfOids.MUTABLE_CERTIFICATE]: 'id-DMTF-mutable-certificate',
  [DmtfOids.SPDM_EXTENSION]: 'id-DMTF-SPDM-extension',
  [DiceOids.TCB_INFO]: 'tcg-dice-TcbInfo',
  [DiceOids.ENDORSEMENT_MANIFEST]: 'tcg-dice-endorsement-manifest',
  [DiceOids.ENDORSEMENT_MANIFEST_URI]: 'tcg-dice-endorsement-manifest-uri',
  [DiceOids.UEID]: 'tcg-dice-Ueid',
  [DiceOids.MULTI_TCB_INFO]: 'tcg-dice-MultiTcbInfo',
  [DiceOids.KP_IDENTITY_INIT]: 'tcg-dice-kp-identityInit',
  [DiceOids.KP_IDENTITY_LOC]: 'tcg-dice-kp-identityLoc',
  [DiceOids.KP_ATTEST_INIT]: 'tcg-dice-kp-attestInit',
  [DiceOids.KP_ATTEST_LOC]: 'tcg-dice-kp-attestLoc',
  [DiceOids.KP_ASSERT_INIT]: 'tcg-dice-kp-assertInit',
  [DiceOids.KP_ASSERT_LOC]: 'tcg-dice-kp-assertLoc',
  [DiceOids.KP_ECA]: 'tcg-dice-kp-eca',
  [ExtensionOids.SUBJECT_KEY_IDENTIFIER]: 'subjectKeyIdentifier',
  [ExtensionOids.KEY_USAGE]: 'keyUsage',
  [ExtensionOids.SUBJECT_ALT_NAME]: 'subjectAltName',
  [ExtensionOids.BASIC_CONSTRAINTS]: 'basicConstraints',
  [ExtensionOids.AUTHORITY_KEY_IDENTIFIER]: 'authorityKeyIdentifier',
  [ExtensionOids.EXT_KEY_USAGE]: 'extKeyUsage',
  '2.5.29.30': 'nameConstraints',
  '2.5.29.31': 'cRLDistributionPoints',
  '2.5.29.32': 'certificatePolicies',
  '1.3.6.1.5.5.7.1.1': 'authorityInfoAccess',
  [EkuOids.ANY]: 'anyExtendedKeyUsage',
  [EkuOids.SERVER_AUTH]: 'serverAuth',
  [EkuOids.CLIENT_AUTH]: 'clientAuth',
  [EC_PUBLIC_KEY]: 'id-ecPublicKey',
  [ecdsaOids.SHA_256]: 'ecdsa-with-SHA256',
  [ecdsaOids.SHA_384]: 'ecdsa-with-SHA384',
  [ecdsaOids.SHA_512]: 'ecdsa-with-SHA512',
  [ecdsaOids.SHA3_256]: 'id-ecdsa-with-sha3-256',
  [ecdsaOids.SHA3_384]: 'id-ecdsa-with-sha3-384',
  [ecdsaOids.SHA3_512]: 'id-ecdsa-with-sha3-512',
  '1.2.840.10045.4.1': 'ecdsa-with-SHA1',
  [RSA_ENCRYPTION]: 'rsaEncryption',
  [RSASSA_PSS]: 'id-RSASSA-PSS',
  [rsaOids.SHA_256]: 'sha256WithRSAEncryption',
  [rsaOids.SHA_384]: 'sha384WithRSAEncryption',
  [rsaOids.SHA_512]: 'sha512WithRSAEncryption',
  [rsaOids.SHA3_256]: 'id-rsassa-pkcs1-v1-5-with-sha3-256',
  [rsaOids.SHA3_384]: 'id-rsassa-pkcs1-v1-5-with-sha3-384',
  [rsaOids.SHA3_512]: 'id-rsassa-pkcs1-v1-5-with-sha3-512',
  [plainOids.EDDSA_25519]: 'id-Ed25519',
  [plainOids.EDDSA_448]: 'id-Ed448',
  [plainOids.ML_DSA_44]: 'id-ml-dsa-44',
  [plainOids.ML_DSA_65]: 'id-ml-dsa-65',
  [plainOids.ML_DSA_87]: 'id-ml-dsa-87',
  [plainOids.SLH_DSA_SHA2_128S]: 'id-slh-dsa-sha2-128s',
  [plainOids.SLH_DSA_SHA2_128F]: 'id-slh-dsa-sha2-128f',
  [plainOids.SLH_DSA_SHA2_192S]: 'id-slh-dsa-sha2-192s',
  [plainOids.SLH_DSA_SHA2_192F]: 'id-slh-dsa-sha2-192f',
  [plainOids.SLH_DSA_SHA2_256S]: 'id-slh-dsa-sha2-256s',
  [plainOids.SLH_DSA_SHA2_256F]: 'id-slh-dsa-sha2-256f',
  [plainOids.SLH_DSA_SHAKE_128S]: 'id-slh-dsa-shake-128s',
  [plainOids.SLH_DSA_SHAKE_128F]: 'id-slh-dsa-shake-128f',
  [plainOids.SLH_DSA_SHAKE_192S]: 'id-slh-dsa-shake-192s',
  [plainOids.SLH_DSA_SHAKE_192F]: 'id-slh-dsa-shake-192f',
  [plainOids.SLH_DSA_SHAKE_256S]: 'id-slh-dsa-shake-256s',
  [plainOids.SLH_DSA_SHAKE_256F]: 'id-slh-dsa-shake-256f',
  [EXTENSION_REQUEST]: 'extensionRequest',
};

/** The name of an identifier, or its dotted text if nobody here knows it. */
export function oidName(oid: string): string {
  return Object.hasOwn(oidNames, oid) ? oidNames[oid]! : oid;
}

function keyByOid<K extends string>(
  table: Readonly<Record<K, string>>,
  oid: string,
): K | undefined {
  return (Object.keys(table) as K[]).find((key) => table[key] === oid);
}

/** The curve a named-curve identifier stands for (RFC 5480 2.1.1.1). */
export const curveByOid = (oid: string): CurveName | undefined => keyByOid(curveOids, oid);

/** The hash of an ecdsa-with-SHA2 or id-ecdsa-with-sha3 identifier. */
export const ecdsaHashByOid = (oid: string): HashName | undefined => keyByOid(ecdsaOids, oid);

/** The hash of a sha256WithRSAEncryption identifier or one of its like. */
export const rsaHashByOid = (oid: string): HashName | undefined => keyByOid(rsaOids, oid);

export const hashByOid = (oid: string): HashName | undefined => keyByOid(hashOids, oid);

/** The algorithm of an identifier that stands for key and signature alike. */
export const plainByOid = (oid: string): PlainSignatureName | undefined => keyByOid(plainOids, oid);
