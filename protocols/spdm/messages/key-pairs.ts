/**
 * Layouts of GET_KEY_PAIR_INFO, SET_KEY_PAIR_INFO and their responses (DSP0274 clause "Key pair IDs",
 * from 1.3; 1.4 adds the post-quantum algorithms at the end).
 */

import { readLE } from '../../codec/bytes.ts';
import {
  type Bits,
  bytes,
  type Facts,
  layout,
  lengthOf,
  type Names,
  reserved,
  type Scope,
  since,
  u8,
  u16,
  u32,
  when,
} from '../../codec/field.ts';
import { keyUsageBits } from './auth.ts';
import { header } from './header.ts';

const CLAUSE = 'DSP0274 key pair information';
const PQC_SINCE = 0x14;

/** What a responder lets SET_KEY_PAIR_INFO do to a key pair. */
export const keyPairCapabilityBits = {
  GenKeyCap: [0],
  ErasableCap: [1],
  CertAssocCap: [2],
  KeyUsageCap: [3],
  AsymAlgoCap: [4],
  ShareableCap: [5],
} as const satisfies Bits;

/** Not the bits of BaseAsymAlgo: a key pair serves several signature schemes. */
export const keyPairAsymBits = {
  RSA2048: [0],
  RSA3072: [1],
  RSA4096: [2],
  ECC256: [3],
  ECC384: [4],
  ECC521: [5],
  SM2: [6],
  Ed25519: [7],
  Ed448: [8],
} as const satisfies Bits;

const PQC_MASK_SIZE = 4;
/** The post-quantum mask (bits of PqcAsymAlgo) of a bit field as long as its sender likes. */
export const pqcMaskOf = (field: Uint8Array): number =>
  readLE(field, 0, Math.min(field.length, PQC_MASK_SIZE));

export const getKeyPairInfo = layout('GET_KEY_PAIR_INFO', CLAUSE, { ...header, KeyPairID: u8() });

export const keyPairInfo = layout('KEY_PAIR_INFO', CLAUSE, {
  ...header,
  TotalKeyPairs: u8(),
  KeyPairID: u8(),
  Capabilities: u16({ bits: keyPairCapabilityBits }),
  KeyUsageCapabilities: u16({ bits: keyUsageBits }),
  CurrentKeyUsage: u16({ bits: keyUsageBits }),
  AsymAlgoCapabilities: u32({ bits: keyPairAsymBits }),
  CurrentAsymAlgo: u32({ bits: keyPairAsymBits }),
  PublicKeyInfoLen: lengthOf('PublicKeyInfo', 2),
  AssocCertSlotMask: u8(),
  // DER of the AlgorithmIdentifier
  PublicKeyInfo: bytes((v) => v.PublicKeyInfoLen),
  PqcAsymAlgoCapLen: since(PQC_SINCE, lengthOf('PqcAsymAlgoCapabilities', 1)),
  PqcAsymAlgoCapabilities: since(
    PQC_SINCE,
    bytes((v) => v.PqcAsymAlgoCapLen),
  ),
  CurrentPqcAsymAlgoLen: since(PQC_SINCE, lengthOf('CurrentPqcAsymAlgo', 1)),
  CurrentPqcAsymAlgo: since(
    PQC_SINCE,
    bytes((v) => v.CurrentPqcAsymAlgoLen),
  ),
});

/** Param1 of SET_KEY_PAIR_INFO. */
export const KeyPairOperations = {
  ParameterChange: 0,
  KeyPairErase: 1,
  GenerateKeyPair: 2,
} as const;
const operationNames: Names = Object.fromEntries(
  Object.entries(KeyPairOperations).map(([name, code]) => [code, name]),
);
const changes = (v: Scope) => v.Param1 !== KeyPairOperations.KeyPairErase;
const changesPqc = (v: Scope, facts: Facts) => changes(v) && (facts['version'] ?? 0) >= PQC_SINCE;

/** KeyPairErase ends after KeyPairID. */
export const setKeyPairInfo = layout('SET_KEY_PAIR_INFO', CLAUSE, {
  ...header,
  Param1: u8({ names: operationNames }),
  KeyPairID: u8(),
  Reserved: when(changes, reserved(1)),
  DesiredKeyUsage: when(changes, u16({ bits: keyUsageBits })),
  DesiredAsymAlgo: when(changes, u32({ bits: keyPairAsymBits })),
  DesiredAssocCertSlotMask: when(changes, u8()),
  DesiredPqcAsymAlgoLen: when(changesPqc, lengthOf('DesiredPqcAsymAlgo', 1)),
  DesiredPqcAsymAlgo: when(
    changesPqc,
    bytes((v) => v.DesiredPqcAsymAlgoLen),
  ),
});
export const setKeyPairInfoAck = layout('SET_KEY_PAIR_INFO_ACK', CLAUSE, header);
