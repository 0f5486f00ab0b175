/** What the Flags and sizes of GET_CAPABILITIES must keep to (DSP0274 10.3), as a table of rules. */

import type { ValueOf } from '../../codec/field.ts';
import { DATA_TRANSFER_SIZE_MIN } from '../chunk-limits.ts';
import { type CapabilityName, capability, SpdmVersions } from '../codes.ts';
import type { getCapabilities } from '../messages/vca.ts';

const SIGNED = 2;

/** Value of a capability field. */
type Cap = (name: CapabilityName) => number;
const keyed = (cap: Cap) => cap('KEY_EX_CAP') !== 0 || cap('PSK_CAP') !== 0;
const identified = (cap: Cap) => cap('CERT_CAP') !== 0 || cap('PUB_KEY_ID_CAP') !== 0;
const protects = (cap: Cap) => cap('MAC_CAP') !== 0 || cap('ENCRYPT_CAP') !== 0;
const none = (cap: Cap, ...names: CapabilityName[]) => names.every((name) => cap(name) === 0);

export interface FlagRule {
  readonly what: string;
  readonly since: number;
  /** the only version that has it; absent: every one from `since` on */
  readonly until?: number;
  readonly holds: (cap: Cap) => boolean;
}
const { V1_1, V1_3 } = SpdmVersions;

export const requesterFlagRules: readonly FlagRule[] = [
  { what: 'PSK_CAP is 0 or 1', since: V1_1, holds: (c) => c('PSK_CAP') <= 1 },
  {
    what: 'sessions take MAC or ENCRYPT',
    since: V1_1,
    holds: (c) => !keyed(c) || protects(c),
  },
  {
    what: 'without sessions there is nothing to protect',
    since: V1_1,
    holds: (c) =>
      keyed(c) ||
      none(c, 'MAC_CAP', 'ENCRYPT_CAP', 'HANDSHAKE_IN_THE_CLEAR_CAP', 'HBEAT_CAP', 'KEY_UPD_CAP'),
  },
  {
    what: 'a PSK handshake is never in the clear',
    since: V1_1,
    holds: (c) => c('KEY_EX_CAP') !== 0 || none(c, 'HANDSHAKE_IN_THE_CLEAR_CAP'),
  },
  {
    what: 'CERT and PUB_KEY_ID exclude each other',
    since: V1_1,
    holds: (c) => none(c, 'CERT_CAP') || none(c, 'PUB_KEY_ID_CAP'),
  },
  {
    what: 'an identity is there to be proven',
    since: V1_1,
    until: V1_3 - 1,
    holds: (c) => !identified(c) || !none(c, 'CHAL_CAP', 'KEY_EX_CAP'),
  },
  {
    what: 'an identity is there to be proven',
    since: V1_3,
    holds: (c) =>
      !identified(c) || !none(c, 'CHAL_CAP', 'KEY_EX_CAP') || c('EP_INFO_CAP') === SIGNED,
  },
  {
    what: 'proof takes an identity',
    since: V1_1,
    holds: (c) => identified(c) || none(c, 'CHAL_CAP', 'MUT_AUTH_CAP'),
  },
  {
    what: 'mutual authentication takes KEY_EX or CHAL',
    since: V1_1,
    holds: (c) => none(c, 'MUT_AUTH_CAP') || !none(c, 'KEY_EX_CAP', 'CHAL_CAP'),
  },
  {
    what: 'mutual authentication takes ENCAP in 1.1',
    since: V1_1,
    until: V1_1,
    holds: (c) => none(c, 'MUT_AUTH_CAP') || c('ENCAP_CAP') === 1,
  },
  { what: 'EP_INFO_CAP 11b is reserved', since: V1_3, holds: (c) => c('EP_INFO_CAP') < 3 },
  { what: 'MULTI_KEY_CAP 11b is reserved', since: V1_3, holds: (c) => c('MULTI_KEY_CAP') < 3 },
  {
    what: 'events take a session',
    since: V1_3,
    holds: (c) => keyed(c) || none(c, 'EVENT_CAP'),
  },
  {
    what: 'signed endpoint info takes an identity',
    since: V1_3,
    holds: (c) => identified(c) || c('EP_INFO_CAP') !== SIGNED,
  },
  {
    what: 'several keys take certificates',
    since: V1_3,
    holds: (c) => none(c, 'MULTI_KEY_CAP') || (c('CERT_CAP') === 1 && none(c, 'PUB_KEY_ID_CAP')),
  },
];

/** True if a request's Flags break no rule of `version`. */
export function flagsLegal(version: number, flags: number): boolean {
  const cap: Cap = (name) => capability(flags, name);
  return requesterFlagRules.every(
    ({ since, until = version, holds }) => version < since || version > until || holds(cap),
  );
}

export function sizesLegal(value: ValueOf<typeof getCapabilities>): boolean {
  const { DataTransferSize, MaxSPDMmsgSize, Flags = 0 } = value;
  if (DataTransferSize === undefined || MaxSPDMmsgSize === undefined) return true;
  if (DataTransferSize < DATA_TRANSFER_SIZE_MIN || DataTransferSize > MaxSPDMmsgSize) return false;
  return capability(Flags, 'CHUNK_CAP') === 1 || DataTransferSize === MaxSPDMmsgSize;
}
