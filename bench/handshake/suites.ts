/** The algorithm suites sessions are timed with, and the certificates that go with each. */

import type {
  GroupName,
  HashName,
  KemName,
  SignatureName,
} from '../../protocols/crypto/algorithms.ts';
import type { CryptoProvider } from '../../protocols/crypto/provider.ts';
import {
  aeadBits,
  baseAsymBits,
  baseHashBits,
  dheBits,
  kemBits,
  maskOf,
  measurementHashBits,
  pqcAsymBits,
} from '../../protocols/spdm/algorithms.ts';
import { SpdmVersions } from '../../protocols/spdm/codes.ts';
import type { IdentitySlot } from '../../protocols/spdm/identity.ts';
import type { SupportedAlgorithms } from '../../protocols/spdm/party.ts';
import { buildDeviceChain } from '../../protocols/x509/device-chain.ts';
import { drawChainPlan } from '../../protocols/x509/draw-chain.ts';
import { encodeCertChain } from '../../protocols/x509/spdm-chain.ts';

export interface HandshakeSuite {
  readonly name: string;
  readonly version: number;
  readonly signature: SignatureName;
  readonly hash: HashName;
  readonly exchange: GroupName | KemName;
  readonly algorithms: SupportedAlgorithms;
  /** timed only if everything is asked for */
  readonly extra?: boolean;
}

type Curve = 256 | 384 | 521;
const curveHashes = { 256: 'SHA_256', 384: 'SHA_384', 521: 'SHA_512' } as const;

function classic(bits: Curve): HandshakeSuite {
  const [signature, exchange] = [`ECDSA_P${bits}`, `SECP_${bits}_R1`] as const;
  const hash = curveHashes[bits];
  return {
    name: `P-${bits}`,
    version: SpdmVersions.V1_2,
    signature,
    hash,
    exchange,
    algorithms: {
      measurementHash: maskOf(measurementHashBits, hash),
      baseAsym: maskOf(baseAsymBits, signature),
      baseHash: maskOf(baseHashBits, hash),
      dhe: maskOf(dheBits, exchange),
      aead: maskOf(aeadBits, 'AES_256_GCM'),
    },
  };
}

function postQuantum(
  dsa: 44 | 65 | 87,
  kem: 512 | 768 | 1024,
  hash: HashName,
  extra: boolean,
): HandshakeSuite {
  const [signature, exchange] = [`ML_DSA_${dsa}`, `ML_KEM_${kem}`] as const;
  return {
    name: `ML-DSA-${dsa}+ML-KEM-${kem}`,
    version: SpdmVersions.V1_4,
    signature,
    hash,
    exchange,
    extra,
    algorithms: {
      measurementHash: maskOf(measurementHashBits, hash),
      baseAsym: 0,
      baseHash: maskOf(baseHashBits, hash),
      dhe: 0,
      aead: maskOf(aeadBits, 'AES_256_GCM'),
      pqcAsym: maskOf(pqcAsymBits, signature),
      kem: maskOf(kemBits, exchange),
    },
  };
}

export const handshakeSuites: readonly HandshakeSuite[] = [
  classic(256),
  classic(384),
  classic(521),
  postQuantum(65, 768, 'SHA_384', false),
  postQuantum(44, 512, 'SHA_256', true),
  postQuantum(87, 1024, 'SHA_512', true),
];

export interface Provisioned {
  readonly slot: IdentitySlot;
  /** root certificate in DER */
  readonly root: Uint8Array;
}

/** A slot with a chain of three certificates. */
export function provision(
  suite: HandshakeSuite,
  crypto: CryptoProvider,
  random: (size: number) => Uint8Array,
): Provisioned {
  const { signature, hash, version } = suite;
  const deviceInfo = 'Example:Device:0001';
  const notBefore = '20240101000000Z';
  const plan = drawChainPlan({ crypto, random, algorithm: signature, deviceInfo, notBefore });
  const chain = buildDeviceChain(crypto, plan);
  return {
    root: chain.root,
    slot: {
      chain: encodeCertChain(crypto, hash, version, chain.certificates),
      signer: { algorithm: signature, privateKey: plan.leaf.privateKey },
    },
  };
}
