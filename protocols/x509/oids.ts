/**
 * Object identifiers of SPDM certificates: DMTF's own (DSP0274 certificate OIDs), TCG DICE, the
 * certificate extensions of RFC 5280, and the algorithms of RFC 5480, 5758, 8017, 9881 and 9909.
 */

import type { CurveName, HashName } from '../crypto/algorithms.ts';

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

/** ecdsa-with-SHA2 (RFC 5758 3.2); parameters absent. */
export const ecdsaOids = {
  SHA_256: '1.2.840.10045.4.3.2',
  SHA_384: '1.2.840.10045.4.3.3',
  SHA_512: '1.2.840.10045.4.3.4',
} as const satisfies Record<HashName, string>;

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
  '1.2.840.10045.4.1': 'ecdsa-with-SHA1',
  '1.2.840.113549.1.1.1': 'rsaEncryption',
  '1.2.840.113549.1.1.10': 'id-RSASSA-PSS',
  '1.2.840.113549.1.1.11': 'sha256WithRSAEncryption',
  '1.2.840.113549.1.1.12': 'sha384WithRSAEncryption',
  '1.2.840.113549.1.1.13': 'sha512WithRSAEncryption',
  '1.3.101.112': 'id-Ed25519',
  '1.3.101.113': 'id-Ed448',
  '2.16.840.1.101.3.4.3.17': 'id-ml-dsa-44',
  '2.16.840.1.101.3.4.3.18': 'id-ml-dsa-65',
  '2.16.840.1.101.3.4.3.19': 'id-ml-dsa-87',
  '2.16.840.1.101.3.4.3.20': 'id-slh-dsa-sha2-128s',
  '2.16.840.1.101.3.4.3.21': 'id-slh-dsa-sha2-128f',
  '2.16.840.1.101.3.4.3.22': 'id-slh-dsa-sha2-192s',
  '2.16.840.1.101.3.4.3.23': 'id-slh-dsa-sha2-192f',
  '2.16.840.1.101.3.4.3.24': 'id-slh-dsa-sha2-256s',
  '2.16.840.1.101.3.4.3.25': 'id-slh-dsa-sha2-256f',
  '2.16.840.1.101.3.4.3.26': 'id-slh-dsa-shake-128s',
  '2.16.840.1.101.3.4.3.27': 'id-slh-dsa-shake-128f',
  '2.16.840.1.101.3.4.3.28': 'id-slh-dsa-shake-192s',
  '2.16.840.1.101.3.4.3.29': 'id-slh-dsa-shake-192f',
  '2.16.840.1.101.3.4.3.30': 'id-slh-dsa-shake-256s',
  '2.16.840.1.101.3.4.3.31': 'id-slh-dsa-shake-256f',
};

/** The name of an identifier, or its dotted text if nobody here knows it. */
export function oidName(oid: string): string {
  return Object.hasOwn(oidNames, oid) ? oidNames[oid]! : oid;
}

/** The curve a named-curve identifier stands for (RFC 5480 2.1.1.1). */
export function curveByOid(oid: string): CurveName | undefined {
  return (Object.keys(curveOids) as CurveName[]).find((curve) => curveOids[curve] === oid);
}

/** The hash of an ecdsa-with-SHA2 identifier. */
export function ecdsaHashByOid(oid: string): HashName | undefined {
  return (Object.keys(ecdsaOids) as HashName[]).find((hash) => ecdsaOids[hash] === oid);
}
