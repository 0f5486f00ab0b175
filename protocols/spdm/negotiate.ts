/** From CAPABILITIES and ALGORITHMS to what a connection agreed on (DSP0274 10.3, 10.4). */

import { type PeerFault, peerFault } from '../codec/refusal.ts';
import { type SignatureName, signatureAlgorithms } from '../crypto/algorithms.ts';
import {
  AlgTypes,
  aeadBits,
  baseAsymBits,
  baseHashBits,
  baseHashSizes,
  dheBits,
  exchangeSizes,
  measurementHashBits,
  type Negotiated,
  nameOfBit,
  signatureSizes,
} from './algorithms.ts';
import { capability } from './codes.ts';
import type { KnownCode, MessageValue } from './messages/registry.ts';

export type AlgorithmsValue = MessageValue<0x63 & KnownCode>;
export type NegotiateValue = MessageValue<0xe3 & KnownCode>;

interface AlgStruct {
  readonly AlgType: number;
  readonly AlgSupported: number;
}

/** The 16 bits an algorithm structure table holds for `type`; 0 if it is absent. */
export function tableBits(tables: readonly AlgStruct[] | undefined, type: number): number {
  return tables?.find((entry) => entry.AlgType === type)?.AlgSupported ?? 0;
}

export interface Offered {
  readonly version: number;
  readonly requesterFlags: number;
  readonly responderFlags: number;
}

/**
 * What `selected` means. A selection of several bits, of an unknown bit, or of nothing where
 * something is needed is the responder's fault.
 */
export function negotiatedOf(offered: Offered, selected: AlgorithmsValue): Negotiated | PeerFault {
  const baseHash = nameOfBit(baseHashBits, selected.BaseHashSel);
  if (baseHash === undefined)
    return peerFault('ALGORITHMS_BASE_HASH', `BaseHashSel ${selected.BaseHashSel} is not one bit`);
  const baseAsym = nameOfBit(baseAsymBits, selected.BaseAsymSel);
  if (baseAsym === undefined && selected.BaseAsymSel !== 0)
    return peerFault('ALGORITHMS_BASE_ASYM', `BaseAsymSel ${selected.BaseAsymSel} is not one bit`);
  const dheMask = tableBits(selected.AlgStruct, AlgTypes.DHE);
  const dhe = nameOfBit(dheBits, dheMask);
  if (dhe === undefined && dheMask !== 0)
    return peerFault('ALGORITHMS_DHE', `DHE selection ${dheMask} is not one bit`);
  const aeadMask = tableBits(selected.AlgStruct, AlgTypes.AEAD);
  const aead = nameOfBit(aeadBits, aeadMask);
  if (aead === undefined && aeadMask !== 0)
    return peerFault('ALGORITHMS_AEAD', `AEAD selection ${aeadMask} is not one bit`);
  const measurementHash = nameOfBit(measurementHashBits, selected.MeasurementHashAlgo);
  const hashed = measurementHash !== undefined && measurementHash !== 'RAW_BIT_STREAM_ONLY';
  return {
    ...offered,
    measurementSpecification: selected.MeasurementSpecificationSel,
    measurementHash,
    measurementHashSize: hashed ? baseHashSizes[measurementHash] : 0,
    baseAsym,
    signatureSize: baseAsym === undefined ? 0 : signatureSizes[baseAsym],
    baseHash,
    hashSize: baseHashSizes[baseHash],
    dhe,
    exchangeSize: dhe === undefined ? 0 : exchangeSizes[dhe],
    aead,
    opaqueFormat1: (selected.OtherParamsSelection & 2) !== 0,
  };
}

/** What the requester signs with (ReqBaseAsymAlg); size 0 if nothing was chosen. */
export function requesterAsymOf(selected: AlgorithmsValue): {
  readonly algorithm: SignatureName | undefined;
  readonly signatureSize: number;
} {
  const name = nameOfBit(baseAsymBits, tableBits(selected.AlgStruct, AlgTypes.ReqBaseAsym));
  if (name === undefined) return { algorithm: undefined, signatureSize: 0 };
  const algorithm = Object.hasOwn(signatureAlgorithms, name) ? (name as SignatureName) : undefined;
  return { algorithm, signatureSize: signatureSizes[name] };
}

/** A measurement summary hash is present if it was asked for and the responder measures. */
export function summaryPresent(summaryType: number, responderFlags: number): 0 | 1 {
  return summaryType !== 0 && capability(responderFlags, 'MEAS_CAP') !== 0 ? 1 : 0;
}

/** Both sides agreed to send the handshake outside the record layer. */
export function handshakeInTheClear(negotiated: Negotiated): boolean {
  const both = negotiated.requesterFlags & negotiated.responderFlags;
  return capability(both >>> 0, 'HANDSHAKE_IN_THE_CLEAR_CAP') === 1;
}

/** Records are encrypted, not only authenticated. */
export function encryptedSession(negotiated: Negotiated): boolean {
  const both = negotiated.requesterFlags & negotiated.responderFlags;
  return capability(both >>> 0, 'ENCRYPT_CAP') === 1;
}
