/** Evidence made here: a device chain, VCA and signed measurements for any SPDM version. */

import { concat, fromHex } from '../../../../protocols/codec/bytes.ts';
import { encode } from '../../../../protocols/codec/layout.ts';
import type { HashName, SignatureName } from '../../../../protocols/crypto/algorithms.ts';
import { nodeProvider } from '../../../../protocols/crypto/node.ts';
import {
  type BaseAsymName,
  baseAsymBits,
  baseHashBits,
  maskOf,
  type PqcAsymName,
  pqcAsymBits,
} from '../../../../protocols/spdm/algorithms.ts';
import type { Evidence } from '../../../../protocols/spdm/evidence/evidence.ts';
import { getMeasurements, measurements } from '../../../../protocols/spdm/messages/auth.ts';
import * as vca from '../../../../protocols/spdm/messages/vca.ts';
import { SigningContexts, signTranscript } from '../../../../protocols/spdm/signing.ts';
import { buildDeviceChain, type DeviceChain } from '../../../../protocols/x509/device-chain.ts';
import type { CertificateModel } from '../../../../protocols/x509/policy.ts';

export const crypto = nodeProvider;
export const NONCE = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
export const CONTEXT = fromHex('aabbccddeeff0011');
/** 2026-04-01T00:00:00Z */
export const AT = 1775001600;

const keyOf = (fill: number) => new Uint8Array(48).fill(fill);
export const LEAF_KEY = keyOf(0x33);
const entity = (name: string, fill: number) => ({
  name: [['CN', name]] as const,
  privateKey: keyOf(fill),
  serialNumber: Uint8Array.of(fill),
});

/** The leaf's key is P-384 unless `leaf` says otherwise. */
export function deviceChain(
  deviceInfo = 'Example:Device:0001',
  leaf: { signature?: SignatureName; privateKey?: Uint8Array; model?: CertificateModel } = {},
): DeviceChain {
  const { model, ...key } = leaf;
  return buildDeviceChain(crypto, {
    signature: 'ECDSA_P384',
    root: entity('Root', 0x11),
    intermediate: entity('Intermediate', 0x22),
    leaf: { ...entity('Leaf', 0x33), ...key },
    ...(model === undefined ? {} : { model }),
    notBefore: '20240101000000Z',
    notAfter: '99991231235959Z',
    deviceInfo,
  });
}

const MEAS_CAP_SIGNED = 0x10;
const P384 = 0x80;
const SHA_384 = 0x02;

export interface VcaChanges {
  readonly baseAsym?: number;
  readonly baseHash?: number;
  readonly pqcAsym?: number;
  readonly opaque?: number;
}

/** GET_VERSION .. ALGORITHMS of a connection that agreed on `version`, P-384 and SHA-384. */
export function vcaOf(version: number, changes: VcaChanges = {}) {
  const head = (code: number, of = version) => ({
    SPDMVersion: of,
    RequestResponseCode: code,
    Param1: 0,
    Param2: 0,
  });
  const sizes = { DataTransferSize: 4608, MaxSPDMmsgSize: 4608 };
  const capabilities = { CTExponent: 0, ExtFlags: 0, Flags: MEAS_CAP_SIGNED, ...sizes };
  const facts = { version };
  const BaseAsymSel = changes.baseAsym ?? P384;
  const OtherParamsSelection = changes.opaque ?? 2;
  const negotiate = {
    ...head(0xe3),
    Length: 32,
    MeasurementSpecification: 1,
    OtherParamsSupport: 2,
    BaseAsymAlgo: P384,
    BaseHashAlgo: SHA_384,
    PqcAsymAlgo: 0,
    MELspecification: 0,
    ExtAsym: [],
    ExtHash: [],
    AlgStruct: [],
  };
  const algorithms = {
    ...head(0x63),
    Length: 36,
    MeasurementSpecificationSel: 1,
    OtherParamsSelection,
    MeasurementHashAlgo: 4,
    BaseAsymSel,
    BaseHashSel: changes.baseHash ?? SHA_384,
    PqcAsymSel: changes.pqcAsym ?? 0,
    MELspecificationSel: 0,
    ExtAsymSel: [],
    ExtHashSel: [],
    AlgStruct: [],
  };
  return concat(
    encode(vca.getVersion, head(0x84, 0x10)),
    encode(vca.version, { ...head(0x04, 0x10), VersionNumberEntry: [version << 8] }),
    encode(vca.getCapabilities, { ...head(0xe1), ...capabilities }, facts),
    encode(vca.capabilities, { ...head(0x61), ...capabilities }, facts),
    encode(vca.negotiateAlgorithms, negotiate, facts),
    encode(vca.algorithms, algorithms, facts),
  );
}

