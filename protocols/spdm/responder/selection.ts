/**
 * What a responder selects of a NEGOTIATE_ALGORITHMS (DSP0274 10.4): of each kind the preferred one both
 * support, of two families the one its policy prefers, and nothing a later version added.
 */

import type { ValueOf } from '../../codec/field.ts';
import { AlgTypes, baseAsymIn } from '../algorithms.ts';
import { capability, flagsIn, SpdmVersions } from '../codes.ts';
import type * as vca from '../messages/vca.ts';
import { bothHave, computesWith, MULTI_KEY_CONN, type Offered, tableBits } from '../negotiate.ts';
import type { SpdmParty } from '../party.ts';
import { highestBit, type PreferenceKind, preferred } from '../preference.ts';

type Negotiate = ValueOf<typeof vca.negotiateAlgorithms>;
type Algorithms = ValueOf<typeof vca.algorithms>;
type Tables = Algorithms['AlgStruct'];

const { V1_1, V1_2, V1_3, V1_4 } = SpdmVersions;
/** What a selection follows from. */
export type Selecting = Pick<SpdmParty, 'algorithms' | 'flags'>;

const FIXED_FIELD_BYTES = 0x20;
const OPAQUE_FORMATS = 3;

/** The one of a kind that both have and is preferred; 0: there is none. */
const agreed = (kind: PreferenceKind, offered: number, supported: number): number =>
  preferred(kind, (offered & supported) >>> 0);

const kindOf: Readonly<Record<number, PreferenceKind>> = {
  [AlgTypes.DHE]: 'dhe',
  [AlgTypes.AEAD]: 'aead',
  [AlgTypes.ReqBaseAsym]: 'asym',
  [AlgTypes.ReqPqcAsym]: 'pqcAsym',
  [AlgTypes.KEM]: 'kem',
};

/** What is supported per AlgType, at `version`. */
function supportedTables(config: Selecting, version: number): Readonly<Record<number, number>> {
  const { dhe, aead, reqAsym = 0, reqPqcAsym = 0, kem = 0 } = config.algorithms;
  const classic = {
    [AlgTypes.DHE]: dhe,
    [AlgTypes.AEAD]: aead,
    [AlgTypes.ReqBaseAsym]: baseAsymIn(version, reqAsym),
    [AlgTypes.KeySchedule]: 1,
  };
  if (version < V1_4) return classic;
  return { ...classic, [AlgTypes.ReqPqcAsym]: reqPqcAsym, [AlgTypes.KEM]: kem };
}

const tableOf = (AlgType: number, AlgSupported: number) => ({
  AlgType,
  AlgCount: FIXED_FIELD_BYTES,
  AlgSupported,
  AlgExternal: [],
});

/** Supported Algorithms block of CAPABILITIES: everything, as a requester would offer it (1.3). */
export function supportedBlock(config: Selecting, version: number) {
  const { algorithms } = config;
  const AlgStruct = Object.entries(supportedTables(config, version))
    .filter(([, bits]) => bits !== 0)
    .map(([type, bits]) => tableOf(Number(type), bits));
  const multiKey = capability(config.flags, 'MULTI_KEY_CAP') === 0 ? 0 : MULTI_KEY_CONN;
  return {
    Param1: AlgStruct.length,
    Param2: 0,
    Length: 32 + 4 * AlgStruct.length,
    MeasurementSpecification: capability(config.flags, 'MEAS_CAP') === 0 ? 0 : 1,
    OtherParamsSupport: (algorithms.opaqueFormats ?? OPAQUE_FORMATS) | multiKey,
    BaseAsymAlgo: algorithms.baseAsym,
    BaseHashAlgo: algorithms.baseHash,
    PqcAsymAlgo: version >= V1_4 ? (algorithms.pqcAsym ?? 0) : 0,
    MELspecification: algorithms.melSpecification ?? 0,
    ExtAsym: [],
    ExtHash: [],
    AlgStruct,
  };
}

/** Where both families of a kind fit, the one not preferred is given up. */
function oneFamily(
  config: Selecting,
  classic: number,
  pqc: number,
): { classic: number; pqc: number } {
  if (classic === 0 || pqc === 0) return { classic, pqc };
  return config.algorithms.pqcFirst === true ? { classic: 0, pqc } : { classic, pqc: 0 };
}

/** What is supported and needed: an algorithm no capability of this responder calls for is none (10.4). */
function neededTables(config: Selecting, version: number): Readonly<Record<number, number>> {
  const flags = flagsIn(version, config.flags);
  const exchanges = capability(flags, 'KEY_EX_CAP') !== 0;
  const sessions = exchanges || capability(flags, 'PSK_CAP') !== 0;
  const mutual = capability(flags, 'MUT_AUTH_CAP') !== 0;
  const needed: Readonly<Record<number, boolean>> = {
    [AlgTypes.DHE]: exchanges,
    [AlgTypes.KEM]: exchanges,
    [AlgTypes.AEAD]: sessions,
    [AlgTypes.KeySchedule]: sessions,
    [AlgTypes.ReqBaseAsym]: mutual,
    [AlgTypes.ReqPqcAsym]: mutual,
  };
  const supported = Object.entries(supportedTables(config, version));
  return Object.fromEntries(supported.filter(([type]) => needed[Number(type)]));
}

