/** Requester side of GET_VERSION, GET_CAPABILITIES and NEGOTIATE_ALGORITHMS (DSP0274 10.2-10.4). */

import { isPeerFault, type PeerFault, peerFault } from '../../codec/refusal.ts';
import { AlgTypes, baseAsymIn, type Negotiated } from '../algorithms.ts';
import { capability, flagsIn, RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import { MULTI_KEY_CONN, negotiatedOf } from '../negotiate.ts';
import { capabilitiesFault, missingFault, selectionFault } from './answer-rules.ts';
import type { Exchange, RequesterConfig, RequesterState } from './state.ts';
import { transact } from './transact.ts';

const FIXED_FIELD_BYTES = 0x20;
const OPAQUE_FORMATS = 3;
const INCLUDE_ALGORITHMS = 1;
const NO_PARAMS = { Param1: 0, Param2: 0 } as const;

/**
 * The whole of VCA. Afterwards `state.negotiated` holds what both sides agreed on.
 * Faults: NO_COMMON_VERSION, CAPABILITIES_*, ALGORITHMS_*, and those of `transact`.
 */
export function* negotiate(state: RequesterState): Exchange<Negotiated> {
  const { config } = state;
  state.reset();
  const version = yield* getVersion(state);
  if (isPeerFault(version)) return version;
  state.version = version;
  const { GET_CAPABILITIES } = RequestCodes;
  const asksBlock =
    config.asksSupportedAlgorithms === true &&
    version >= SpdmVersions.V1_3 &&
    capability(config.flags, 'CHUNK_CAP') === 1;
  const caps = yield* transact(state, undefined, GET_CAPABILITIES, ResponseCodes.CAPABILITIES, {
    Param1: asksBlock ? INCLUDE_ALGORITHMS : 0,
    Param2: 0,
    CTExponent: config.ctExponent,
    ExtFlags: 0,
    Flags: flagsIn(version, config.flags),
    DataTransferSize: config.dataTransferSize,
    MaxSPDMmsgSize: config.maxSpdmMsgSize,
  });
  if (isPeerFault(caps)) return caps;
  const { value } = caps;
  const fault = capabilitiesFault(state.version, value);
  if (fault !== undefined) return fault;
  state.transcript.a.add(caps.request, caps.response);
  state.responderFlags = flagsIn(version, value.Flags);
  state.responderExtFlags = version >= SpdmVersions.V1_4 ? value.ExtFlags : 0;
  state.responderCtExponent = value.CTExponent;
  state.responderDataTransferSize = value.DataTransferSize ?? Number.POSITIVE_INFINITY;
  state.responderMaxSpdmMsgSize = value.MaxSPDMmsgSize ?? Number.POSITIVE_INFINITY;
  state.supportedAlgorithms = value.SupportedAlgorithms;
  return yield* negotiateAlgorithms(state);
}

/** The highest version both speak. Fault: NO_COMMON_VERSION, and those of `transact`. */
export function* getVersion(state: RequesterState): Exchange<number> {
  const { GET_VERSION } = RequestCodes;
  const answer = yield* transact(state, undefined, GET_VERSION, ResponseCodes.VERSION, NO_PARAMS);
  if (isPeerFault(answer)) return answer;
  const theirs = answer.value.VersionNumberEntry.map((entry) => entry >> 8);
  const chosen = state.config.versions.findLast((candidate) => theirs.includes(candidate));
  if (chosen === undefined)
    return peerFault('NO_COMMON_VERSION', `responder speaks ${theirs.map((v) => v.toString(16))}`);
  state.transcript.a.add(answer.request, answer.response);
  return chosen;
}

const tableOf = (AlgType: number, AlgSupported: number) => ({
  AlgType,
  AlgCount: FIXED_FIELD_BYTES,
  AlgSupported,
  AlgExternal: [],
});

/** One algorithm structure table per kind that is offered at all; 1.0 has none. */
export function offeredTables(config: RequesterConfig, version: number) {
  if (version < SpdmVersions.V1_1) return [];
  const { dhe, aead, reqAsym = 0, reqPqcAsym = 0, kem = 0 } = config.algorithms;
  const isNew = version >= SpdmVersions.V1_4;
  const tables = [
    tableOf(AlgTypes.DHE, dhe),
    tableOf(AlgTypes.AEAD, aead),
    tableOf(AlgTypes.ReqBaseAsym, baseAsymIn(version, reqAsym)),
    tableOf(AlgTypes.KeySchedule, 1),
    tableOf(AlgTypes.ReqPqcAsym, isNew ? reqPqcAsym : 0),
    tableOf(AlgTypes.KEM, isNew ? kem : 0),
  ];
  return tables.filter(({ AlgSupported }) => AlgSupported !== 0);
}

/** OtherParamsSupport: opaque formats, and that the responder's slots may have keys of their own. */
function otherParams({ config, version, responderFlags }: RequesterState): number {
  if (version < SpdmVersions.V1_2) return 0;
  const formats = config.algorithms.opaqueFormats ?? OPAQUE_FORMATS;
  const multiKey =
    version >= SpdmVersions.V1_3 &&
    config.asksMultiKey !== false &&
    capability(responderFlags, 'MULTI_KEY_CAP') !== 0;
  return multiKey ? formats | MULTI_KEY_CONN : formats;
}

function* negotiateAlgorithms(state: RequesterState): Exchange<Negotiated> {
  const { algorithms, flags } = state.config;
  const { version, responderFlags } = state;
  const AlgStruct = offeredTables(state.config, version);
  const OtherParamsSupport = otherParams(state);
  const { NEGOTIATE_ALGORITHMS } = RequestCodes;
  const asked = {
    Param1: AlgStruct.length,
    Param2: 0,
    Length: 32 + 4 * AlgStruct.length,
    MeasurementSpecification: 1,
    OtherParamsSupport,
    BaseAsymAlgo: baseAsymIn(version, algorithms.baseAsym),
    BaseHashAlgo: algorithms.baseHash,
    PqcAsymAlgo: version >= SpdmVersions.V1_4 ? (algorithms.pqcAsym ?? 0) : 0,
    MELspecification: version >= SpdmVersions.V1_3 ? (algorithms.melSpecification ?? 0) : 0,
    ExtAsym: [],
    ExtHash: [],
    AlgStruct,
  };
  const { ALGORITHMS } = ResponseCodes;
  const answer = yield* transact(state, undefined, NEGOTIATE_ALGORITHMS, ALGORITHMS, asked);
  if (isPeerFault(answer)) return answer;
  const selected = answer.value;
  const outside = selectionFault(state, asked, selected, answer.response.length);
  if (outside !== undefined) return outside;
  // A 1.0 request carries no flags.
  const requesterFlags = version >= SpdmVersions.V1_1 ? flagsIn(version, flags) : 0;
  const offered = { version, requesterFlags, responderFlags, otherParams: OtherParamsSupport };
  const negotiated = negotiatedOf(offered, selected);
  if (isPeerFault(negotiated)) return negotiated;
  const missing: PeerFault | undefined = missingFault(negotiated, selected);
  if (missing !== undefined) return missing;
  state.transcript.a.add(answer.request, answer.response);
  state.transcript.negotiated();
  state.negotiated = negotiated;
  return negotiated;
}