export const block = (Index: number, fill: number): Block => ({
  Index,
  MeasurementSpecification: 1,
  ValueType: 1,
  Value: new Uint8Array(48).fill(fill),
});

/** Evidence with everything a test changes. */
export type GivenEvidence = Evidence & {
  readonly certificates: readonly Uint8Array[];
  readonly nonce: Uint8Array;
};

export interface Making {
  readonly version: number;
  /** indices asked for one by one without signature before the signed request for all */
  readonly before?: readonly { readonly index: number; readonly fill: number }[];
  readonly opaque?: Uint8Array;
  readonly slot?: number;
  readonly answeredSlot?: number;
  readonly answeredContext?: Uint8Array;
  readonly vca?: Uint8Array | undefined;
  readonly signer?: Uint8Array;
  /** default ECDSA_P384 with SHA_384, with VCA that says so */
  readonly algorithm?: SignatureName;
  readonly hash?: HashName;
  readonly blocks?: readonly Block[];
  /** Param2 of the signed request; default 0xFF, all */
  readonly operation?: number;
}
export interface Block {
  readonly Index: number;
  readonly MeasurementSpecification: number;
  readonly ValueType: number;
  readonly Value: Uint8Array;
}

/** VCA that negotiated `algorithm` and `hash`. */
export function vcaFor(version: number, algorithm: SignatureName, hash: HashName): Uint8Array {
  const baseHash = maskOf(baseHashBits, hash);
  if (Object.hasOwn(pqcAsymBits, algorithm)) {
    const pqcAsym = maskOf(pqcAsymBits, algorithm as PqcAsymName);
    return vcaOf(version, { baseAsym: 0, pqcAsym, baseHash });
  }
  return vcaOf(version, { baseAsym: maskOf(baseAsymBits, algorithm as BaseAsymName), baseHash });
}

/** A request for measurements and its answer, the signature left out. */
function pair(making: Making, signed: boolean, blocks: readonly Block[]): Uint8Array {
  const { version, slot = 0, opaque = new Uint8Array(0) } = making;
  const facts = { version, signed: 0, signatureSize: 96 };
  const head = { SPDMVersion: version };
  const request = encode(
    getMeasurements,
    {
      ...head,
      RequestResponseCode: 0xe0,
      Param1: signed ? 1 : 0,
      Param2: signed ? (making.operation ?? 0xff) : blocks[0]!.Index,
      ...(signed ? { Nonce: NONCE, SlotIDParam: slot } : {}),
      RequesterContext: CONTEXT,
    },
    facts,
  );
  const response = encode(
    measurements,
    {
      ...head,
      RequestResponseCode: 0x60,
      Param1: 0,
      Param2: signed ? (making.answeredSlot ?? slot) : 0,
      MeasurementRecord: [...blocks],
      Nonce: new Uint8Array(32).fill(0x77),
      OpaqueData: signed ? opaque : new Uint8Array(0),
      RequesterContext: making.answeredContext ?? CONTEXT,
    },
    facts,
  );
  return concat(request, response);
}

/** Evidence with blocks 1 and 2, as a device of these keys would give it. */
export function makeEvidence(making: Making, chain: DeviceChain = deviceChain()): GivenEvidence {
  const { version, algorithm = 'ECDSA_P384', hash = 'SHA_384' } = making;
  const known = version >= 0x12 ? vcaFor(version, algorithm, hash) : undefined;
  const vcaBytes = 'vca' in making ? making.vca : known;
  const messages = concat(
    ...(making.before ?? []).map(({ index, fill }) => pair(making, false, [block(index, fill)])),
    pair(making, true, making.blocks ?? [block(1, 0xa1), block(2, 0xa2)]),
  );
  const covered = version >= 0x12 ? vcaBytes : undefined;
  const transcript = concat(covered ?? new Uint8Array(0), messages);
  const signature = signTranscript(
    { crypto, hash, version },
    { algorithm, privateKey: making.signer ?? LEAF_KEY },
    SigningContexts.MEASUREMENTS,
    transcript,
  );
  return {
    messages: concat(messages, signature),
    certificates: chain.certificates,
    nonce: NONCE,
    ...(vcaBytes === undefined ? {} : { vca: vcaBytes }),
  };
}
