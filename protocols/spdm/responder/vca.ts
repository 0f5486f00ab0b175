/** Responder side of GET_VERSION, GET_CAPABILITIES and NEGOTIATE_ALGORITHMS. */

import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import { isPeerFault, LocalError } from '../../codec/refusal.ts';
import { AlgTypes } from '../algorithms.ts';
import { capability, ErrorCodes, ResponseCodes } from '../codes.ts';
import * as vca from '../messages/vca.ts';
import { negotiatedOf, tableBits } from '../negotiate.ts';
import type { Answer, ErrorAnswer, ResponderState, Turn } from './state.ts';

const invalid: ErrorAnswer = { error: ErrorCodes.InvalidRequest };
const DATA_TRANSFER_SIZE_MIN = 42;

export function answerVersion(state: ResponderState, turn: Turn): Answer {
  state.reset(turn.effects, 'GET_VERSION');
  const reply = encode(vca.version, {
    SPDMVersion: 0x10,
    RequestResponseCode: ResponseCodes.VERSION,
    Param1: 0,
    Param2: 0,
    VersionNumberEntry: state.config.versions.map((version) => version << 8),
  });
  state.transcript.a.add(turn.request, reply);
  return reply;
}

/** Flag rules of DSP0274 10.3 that a request must keep. */
function flagsLegal(version: number, flags: number): boolean {
  const has = (name: Parameters<typeof capability>[1]) => capability(flags, name) !== 0;
  const keyed = has('KEY_EX_CAP') || has('PSK_CAP');
  const identity = has('CERT_CAP') || has('PUB_KEY_ID_CAP');
  if (capability(flags, 'PSK_CAP') > 1) return false;
  if (keyed && !has('MAC_CAP') && !has('ENCRYPT_CAP')) return false;
  if (!keyed && (has('MAC_CAP') || has('ENCRYPT_CAP') || has('HANDSHAKE_IN_THE_CLEAR_CAP')))
    return false;
  if (!keyed && (has('HBEAT_CAP') || has('KEY_UPD_CAP'))) return false;
  if (!has('KEY_EX_CAP') && has('PSK_CAP') && has('HANDSHAKE_IN_THE_CLEAR_CAP')) return false;
  if (has('CERT_CAP') && has('PUB_KEY_ID_CAP')) return false;
  const signsEndpointInfo = version >= 0x13 && capability(flags, 'EP_INFO_CAP') === 2;
  if (identity && !has('CHAL_CAP') && !has('KEY_EX_CAP') && !signsEndpointInfo) return false;
  if (!identity && (has('CHAL_CAP') || has('MUT_AUTH_CAP'))) return false;
  if (has('MUT_AUTH_CAP') && !has('KEY_EX_CAP') && !has('CHAL_CAP')) return false;
  if (version === 0x11 && has('MUT_AUTH_CAP') && !has('ENCAP_CAP')) return false;
  return version < 0x13 || newerFlagsLegal(flags, keyed, identity);
}

/** The rules 1.3 added. */
function newerFlagsLegal(flags: number, keyed: boolean, identity: boolean): boolean {
  const endpointInfo = capability(flags, 'EP_INFO_CAP');
  const multiKey = capability(flags, 'MULTI_KEY_CAP');
  if (endpointInfo === 3 || multiKey === 3) return false;
  if (!keyed && capability(flags, 'EVENT_CAP') === 1) return false;
  if (!identity && endpointInfo === 2) return false;
  return multiKey === 0 || capability(flags, 'CERT_CAP') === 1;
}

function sizesLegal(value: ValueOf<typeof vca.getCapabilities>): boolean {
  const { DataTransferSize, MaxSPDMmsgSize, Flags = 0 } = value;
  if (DataTransferSize === undefined || MaxSPDMmsgSize === undefined) return true;
  if (DataTransferSize < DATA_TRANSFER_SIZE_MIN || DataTransferSize > MaxSPDMmsgSize) return false;
  return capability(Flags, 'CHUNK_CAP') === 1 || DataTransferSize === MaxSPDMmsgSize;
}

export function answerCapabilities(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof vca.getCapabilities>,
): Answer {
  const { config } = state;
  const flags = value.Flags ?? 0;
  if (!config.versions.includes(turn.version)) return { error: ErrorCodes.VersionMismatch };
  if (!flagsLegal(turn.version, flags) || !sizesLegal(value)) return invalid;
  // Asking for the Supported Algorithms block takes CHUNK_CAP.
  const asksBlock = turn.version >= 0x13 && (value.Param1 & 1) === 1;
  if (asksBlock && capability(flags, 'CHUNK_CAP') === 0) return invalid;
  const reply = encode(
    vca.capabilities,
    {
      SPDMVersion: turn.version,
      RequestResponseCode: ResponseCodes.CAPABILITIES,
      Param1: 0,
      Param2: 0,
      CTExponent: config.ctExponent,
      ExtFlags: 0,
      Flags: config.flags,
      DataTransferSize: config.dataTransferSize,
      MaxSPDMmsgSize: config.maxSpdmMsgSize,
    },
    { version: turn.version },
  );
  state.version = turn.version;
  state.requesterFlags = flags;
  state.requesterDataTransferSize = value.DataTransferSize ?? Number.POSITIVE_INFINITY;
  state.transcript.a.add(turn.request, reply);
  return reply;
}