/** The request's tables with a selection in each; what loses or is unknown is answered 0. */
function chooseTables(config: Selecting, version: number, value: Negotiate): Tables {
  const supported = neededTables(config, version);
  const pick = (type: number) => {
    const offered = tableBits(value.AlgStruct, type);
    const known = supported[type] ?? 0;
    const kind = kindOf[type];
    // There is one key schedule.
    return kind === undefined ? offered & known : agreed(kind, offered, known);
  };
  const chosen = new Map<number, number>();
  const pairs = [
    [AlgTypes.DHE, AlgTypes.KEM],
    [AlgTypes.ReqBaseAsym, AlgTypes.ReqPqcAsym],
  ] as const;
  for (const [classicType, pqcType] of pairs) {
    const picked = oneFamily(config, pick(classicType), pick(pqcType));
    chosen.set(classicType, picked.classic).set(pqcType, picked.pqc);
  }
  return value.AlgStruct.map(({ AlgType }) =>
    tableOf(AlgType, chosen.get(AlgType) ?? pick(AlgType)),
  );
}

/** The opaque data format and, from 1.3 on, whether the requester's slots have keys of their own. */
function otherParams(
  config: Selecting,
  version: number,
  requesterFlags: number,
  asked: number,
): number {
  if (version < V1_2) return 0;
  const formats = asked & (config.algorithms.opaqueFormats ?? OPAQUE_FORMATS) & OPAQUE_FORMATS;
  const format = highestBit(formats);
  const cap = capability(requesterFlags, 'MULTI_KEY_CAP');
  // One that has nothing else is taken at its word.
  const multiKey = cap === 1 || (cap === 2 && config.algorithms.multiKey !== false);
  if (version < V1_3) return format;
  return multiKey ? format | MULTI_KEY_CONN : format;
}

/** Everything after the header of ALGORITHMS. */
export function choose(config: Selecting, requesterFlags: number, value: Negotiate) {
  const version = value.SPDMVersion;
  const { algorithms: ours } = config;
  const flags = flagsIn(version, config.flags);
  const { signs, hashes } = computesWith(flags);
  const AlgStruct = chooseTables(config, version, value);
  const measures =
    capability(flags, 'MEAS_CAP') !== 0 && (value.MeasurementSpecification & 1) === 1;
  const pqcSupported = version >= V1_4 ? (ours.pqcAsym ?? 0) : 0;
  const asym = oneFamily(
    config,
    agreed('asym', value.BaseAsymAlgo, baseAsymIn(version, ours.baseAsym)),
    agreed('pqcAsym', value.PqcAsymAlgo, pqcSupported),
  );
  const mel = capability(flags, 'MEL_CAP') === 0 ? 0 : (ours.melSpecification ?? 0);
  return {
    Length: 36 + 4 * AlgStruct.length,
    MeasurementSpecificationSel: measures ? 1 : 0,
    OtherParamsSelection: otherParams(config, version, requesterFlags, value.OtherParamsSupport),
    MeasurementHashAlgo: measures ? highestBit(ours.measurementHash) : 0,
    BaseAsymSel: signs ? asym.classic : 0,
    BaseHashSel: hashes ? agreed('hash', value.BaseHashAlgo, ours.baseHash) : 0,
    PqcAsymSel: signs ? asym.pqc : 0,
    MELspecificationSel: version >= V1_3 ? highestBit(value.MELspecification & mel) : 0,
    ExtAsymSel: [],
    ExtHashSel: [],
    AlgStruct,
  };
}

/** Whether `selected` has all that the capabilities of both sides need. */
export function complete(
  offered: Offered,
  selected: Pick<Algorithms, 'BaseAsymSel' | 'PqcAsymSel' | 'BaseHashSel' | 'AlgStruct'>,
): boolean {
  const { version, responderFlags } = offered;
  const has = (...types: number[]) =>
    types.some((type) => tableBits(selected.AlgStruct, type) !== 0);
  const { signs, hashes } = computesWith(responderFlags);
  if (hashes && selected.BaseHashSel === 0) return false;
  if (signs && (selected.BaseAsymSel | selected.PqcAsymSel) === 0) return false;
  if (version < V1_1) return true;
  const exchanges = bothHave(offered, 'KEY_EX_CAP');
  if (exchanges && !has(AlgTypes.DHE, AlgTypes.KEM)) return false;
  const mutual = exchanges && bothHave(offered, 'MUT_AUTH_CAP');
  if (mutual && !has(AlgTypes.ReqBaseAsym, AlgTypes.ReqPqcAsym)) return false;
  const sessions = exchanges || bothHave(offered, 'PSK_CAP');
  return !sessions || (has(AlgTypes.AEAD) && has(AlgTypes.KeySchedule));
}
