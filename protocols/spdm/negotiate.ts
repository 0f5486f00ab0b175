/** From CAPABILITIES and ALGORITHMS to what a connection agreed on (DSP0274 10.3, 10.4). */

import type { Bits } from '../codec/field.ts';
import { isPeerFault, type PeerFault, peerFault } from '../codec/refusal.ts';
import {
  AlgTypes,
  type AsymName,
  aeadBits,
  baseAsymBits,
  baseHashBits,
  baseHashSizes,
  dheBits,
  type ExchangeName,
  exchangeSizesOf,
  kemBits,
  measurementHashBits,
  type Negotiated,
  nameOfBit,
  pqcAsymBits,
  signatureSizeOf,
} from './algorithms.ts';
import { type CapabilityName, capability, SpdmVersions } from './codes.ts';
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
  /** OtherParamsSupport of NEGOTIATE_ALGORITHMS */
  readonly otherParams?: number;
}

/** OtherParams bit 4: each side asks the other to use multi-key (1.3). */
export const MULTI_KEY_CONN = 0x10;
const MULTI_KEY_ONLY = 1;
const MULTI_KEY_NEGOTIABLE = 2;

/** Whether one side's slots have key pairs of their own: it can do nothing else, or was asked to. */
export function multiKey(version: number, flags: number, otherParams: number): boolean {
  if (version < SpdmVersions.V1_3) return false;
  const cap = capability(flags, 'MULTI_KEY_CAP');
  const asked = (otherParams & MULTI_KEY_CONN) !== 0;
  return cap === MULTI_KEY_ONLY || (cap === MULTI_KEY_NEGOTIABLE && asked);
}

/** The one bit of `mask` by name; undefined for none; a fault for several or an unknown one. */
function oneOf<B extends Bits>(what: string, table: B, mask: number) {
  const name = nameOfBit(table, mask);
  if (name !== undefined || mask === 0) return name;
  return peerFault(`ALGORITHMS_${what}`, `selection 0x${mask.toString(16)} is not one known bit`);
}

/** One of two families, never both (1.4). */
function either<A extends string, B extends string>(
  what: string,
  first: A | PeerFault | undefined,
  second: B | PeerFault | undefined,
): A | B | PeerFault | undefined {
  if (isPeerFault(first)) return first;
  if (isPeerFault(second)) return second;
  if (first !== undefined && second !== undefined)
    return peerFault(`ALGORITHMS_${what}`, `both ${first} and ${second} were selected`);
  return first ?? second;
}

interface Selections {
  readonly asym: AsymName | undefined;
  readonly requesterAsym: AsymName | undefined;
  readonly exchange: ExchangeName | undefined;
  readonly aead: keyof typeof aeadBits | undefined;
}

function selectionsOf(version: number, selected: AlgorithmsValue): Selections | PeerFault {
  const table = (type: number) => tableBits(selected.AlgStruct, type);
  const isNew = version >= SpdmVersions.V1_4;
  const bits = (mask: number) => (isNew ? mask : 0);
  const asym = either(
    'BASE_ASYM',
    oneOf('BASE_ASYM', baseAsymBits, selected.BaseAsymSel),
    oneOf('PQC_ASYM', pqcAsymBits, bits(selected.PqcAsymSel)),
  );
  if (isPeerFault(asym)) return asym;
  const requesterAsym = either(
    'REQ_BASE_ASYM',
    oneOf('REQ_BASE_ASYM', baseAsymBits, table(AlgTypes.ReqBaseAsym)),
    oneOf('REQ_PQC_ASYM', pqcAsymBits, bits(table(AlgTypes.ReqPqcAsym))),
  );
  if (isPeerFault(requesterAsym)) return requesterAsym;
  const exchange = either(
    'DHE',
    oneOf('DHE', dheBits, table(AlgTypes.DHE)),
    oneOf('KEM', kemBits, bits(table(AlgTypes.KEM))),
  );
  if (isPeerFault(exchange)) return exchange;
  const aead = oneOf('AEAD', aeadBits, table(AlgTypes.AEAD));
  if (isPeerFault(aead)) return aead;
  return { asym, requesterAsym, exchange, aead };
}