/** The most significant bit both masks have: the stronger algorithm in every table of 10.4. */
function strongest(offered: number, supported: number): number {
  const common = (offered & supported) >>> 0;
  return common === 0 ? 0 : 2 ** (31 - Math.clz32(common));
}

const FIXED_FIELD_BYTES = 0x20;
/** 1.4 adds ReqPqcAsym and KEM, of which nothing is selected here. */
const ALG_TYPE_MAX = 7;

/** Limits of 10.4: bytes of the whole request, and extended algorithms in it. */
function limitsKept(version: number, value: ValueOf<typeof vca.negotiateAlgorithms>): boolean {
  const inTables = value.AlgStruct.map((entry) => entry.AlgExternal.length);
  const extended = [value.ExtAsym.length, value.ExtHash.length, ...inTables];
  const total = extended.reduce((sum, count) => sum + count, 0);
  return version >= 0x11
    ? value.Length! <= 0x80 && total <= 0x14
    : value.Length! <= 0x40 && total <= 8;
}

export function answerAlgorithms(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof vca.negotiateAlgorithms>,
): Answer {
  const { algorithms: ours, flags } = state.config;
  if (value.Length !== turn.request.length || !limitsKept(turn.version, value)) return invalid;
  const types = value.AlgStruct.map((entry) => entry.AlgType);
  const last = turn.version >= 0x14 ? ALG_TYPE_MAX : AlgTypes.KeySchedule;
  if (types.some((type, i) => type < 2 || type > last || (i > 0 && type <= types[i - 1]!)))
    return invalid;
  if (value.AlgStruct.some((entry) => entry.AlgCount >> 4 !== 2)) return invalid;
  const supported: Record<number, number> = {
    [AlgTypes.DHE]: ours.dhe,
    [AlgTypes.AEAD]: ours.aead,
    [AlgTypes.ReqBaseAsym]: 0,
    [AlgTypes.KeySchedule]: 1,
  };
  const AlgStruct = value.AlgStruct.map(({ AlgType, AlgSupported }) => ({
    AlgType,
    AlgCount: FIXED_FIELD_BYTES,
    AlgSupported: strongest(AlgSupported, supported[AlgType] ?? 0),
    AlgExternal: [],
  }));
  const measures =
    capability(flags, 'MEAS_CAP') !== 0 && (value.MeasurementSpecification & 1) === 1;
  const selected = {
    SPDMVersion: turn.version,
    RequestResponseCode: ResponseCodes.ALGORITHMS,
    Param1: AlgStruct.length,
    Param2: 0,
    Length: 36 + 4 * AlgStruct.length,
    MeasurementSpecificationSel: measures ? 1 : 0,
    OtherParamsSelection: turn.version >= 0x12 ? value.OtherParamsSupport & 2 : 0,
    MeasurementHashAlgo: measures ? strongest(0xffffffff, ours.measurementHash) : 0,
    BaseAsymSel: strongest(value.BaseAsymAlgo, ours.baseAsym),
    BaseHashSel: strongest(value.BaseHashAlgo, ours.baseHash),
    PqcAsymSel: 0,
    MELspecificationSel: 0,
    ExtAsymSel: [],
    ExtHashSel: [],
    AlgStruct,
  };
  const keyed = capability((flags & state.requesterFlags) >>> 0, 'KEY_EX_CAP') === 1;
  const complete =
    tableBits(AlgStruct, AlgTypes.DHE) !== 0 && tableBits(AlgStruct, AlgTypes.AEAD) !== 0;
  // No common algorithm where the capabilities need one: refused here rather than failing later.
  if (selected.BaseHashSel === 0 || selected.BaseAsymSel === 0) return invalid;
  if (keyed && !(complete && tableBits(AlgStruct, AlgTypes.KeySchedule) === 1)) return invalid;
  const reply = encode(vca.algorithms, selected, { version: turn.version });
  const offered = {
    version: turn.version,
    requesterFlags: state.requesterFlags,
    responderFlags: flags,
  };
  const negotiated = negotiatedOf(offered, selected);
  if (isPeerFault(negotiated)) throw new LocalError(`algorithms: ${negotiated.detail}`);
  turn.afterSeal = () => {
    state.negotiated = negotiated;
    state.transcript.a.add(turn.request, reply);
  };
  return reply;
}
