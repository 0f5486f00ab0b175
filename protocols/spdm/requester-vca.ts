/** Requester side of GET_VERSION, GET_CAPABILITIES and NEGOTIATE_ALGORITHMS. */

import { isPeerFault, peerFault } from '../codec/refusal.ts';
import { AlgTypes, type Negotiated } from './algorithms.ts';
import { capability, RequestCodes, ResponseCodes } from './codes.ts';
import { type AlgorithmsValue, negotiatedOf, tableBits } from './negotiate.ts';
import { type Exchange, type RequesterState, transact } from './requester-state.ts';

const FIXED_FIELD_BYTES = 0x20;

/**
 * The whole of VCA. Afterwards `state.negotiated` holds what both sides agreed on.
 * Faults: NO_COMMON_VERSION, CAPABILITIES_*, ALGORITHMS_*, and those of `transact`.
 */
export function* negotiate(state: RequesterState): Exchange<Negotiated> {
  const { config } = state;
  state.version = 0x10;
  state.negotiated = undefined;
  state.authenticated = false;
  state.sessions.clear();
  const { GET_VERSION, GET_CAPABILITIES } = RequestCodes;
  const version = yield* transact(state, undefined, GET_VERSION, ResponseCodes.VERSION, {
    Param1: 0,
    Param2: 0,
  });
  if (isPeerFault(version)) return version;
  const theirs = version.value.VersionNumberEntry.map((entry) => entry >> 8);
  const common = config.versions.filter((candidate) => theirs.includes(candidate));
  const chosen = common.at(-1);
  if (chosen === undefined)
    return peerFault('NO_COMMON_VERSION', `responder speaks ${theirs.map((v) => v.toString(16))}`);
  state.transcript.a.add(version.request, version.response);
  state.version = chosen;

  const caps = yield* transact(state, undefined, GET_CAPABILITIES, ResponseCodes.CAPABILITIES, {
    Param1: 0,
    Param2: 0,
    CTExponent: config.ctExponent,
    ExtFlags: 0,
    Flags: config.flags,
    DataTransferSize: config.dataTransferSize,
    MaxSPDMmsgSize: config.maxSpdmMsgSize,
  });
  if (isPeerFault(caps)) return caps;
  const { Flags, DataTransferSize = config.dataTransferSize } = caps.value;
  if (DataTransferSize < 42)
    return peerFault('CAPABILITIES_DATA_TRANSFER_SIZE', `${DataTransferSize} is below 42`);
  if (capability(Flags, 'MEAS_CAP') === 3)
    return peerFault('CAPABILITIES_MEAS_CAP', 'MEAS_CAP 11b is reserved');
  state.transcript.a.add(caps.request, caps.response);
  state.responderFlags = Flags;
  state.responderDataTransferSize = DataTransferSize;
  return yield* negotiateAlgorithms(state);
}

function* negotiateAlgorithms(state: RequesterState): Exchange<Negotiated> {
  const { algorithms, flags } = state.config;
  const table = (AlgType: number, AlgSupported: number) => ({
    AlgType,
    AlgCount: FIXED_FIELD_BYTES,
    AlgSupported,
    AlgExternal: [],
  });
  const AlgStruct = [
    table(AlgTypes.DHE, algorithms.dhe),
    table(AlgTypes.AEAD, algorithms.aead),
    table(AlgTypes.KeySchedule, 1),
  ];
  const { NEGOTIATE_ALGORITHMS } = RequestCodes;
  const answer = yield* transact(state, undefined, NEGOTIATE_ALGORITHMS, ResponseCodes.ALGORITHMS, {
    Param1: AlgStruct.length,
    Param2: 0,
    Length: 32 + 4 * AlgStruct.length,
    MeasurementSpecification: 1,
    OtherParamsSupport: 2,
    BaseAsymAlgo: algorithms.baseAsym,
    BaseHashAlgo: algorithms.baseHash,
    PqcAsymAlgo: 0,
    MELspecification: 0,
    ExtAsym: [],
    ExtHash: [],
    AlgStruct,
  });
  if (isPeerFault(answer)) return answer;
  const selected: AlgorithmsValue = answer.value;
  const outside =
    (selected.BaseAsymSel & ~algorithms.baseAsym) |
    (selected.BaseHashSel & ~algorithms.baseHash) |
    (tableBits(selected.AlgStruct, AlgTypes.DHE) & ~algorithms.dhe) |
    (tableBits(selected.AlgStruct, AlgTypes.AEAD) & ~algorithms.aead);
  if (outside !== 0) return peerFault('ALGORITHMS_NOT_OFFERED', 'a selection was never offered');
  if (selected.Length !== answer.response.length)
    return peerFault('ALGORITHMS_LENGTH', `Length ${selected.Length} of ${answer.response.length}`);
  const { version, responderFlags } = state;
  const offered = { version, requesterFlags: flags, responderFlags };
  const negotiated = negotiatedOf(offered, selected);
  if (isPeerFault(negotiated)) return negotiated;
  if (negotiated.baseAsym === undefined)
    return peerFault('ALGORITHMS_BASE_ASYM', 'no signature algorithm was selected');
  state.transcript.a.add(answer.request, answer.response);
  state.negotiated = negotiated;
  return negotiated;
}
