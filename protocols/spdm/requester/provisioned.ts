/**
 * A connection whose capabilities and algorithms both sides were given beforehand: GET_VERSION alone is
 * exchanged, and VCA in the transcripts is that alone (DSP0274 10.2; for PSK_EXCHANGE of small devices).
 */

import { isPeerFault, LocalError } from '../../codec/refusal.ts';
import { AlgTypes, type Negotiated } from '../algorithms.ts';
import { ResponseCodes, SpdmVersions } from '../codes.ts';
import { type AlgorithmsValue, negotiatedOf } from '../negotiate.ts';
import type { SupportedAlgorithms } from '../party.ts';
import type { Exchange, RequesterState } from './state.ts';
import { getVersion } from './vca.ts';

/** What the responder is known to be, and what would have been selected: at most one bit in each mask. */
export interface ProvisionedPeer {
  /** CAPABILITIES Flags of the responder */
  readonly flags: number;
  readonly selected: SupportedAlgorithms;
}

const OPAQUE_FORMAT_1 = 2;
const DMTF = 1;

const tableOf = (AlgType: number, AlgSupported = 0) => ({
  AlgType,
  AlgCount: 0x20,
  AlgExtCount: 0,
  AlgSupported,
  AlgExternal: [],
});

/** ALGORITHMS as a responder would have answered it. */
function selectionOf(version: number, selected: SupportedAlgorithms): AlgorithmsValue {
  const { reqAsym, reqPqcAsym, kem, dhe, aead } = selected;
  const tables = [
    tableOf(AlgTypes.DHE, dhe),
    tableOf(AlgTypes.AEAD, aead),
    tableOf(AlgTypes.ReqBaseAsym, reqAsym),
    tableOf(AlgTypes.KeySchedule, 1),
    tableOf(AlgTypes.ReqPqcAsym, reqPqcAsym),
    tableOf(AlgTypes.KEM, kem),
  ];
  const AlgStruct = tables.filter(({ AlgSupported }) => AlgSupported !== 0);
  const formats = selected.opaqueFormats ?? OPAQUE_FORMAT_1;
  return {
    SPDMVersion: version,
    RequestResponseCode: ResponseCodes.ALGORITHMS,
    Param1: AlgStruct.length,
    Param2: 0,
    Length: 0,
    MeasurementSpecificationSel: DMTF,
    OtherParamsSelection: version >= SpdmVersions.V1_2 ? formats & OPAQUE_FORMAT_1 : 0,
    MeasurementHashAlgo: selected.measurementHash,
    BaseAsymSel: selected.baseAsym,
    BaseHashSel: selected.baseHash,
    PqcAsymSel: selected.pqcAsym ?? 0,
    MELspecificationSel: selected.melSpecification ?? 0,
    ExtAsymSelCount: 0,
    ExtHashSelCount: 0,
    ExtAsymSel: [],
    ExtHashSel: [],
    AlgStruct,
  };
}

/**
 * GET_VERSION, and the rest as provisioned. Faults: those of GET_VERSION.
 * @throws LocalError if a mask of `peer.selected` has more than one bit, or both families
 */
export function* adoptProvisioned(
  state: RequesterState,
  peer: ProvisionedPeer,
): Exchange<Negotiated> {
  const { config } = state;
  state.reset();
  const version = yield* getVersion(state);
  if (isPeerFault(version)) return version;
  state.version = version;
  state.responderFlags = peer.flags;
  const offered = { version, requesterFlags: config.flags, responderFlags: peer.flags };
  const negotiated = negotiatedOf(offered, selectionOf(version, peer.selected));
  if (isPeerFault(negotiated)) throw new LocalError(`peer.selected: ${negotiated.detail}`);
  state.transcript.negotiated();
  state.negotiated = negotiated;
  return negotiated;
}