/**
 * Whether a responder of these capabilities ever signs (BaseAsymSel, PqcAsymSel) or hashes (BaseHashSel):
 * if not, nothing is selected (10.4).
 */
export function computesWith(responderFlags: number): { signs: boolean; hashes: boolean } {
  const its = (name: CapabilityName) => capability(responderFlags, name);
  const has = (...names: CapabilityName[]) => names.some((name) => its(name) !== 0);
  const SIGNED = 2;
  const signs =
    has('CERT_CAP', 'PUB_KEY_ID_CAP', 'CHAL_CAP', 'KEY_EX_CAP') ||
    its('MEAS_CAP') === SIGNED ||
    its('EP_INFO_CAP') === SIGNED;
  return { signs, hashes: signs || has('PSK_CAP', 'MEL_CAP', 'EP_INFO_CAP') };
}

/**
 * What `selected` means. A selection of several bits, of an unknown bit, of both families, or of no
 * hash where one is needed, is the responder's fault.
 */
export function negotiatedOf(offered: Offered, selected: AlgorithmsValue): Negotiated | PeerFault {
  const { version, requesterFlags, responderFlags, otherParams = 0 } = offered;
  const baseHash = nameOfBit(baseHashBits, selected.BaseHashSel);
  const none = selected.BaseHashSel === 0 && !computesWith(responderFlags).hashes;
  if (baseHash === undefined && !none)
    return peerFault('ALGORITHMS_BASE_HASH', `BaseHashSel ${selected.BaseHashSel} is not one bit`);
  const chosen = selectionsOf(version, selected);
  if (isPeerFault(chosen)) return chosen;
  const { asym, requesterAsym, exchange } = chosen;
  const measurementHash = nameOfBit(measurementHashBits, selected.MeasurementHashAlgo);
  const hashed = measurementHash !== undefined && measurementHash !== 'RAW_BIT_STREAM_ONLY';
  const sizes = exchange === undefined ? undefined : exchangeSizesOf(exchange);
  return {
    version,
    requesterFlags,
    responderFlags,
    measurementSpecification: selected.MeasurementSpecificationSel,
    measurementHash,
    measurementHashSize: hashed ? baseHashSizes[measurementHash] : 0,
    ...chosen,
    signatureSize: asym === undefined ? 0 : signatureSizeOf(asym),
    requesterSignatureSize: requesterAsym === undefined ? 0 : signatureSizeOf(requesterAsym),
    baseHash,
    hashSize: baseHash === undefined ? 0 : baseHashSizes[baseHash],
    requestExchangeSize: sizes?.request ?? 0,
    responseExchangeSize: sizes?.response ?? 0,
    opaqueFormat1: version >= SpdmVersions.V1_2 && (selected.OtherParamsSelection & 2) !== 0,
    melSpecification: version >= SpdmVersions.V1_3 ? selected.MELspecificationSel : 0,
    multiKeyConn: multiKey(version, responderFlags, otherParams),
    requesterMultiKeyConn: multiKey(version, requesterFlags, selected.OtherParamsSelection),
  };
}

/** A measurement summary hash is present if it was asked for and the responder measures. */
export function summaryPresent(summaryType: number, responderFlags: number): 0 | 1 {
  return summaryType !== 0 && capability(responderFlags, 'MEAS_CAP') !== 0 ? 1 : 0;
}

/** A capability that takes both sides. */
export function bothHave(
  sides: Pick<Negotiated, 'requesterFlags' | 'responderFlags'>,
  name: CapabilityName,
): boolean {
  const { requesterFlags, responderFlags } = sides;
  return capability(requesterFlags, name) !== 0 && capability(responderFlags, name) !== 0;
}

/** Both sides agreed to send the handshake outside the record layer. */
export const handshakeInTheClear = (negotiated: Negotiated): boolean =>
  bothHave(negotiated, 'HANDSHAKE_IN_THE_CLEAR_CAP');

/** Records are encrypted, not only authenticated. */
export const encryptedSession = (negotiated: Negotiated): boolean =>
  bothHave(negotiated, 'ENCRYPT_CAP');
