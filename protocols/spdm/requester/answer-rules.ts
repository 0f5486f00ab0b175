/** What a requester holds CAPABILITIES and ALGORITHMS to (DSP0274 10.3, 10.4). */

import { type PeerFault, peerFault } from '../../codec/refusal.ts';
import { AlgTypes, measurementHashBits, type Negotiated, nameOfBit } from '../algorithms.ts';
import { DATA_TRANSFER_SIZE_MIN } from '../chunk-limits.ts';
import { type CapabilityName, capability, SpdmVersions } from '../codes.ts';
import type { MessageValue } from '../messages/registry.ts';
import {
  type AlgorithmsValue,
  bothHave,
  MULTI_KEY_CONN,
  type NegotiateValue,
  tableBits,
} from '../negotiate.ts';
import type { RequesterState } from './state.ts';

const OPAQUE_FORMATS = 3;
/** 2^31 us are more than half an hour; a peer's exponent is not to make a deadline that no clock can hold. */
const CT_EXPONENT_MAX = 31;

type Cap = (name: CapabilityName) => number;
/** Rules on a responder's Flags, by the first version that has them. */
const flagRules: readonly {
  readonly code: string;
  readonly what: string;
  readonly since: number;
  readonly holds: (cap: Cap) => boolean;
}[] = [
  {
    code: 'MEAS_CAP',
    what: 'MEAS_CAP 11b is reserved',
    since: SpdmVersions.V1_0,
    holds: (cap) => cap('MEAS_CAP') < 3,
  },
  {
    code: 'FLAGS',
    what: 'sessions take key exchange and MAC or ENCRYPT',
    since: SpdmVersions.V1_1,
    holds: (cap) =>
      cap('KEY_EX_CAP') + cap('PSK_CAP') > 0 === cap('MAC_CAP') + cap('ENCRYPT_CAP') > 0,
  },
  {
    code: 'PSK_CAP',
    what: 'PSK_CAP 11b is reserved',
    since: SpdmVersions.V1_1,
    holds: (cap) => cap('PSK_CAP') < 3,
  },
  {
    code: 'PUB_KEY_ID_CAP',
    what: 'CERT and PUB_KEY_ID exclude each other',
    since: SpdmVersions.V1_1,
    holds: (cap) => cap('CERT_CAP') + cap('PUB_KEY_ID_CAP') < 2,
  },
  {
    code: 'EP_INFO_CAP',
    what: 'EP_INFO_CAP 11b is reserved',
    since: SpdmVersions.V1_3,
    holds: (cap) => cap('EP_INFO_CAP') < 3,
  },
  {
    code: 'MULTI_KEY_CAP',
    what: 'MULTI_KEY_CAP 11b is reserved',
    since: SpdmVersions.V1_3,
    holds: (cap) => cap('MULTI_KEY_CAP') < 3,
  },
];

/** What is wrong with a responder's CAPABILITIES; undefined: nothing. */
export function capabilitiesFault(
  version: number,
  value: MessageValue<0x61>,
): PeerFault | undefined {
  const { CTExponent, Flags, DataTransferSize: size, MaxSPDMmsgSize: max } = value;
  const cap: Cap = (name) => capability(Flags, name);
  if (CTExponent > CT_EXPONENT_MAX)
    return peerFault('CAPABILITIES_CT_EXPONENT', `2^${CTExponent} us for one answer`);
  if (size !== undefined && size < DATA_TRANSFER_SIZE_MIN)
    return peerFault('CAPABILITIES_DATA_TRANSFER_SIZE', `${size} is below 42`);
  const chunks = cap('CHUNK_CAP') === 1;
  if (size !== undefined && max !== undefined && (size > max || (!chunks && size < max)))
    return peerFault('CAPABILITIES_MESSAGE_SIZE', `${size} and ${max} do not go together`);
  const broken = flagRules.find(({ since, holds }) => version >= since && !holds(cap));
  return broken && peerFault(`CAPABILITIES_${broken.code}`, broken.what);
}

type Asked = Omit<NegotiateValue, 'SPDMVersion' | 'RequestResponseCode'>;

/** Whether ALGORITHMS stays within the question, field by field and table by table. */
export function selectionFault(
  { version, config }: RequesterState,
  asked: Asked,
  selected: AlgorithmsValue,
  size: number,
): PeerFault | undefined {
  const types = selected.AlgStruct.map((entry) => entry.AlgType);
  if (new Set(types).size < types.length)
    return peerFault('ALGORITHMS_TABLES', 'an algorithm type is answered twice');
  const multiKey = capability(config.flags, 'MULTI_KEY_CAP') === 0 ? 0 : MULTI_KEY_CONN;
  const others = (asked.OtherParamsSupport & OPAQUE_FORMATS) | multiKey;
  const outside =
    selected.BaseAsymSel & ~asked.BaseAsymAlgo ||
    selected.BaseHashSel & ~asked.BaseHashAlgo ||
    selected.MeasurementSpecificationSel & ~asked.MeasurementSpecification ||
    (version >= SpdmVersions.V1_2 && selected.OtherParamsSelection & ~others) ||
    (version >= SpdmVersions.V1_3 && selected.MELspecificationSel & ~asked.MELspecification) ||
    (version >= SpdmVersions.V1_4 && selected.PqcAsymSel & ~asked.PqcAsymAlgo) ||
    selected.ExtAsymSel.length ||
    selected.ExtHashSel.length ||
    selected.AlgStruct.some(
      (entry) =>
        entry.AlgSupported & ~tableBits(asked.AlgStruct, entry.AlgType) || entry.AlgExternal.length,
    );
  if (outside) return peerFault('ALGORITHMS_NOT_OFFERED', 'a selection was never offered');
  return selected.Length === size
    ? undefined
    : peerFault('ALGORITHMS_LENGTH', `Length ${selected.Length} of ${size}`);
}

/** What the capabilities of both sides need, and ALGORITHMS must therefore have selected. */
export function missingFault(
  negotiated: Negotiated,
  selected: AlgorithmsValue,
): PeerFault | undefined {
  const missing = (what: string) => peerFault(`ALGORITHMS_${what}`, 'nothing was selected');
  const { responderFlags, measurementSpecification, version } = negotiated;
  const its = (name: CapabilityName) => capability(responderFlags, name);
  const signs = its('CERT_CAP') + its('PUB_KEY_ID_CAP') + its('CHAL_CAP') + its('KEY_EX_CAP') > 0;
  if (signs && negotiated.asym === undefined) return missing('BASE_ASYM');
  const measures = its('MEAS_CAP') !== 0 && measurementSpecification !== 0;
  if (measures && nameOfBit(measurementHashBits, selected.MeasurementHashAlgo) === undefined)
    return missing('MEASUREMENT_HASH');
  if (version < SpdmVersions.V1_1) return undefined;
  const exchanges = bothHave(negotiated, 'KEY_EX_CAP');
  if (exchanges && negotiated.exchange === undefined) return missing('DHE');
  if (!exchanges && !bothHave(negotiated, 'PSK_CAP')) return undefined;
  if (negotiated.aead === undefined) return missing('AEAD');
  const keySchedule = tableBits(selected.AlgStruct, AlgTypes.KeySchedule);
  return keySchedule === 0 ? missing('KEY_SCHEDULE') : undefined;
}
