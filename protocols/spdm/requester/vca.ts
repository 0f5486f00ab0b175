/** Requester side of GET_VERSION, GET_CAPABILITIES and NEGOTIATE_ALGORITHMS. */

import { isPeerFault, type PeerFault, peerFault } from '../../codec/refusal.ts';
import { AlgTypes, measurementHashBits, type Negotiated, nameOfBit } from '../algorithms.ts';
import { capability, RequestCodes, ResponseCodes } from '../codes.ts';
import type { MessageValue } from '../messages/registry.ts';
import { type AlgorithmsValue, negotiatedOf, tableBits } from '../negotiate.ts';
import type { SupportedAlgorithms } from '../party.ts';
import { type Exchange, type RequesterState, transact } from './state.ts';

const FIXED_FIELD_BYTES = 0x20;
const OPAQUE_DATA_FMT1 = 2;

/**
 * The whole of VCA. Afterwards `state.negotiated` holds what both sides agreed on.
 * Faults: NO_COMMON_VERSION, CAPABILITIES_*, ALGORITHMS_*, and those of `transact`.
 */
export function* negotiate(state: RequesterState): Exchange<Negotiated> {
  const { config } = state;
  state.version = 0x10;
  state.negotiated = undefined;
  state.responderDataTransferSize = Number.POSITIVE_INFINITY;
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
  const { Flags, DataTransferSize = Number.POSITIVE_INFINITY } = caps.value;
  const fault = capabilitiesFault(state.version, caps.value);
  if (fault !== undefined) return fault;
  state.transcript.a.add(caps.request, caps.response);
  state.responderFlags = Flags;
  state.responderDataTransferSize = DataTransferSize;
  return yield* negotiateAlgorithms(state);
}

const DATA_TRANSFER_SIZE_MIN = 42;

/** Rules of DSP0274 10.3 that a responder's capabilities must keep. */
function capabilitiesFault(version: number, value: MessageValue<0x61>): PeerFault | undefined {
  const { Flags, DataTransferSize: size, MaxSPDMmsgSize: max } = value;
  const has = (name: Parameters<typeof capability>[1]) => capability(Flags, name) !== 0;
  if (size !== undefined && size < DATA_TRANSFER_SIZE_MIN)
    return peerFault('CAPABILITIES_DATA_TRANSFER_SIZE', `${size} is below 42`);
  if (size !== undefined && max !== undefined && (size > max || (!has('CHUNK_CAP') && size < max)))
    return peerFault('CAPABILITIES_MESSAGE_SIZE', `${size} and ${max} do not go together`);
  if (capability(Flags, 'MEAS_CAP') === 3)
    return peerFault('CAPABILITIES_MEAS_CAP', 'MEAS_CAP 11b is reserved');
  const keyed = has('KEY_EX_CAP') || has('PSK_CAP');
  if (version >= 0x11 && keyed !== (has('MAC_CAP') || has('ENCRYPT_CAP')))
    return peerFault('CAPABILITIES_FLAGS', 'sessions take key exchange and MAC or ENCRYPT');
  return undefined;
}

/** What ALGORITHMS must keep to besides naming one bit each (DSP0274 10.4). */
function selectionFault(
  version: number,
  offered: SupportedAlgorithms,
  selected: AlgorithmsValue,
): PeerFault | undefined {
  const tables: Readonly<Record<number, number>> = {
    [AlgTypes.DHE]: offered.dhe,
    [AlgTypes.AEAD]: offered.aead,
    [AlgTypes.KeySchedule]: 1,
  };
  const types = selected.AlgStruct.map((entry) => entry.AlgType);
  if (new Set(types).size < types.length)
    return peerFault('ALGORITHMS_TABLES', 'an algorithm type is answered twice');
  const outside =
    selected.BaseAsymSel & ~offered.baseAsym ||
    selected.BaseHashSel & ~offered.baseHash ||
    selected.MeasurementSpecificationSel & ~1 ||
    (version >= 0x12 && selected.OtherParamsSelection & ~OPAQUE_DATA_FMT1) ||
    (version >= 0x13 && selected.MELspecificationSel) ||
    (version >= 0x14 && selected.PqcAsymSel) ||
    selected.ExtAsymSel.length ||
    selected.ExtHashSel.length ||
    selected.AlgStruct.some(
      (entry) => entry.AlgSupported & ~(tables[entry.AlgType] ?? 0) || entry.AlgExternal.length,
    );
  return outside ? peerFault('ALGORITHMS_NOT_OFFERED', 'a selection was never offered') : undefined;
}

/** What the capabilities of both sides need, and ALGORITHMS must therefore have selected. */
function missingFault(negotiated: Negotiated, selected: AlgorithmsValue): PeerFault | undefined {
  const missing = (what: string) => peerFault(`ALGORITHMS_${what}`, 'nothing was selected');
  if (negotiated.baseAsym === undefined) return missing('BASE_ASYM');
  const { requesterFlags, responderFlags, measurementSpecification } = negotiated;
  const measures = capability(responderFlags, 'MEAS_CAP') !== 0 && measurementSpecification !== 0;
  if (measures && nameOfBit(measurementHashBits, selected.MeasurementHashAlgo) === undefined)
    return missing('MEASUREMENT_HASH');
  if (capability((requesterFlags & responderFlags) >>> 0, 'KEY_EX_CAP') === 0) return undefined;
  if (negotiated.dhe === undefined) return missing('DHE');
  if (negotiated.aead === undefined) return missing('AEAD');
  const keySchedule = tableBits(selected.AlgStruct, AlgTypes.KeySchedule);
  return keySchedule === 0 ? missing('KEY_SCHEDULE') : undefined;
}

function* negotiateAlgorithms(state: RequesterState): Exchange<Negotiated> {
  const { algorithms, flags } = state.config;
  const table = (AlgType: number, AlgSupported: number) => ({
    AlgType,
    AlgCount: FIXED_FIELD_BYTES,
    AlgSupported,
    AlgExternal: [],
  });
  const tables = [
    table(AlgTypes.DHE, algorithms.dhe),
    table(AlgTypes.AEAD, algorithms.aead),
    table(AlgTypes.KeySchedule, 1),
  ];
  // 1.0 knows no algorithm structure tables.
  const AlgStruct = state.version >= 0x11 ? tables : [];
  const { NEGOTIATE_ALGORITHMS } = RequestCodes;
  const answer = yield* transact(state, undefined, NEGOTIATE_ALGORITHMS, ResponseCodes.ALGORITHMS, {
    Param1: AlgStruct.length,
    Param2: 0,
    Length: 32 + 4 * AlgStruct.length,
    MeasurementSpecification: 1,
    OtherParamsSupport: OPAQUE_DATA_FMT1,
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
  const outside = selectionFault(state.version, algorithms, selected);
  if (outside !== undefined) return outside;
  if (selected.Length !== answer.response.length)
    return peerFault('ALGORITHMS_LENGTH', `Length ${selected.Length} of ${answer.response.length}`);
  const { version, responderFlags } = state;
  // A 1.0 request carries no flags.
  const offered = { version, requesterFlags: version >= 0x11 ? flags : 0, responderFlags };
  const negotiated = negotiatedOf(offered, selected);
  if (isPeerFault(negotiated)) return negotiated;
  const missing = missingFault(negotiated, selected);
  if (missing !== undefined) return missing;
  state.transcript.a.add(answer.request, answer.response);
  state.negotiated = negotiated;
  return negotiated;
}
