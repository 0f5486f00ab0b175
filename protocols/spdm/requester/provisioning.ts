/**
 * Requester side of GET_CSR, SET_CERTIFICATE, GET_KEY_PAIR_INFO and SET_KEY_PAIR_INFO (DSP0274 10.25,
 * 10.26, key pair information). A device that needs a reset first says so, and that is no fault.
 */

import { le } from '../../codec/bytes.ts';
import { isPeerFault, LocalError, type PeerFault, peerFault } from '../../codec/refusal.ts';
import { type CertificationRequest, parseCsr, verifyCsr } from '../../x509/csr.ts';
import { ErrorCodes, RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import { KeyPairOperations, pqcMaskOf } from '../messages/key-pairs.ts';
import { type KeyKind, masksOf } from '../provisioning/kinds.ts';
import type { Exchange, RequesterSession, RequesterState } from './state.ts';
import { isErrorFault, transact } from './transact.ts';

/** The device does it at its next reset. */
export interface ResetRequired {
  readonly resetRequired: true;
  /** CSRTrackingTag to ask again under (1.3); 0: none */
  readonly trackingTag: number;
}

function resetRequiredBy(fault: PeerFault): ResetRequired | PeerFault {
  const waits = isErrorFault(fault, ErrorCodes.ResetRequired);
  return waits ? { resetRequired: true, trackingTag: fault.data } : fault;
}

export interface CsrAsked {
  /** multi-key connections: of which key pair, for a certificate of which model (`CertModels`) */
  readonly keyPairId?: number;
  readonly certModel?: number;
  /** CertificationRequestInfo in DER: what the device is to put into the CSR; default nothing */
  readonly requesterInfo?: Uint8Array;
  readonly opaque?: Uint8Array;
  /** of a request that waited for a reset (1.3) */
  readonly trackingTag?: number;
  /** drops every CSR that waits (1.3) */
  readonly overwrite?: boolean;
}

const TRACKING_TAG_MAX = 7;

/**
 * A CSR that is signed by its own key. Faults: CSR_ENCODING, CSR_SIGNATURE.
 * @throws LocalError on a tag that is none
 */
export function* getCsr(
  state: RequesterState,
  session: RequesterSession | undefined,
  asked: CsrAsked = {},
): Exchange<CertificationRequest | ResetRequired> {
  const { keyPairId = 0, certModel = 0, trackingTag = 0, overwrite = false } = asked;
  if (!Number.isInteger(trackingTag) || trackingTag < 0 || trackingTag > TRACKING_TAG_MAX)
    throw new LocalError(`trackingTag: expected 0 to ${TRACKING_TAG_MAX}, got ${trackingTag}`);
  const attributes = certModel | (trackingTag << 3) | (overwrite ? 0x80 : 0);
  const answer = yield* transact(state, session, RequestCodes.GET_CSR, ResponseCodes.CSR, {
    Param1: keyPairId,
    Param2: attributes,
    RequesterInfo: asked.requesterInfo ?? new Uint8Array(0),
    OpaqueData: asked.opaque ?? new Uint8Array(0),
  });
  if (isPeerFault(answer)) return resetRequiredBy(answer);
  const request = parseCsr(answer.value.CSRdata);
  if (!request.ok) return peerFault('CSR_ENCODING', `${request.path}: ${request.detail}`);
  state.work.push({ op: 'certificate-parse' }, { op: 'verify' });
  if (verifyCsr(state.config.crypto, request.value) !== true)
    return peerFault('CSR_SIGNATURE', 'the CSR is not signed by its own key');
  return request.value;
}

export interface CertificateAsked {
  readonly slot: number;
  /** multi-key connections */
  readonly keyPairId?: number;
  readonly certModel?: number;
}
export type Stored = { readonly stored: true } | ResetRequired;

const ERASE = 0x80;

function* writeSlot(
  state: RequesterState,
  session: RequesterSession | undefined,
  Param1: number,
  keyPairId: number,
  CertChain: Uint8Array,
): Exchange<Stored> {
  const slot = Param1 & 15;
  const answer = yield* transact(
    state,
    session,
    RequestCodes.SET_CERTIFICATE,
    ResponseCodes.SET_CERTIFICATE_RSP,
    { Param1, Param2: keyPairId, CertChain },
  );
  if (isPeerFault(answer)) return resetRequiredBy(answer);
  if ((answer.value.Param1 & 15) !== slot)
    return peerFault(
      'SET_CERTIFICATE_SLOT',
      `slot ${answer.value.Param1 & 15} answers for ${slot}`,
    );
  state.chains.delete(slot);
  state.leaves.delete(slot);
  return { stored: true };
}

const slotOf = ({ slot }: CertificateAsked): number => {
  if (Number.isInteger(slot) && slot >= 0 && slot <= 7) return slot;
  throw new LocalError(`slot: expected 0 to 7, got ${slot}`);
};

/**
 * Stores a chain blob (`encodeCertChain`) in a slot; what was known of the slot's chain is forgotten.
 * Fault: SET_CERTIFICATE_SLOT.
 * @throws LocalError on a slot that is none
 */
export function* setCertificate(
  state: RequesterState,
  session: RequesterSession | undefined,
  asked: CertificateAsked,
  chain: Uint8Array,
): Exchange<Stored> {
  const { keyPairId = 0, certModel = 0 } = asked;
  return yield* writeSlot(state, session, slotOf(asked) | (certModel << 4), keyPairId, chain);
}

/** Empties a slot (1.3). @throws LocalError before 1.3, and on a slot that is none */
export function* eraseCertificate(
  state: RequesterState,
  session: RequesterSession | undefined,
  asked: Omit<CertificateAsked, 'certModel'>,
): Exchange<Stored> {
  if (state.version < SpdmVersions.V1_3)
    throw new LocalError('state: slots are erased from version 1.3 on');
  const { keyPairId = 0 } = asked;
  return yield* writeSlot(state, session, slotOf(asked) | ERASE, keyPairId, new Uint8Array(0));
}

export interface KeyPairInfo {
  readonly keyPairId: number;
  readonly total: number;
  /** `keyPairCapabilityBits` */
  readonly capabilities: number;
  /** `keyUsageBits` */
  readonly usageCapabilities: number;
  readonly usage: number;
  /** `keyPairAsymBits`, and bits of PqcAsymAlgo (1.4) */
  readonly asymCapabilities: number;
  readonly asym: number;
  readonly pqcCapabilities: number;
  readonly pqc: number;
  readonly slots: number;
  /** AlgorithmIdentifier in DER; empty: there is no key */
  readonly publicKeyInfo: Uint8Array;
}

/** What a key pair is and may become. Fault: KEY_PAIR_INFO_ID. */
export function* getKeyPairInfo(
  state: RequesterState,
  session: RequesterSession | undefined,
  keyPairId: number,
): Exchange<KeyPairInfo> {
  const answer = yield* transact(
    state,
    session,
    RequestCodes.GET_KEY_PAIR_INFO,
    ResponseCodes.KEY_PAIR_INFO,
    { Param1: 0, Param2: 0, KeyPairID: keyPairId },
  );
  if (isPeerFault(answer)) return answer;
  const { value } = answer;
  if (value.KeyPairID !== keyPairId || value.TotalKeyPairs < keyPairId)
    return peerFault(
      'KEY_PAIR_INFO_ID',
      `key pair ${value.KeyPairID} of ${value.TotalKeyPairs} answers for ${keyPairId}`,
    );
  return {
    keyPairId,
    total: value.TotalKeyPairs,
    capabilities: value.Capabilities,
    usageCapabilities: value.KeyUsageCapabilities,
    usage: value.CurrentKeyUsage,
    asymCapabilities: value.AsymAlgoCapabilities,
    asym: value.CurrentAsymAlgo,
    pqcCapabilities: pqcMaskOf(value.PqcAsymAlgoCapabilities ?? new Uint8Array(0)),
    pqc: pqcMaskOf(value.CurrentPqcAsymAlgo ?? new Uint8Array(0)),
    slots: value.AssocCertSlotMask,
    publicKeyInfo: value.PublicKeyInfo,
  };
}

/** A change to a key pair; erase takes none of its parameters. */
export interface KeyPairAsked {
  readonly operation: keyof typeof KeyPairOperations;
  readonly keyPairId: number;
  /** `keyUsageBits`; 0 or left out: as it is */
  readonly usage?: number;
  readonly kind?: KeyKind;
  /** mask of the slots it is to belong to; default none */
  readonly slots?: number;
}

export function* setKeyPairInfo(
  state: RequesterState,
  session: RequesterSession | undefined,
  asked: KeyPairAsked,
): Exchange<Stored> {
  const { kind, usage = 0, slots = 0 } = asked;
  const masks = masksOf(kind === undefined ? [] : [kind]);
  const isErase = asked.operation === 'KeyPairErase';
  const parameters = {
    DesiredKeyUsage: usage,
    DesiredAsymAlgo: masks.asym,
    DesiredAssocCertSlotMask: slots,
  };
  const pqc = state.version >= SpdmVersions.V1_4 ? { DesiredPqcAsymAlgo: le(masks.pqc, 4) } : {};
  const answer = yield* transact(
    state,
    session,
    RequestCodes.SET_KEY_PAIR_INFO,
    ResponseCodes.SET_KEY_PAIR_INFO_ACK,
    {
      Param1: KeyPairOperations[asked.operation],
      Param2: 0,
      KeyPairID: asked.keyPairId,
      ...(isErase ? {} : { ...parameters, ...pqc }),
    },
  );
  return isPeerFault(answer) ? resetRequiredBy(answer) : { stored: true };
}
