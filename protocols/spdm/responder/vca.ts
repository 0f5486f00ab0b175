/** Responder side of GET_VERSION, GET_CAPABILITIES and NEGOTIATE_ALGORITHMS (DSP0274 10.2-10.4). */

import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import { isPeerFault, LocalError } from '../../codec/refusal.ts';
import { AlgTypes } from '../algorithms.ts';
import {
  capability,
  ErrorCodes,
  flagsIn,
  RequestCodes,
  ResponseCodes,
  SpdmVersions,
} from '../codes.ts';
import * as vca from '../messages/vca.ts';
import { bothHave, MULTI_KEY_CONN, negotiatedOf, tableBits } from '../negotiate.ts';
import { flagsLegal, sizesLegal } from './capability-rules.ts';
import { choose, complete, supportedBlock } from './selection.ts';
import {
  type Answer,
  answerHeader,
  type Handlers,
  invalid,
  type ResponderState,
  type Turn,
} from './state.ts';

function answerVersion(state: ResponderState, turn: Turn): Answer {
  state.reset(turn.effects, 'GET_VERSION');
  const reply = encode(vca.version, {
    SPDMVersion: 0x10,
    RequestResponseCode: ResponseCodes.VERSION,
    Param1: 0,
    Param2: 0,
    VersionNumberEntry: state.config.versions.map((version) => version << 8),
  });
  turn.commits.push(() => {
    state.transcript.a.add(turn.request, reply);
    const { beforehand } = state.config;
    if (beforehand === undefined) return;
    state.version = beforehand.negotiated.version;
    state.requesterFlags = beforehand.requesterFlags;
    state.negotiated = beforehand.negotiated;
    state.transcript.negotiated();
  });
  return reply;
}

const INCLUDE_ALGORITHMS = 1;

function answerCapabilities(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof vca.getCapabilities>,
): Answer {
  const { config } = state;
  const { version } = turn;
  const flags = value.Flags ?? 0;
  if (!config.versions.includes(version)) return { error: ErrorCodes.VersionMismatch };
  if (!flagsLegal(version, flags) || !sizesLegal(value)) return invalid;
  const asksBlock = version >= SpdmVersions.V1_3 && (value.Param1 & INCLUDE_ALGORITHMS) !== 0;
  // Asking for the Supported Algorithms block takes CHUNK_CAP.
  if (asksBlock && capability(flags, 'CHUNK_CAP') === 0) return invalid;
  const sides = { requesterFlags: flags, responderFlags: config.flags };
  const block =
    asksBlock && bothHave(sides, 'CHUNK_CAP')
      ? { SupportedAlgorithms: supportedBlock(config, version) }
      : {};
  const Param1 = 'SupportedAlgorithms' in block ? INCLUDE_ALGORITHMS : 0;
  const reply = encode(
    vca.capabilities,
    {
      ...answerHeader(turn, ResponseCodes.CAPABILITIES, Param1),
      CTExponent: config.ctExponent,
      ExtFlags: version >= SpdmVersions.V1_4 ? (config.extFlags ?? 0) : 0,
      Flags: flagsIn(version, config.flags),
      DataTransferSize: config.dataTransferSize,
      MaxSPDMmsgSize: config.maxSpdmMsgSize,
      ...block,
    },
    { version },
  );
  turn.commits.push(() => {
    state.version = version;
    state.requesterFlags = flagsIn(version, flags);
    state.requesterDataTransferSize = value.DataTransferSize ?? Number.POSITIVE_INFINITY;
    state.requesterMaxSpdmMsgSize = value.MaxSPDMmsgSize ?? Number.POSITIVE_INFINITY;
    state.transcript.a.add(turn.request, reply);
  });
  return reply;
}

type Negotiate = ValueOf<typeof vca.negotiateAlgorithms>;

/** Limits of 10.4: bytes of the whole request, and extended algorithms in it. */
function limitsKept(version: number, value: Negotiate): boolean {
  const inTables = value.AlgStruct.map((entry) => entry.AlgExternal.length);
  const extended = [value.ExtAsym.length, value.ExtHash.length, ...inTables];
  const total = extended.reduce((sum, count) => sum + count, 0);
  return version >= SpdmVersions.V1_1
    ? value.Length! <= 0x80 && total <= 0x14
    : value.Length! <= 0x40 && total <= 8;
}

/** Tables stand in increasing order of type, of known types, each with its two bytes. */
function tablesLegal(version: number, value: Negotiate): boolean {
  const last = version >= SpdmVersions.V1_4 ? AlgTypes.KEM : AlgTypes.KeySchedule;
  return value.AlgStruct.every(
    ({ AlgType, AlgCount }, i) =>
      AlgType >= AlgTypes.DHE &&
      AlgType <= last &&
      AlgCount >> 4 === 2 &&
      (i === 0 || AlgType > value.AlgStruct[i - 1]!.AlgType),
  );
}

function answerAlgorithms(state: ResponderState, turn: Turn, value: Negotiate): Answer {
  const { config, requesterFlags } = state;
  const { version } = turn;
  if (value.Length !== turn.request.length || !limitsKept(version, value)) return invalid;
  if (!tablesLegal(version, value)) return invalid;
  const offered = {
    version,
    requesterFlags,
    responderFlags: flagsIn(version, config.flags),
    otherParams: value.OtherParamsSupport,
  };
  const selected = {
    ...answerHeader(turn, ResponseCodes.ALGORITHMS, value.AlgStruct.length),
    ...choose(config, requesterFlags, value),
  };
  // No common algorithm where the capabilities need one: refused here rather than failing later.
  if (!complete(offered, selected)) return invalid;
  const multiKeyOnly = capability(config.flags, 'MULTI_KEY_CAP') === 1;
  const multiKeyAsked = (value.OtherParamsSupport & MULTI_KEY_CONN) !== 0;
  if (version >= SpdmVersions.V1_3 && multiKeyOnly && !multiKeyAsked) return invalid;
  const reply = encode(vca.algorithms, selected, { version });
  const negotiated = negotiatedOf(offered, selected);
  if (isPeerFault(negotiated)) throw new LocalError(`algorithms: ${negotiated.detail}`);
  if (tableBits(selected.AlgStruct, AlgTypes.KeySchedule) > 1)
    throw new LocalError('algorithms: the SPDM key schedule is the only one');
  turn.commits.push(() => {
    state.negotiated = negotiated;
    state.transcript.a.add(turn.request, reply);
    state.transcript.negotiated();
  });
  return reply;
}

export const vcaHandlers: Handlers = {
  [RequestCodes.GET_VERSION]: answerVersion,
  [RequestCodes.GET_CAPABILITIES]: answerCapabilities,
  [RequestCodes.NEGOTIATE_ALGORITHMS]: answerAlgorithms,
};
