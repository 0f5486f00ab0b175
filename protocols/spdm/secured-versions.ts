/** Agreement on the secured message version and the AEAD limit in opaque data (DSP0277 5, 6.1). */

import { type PeerFault, peerFault, refusalText } from '../codec/refusal.ts';
import type { Negotiated } from './algorithms.ts';
import { SpdmVersions } from './codes.ts';
import {
  AEAD_LIMIT_EXPONENT_MAX,
  type OpaqueFormat,
  readSupportedVersions,
  readVersionSelection,
  SECURED_MESSAGE_1_1,
  SECURED_MESSAGE_1_3,
  supportedVersionsOpaque,
  versionSelectionOpaque,
} from './opaque.ts';
import type { SpdmParty } from './party.ts';

export interface SecuredAgreement {
  /** in the form of a VERSION entry */
  readonly version: number;
  /** the lower of both sides' limits: sequence numbers stay below 2^this */
  readonly aeadLimitExponent: number;
}

/** Up to 1.1 there is one opaque format; from 1.2 on it is negotiated. */
export const opaqueFormat = (negotiated: Negotiated): OpaqueFormat =>
  negotiated.opaqueFormat1 ? 1 : 0;

/** From 1.2 on a key exchange takes OpaqueDataFmt1: DSP0277 knows no other there. */
export const opaqueUsable = (negotiated: Negotiated): boolean =>
  negotiated.version < SpdmVersions.V1_2 || negotiated.opaqueFormat1;

const versionsOf = (party: SpdmParty): readonly number[] =>
  party.securedVersions ?? [SECURED_MESSAGE_1_1];
const limitOf = (party: SpdmParty): number => party.aeadLimitExponent ?? AEAD_LIMIT_EXPONENT_MAX;

function agreement(party: SpdmParty, version: number, theirs: number | undefined) {
  const limited = version >= SECURED_MESSAGE_1_3;
  const exponent = Math.min(limitOf(party), theirs ?? AEAD_LIMIT_EXPONENT_MAX);
  return { version, aeadLimitExponent: limited ? exponent : AEAD_LIMIT_EXPONENT_MAX };
}

/** OpaqueData of KEY_EXCHANGE and PSK_EXCHANGE. */
export function offerSecured(party: SpdmParty, negotiated: Negotiated): Uint8Array {
  const versions = versionsOf(party);
  const limited = versions.some((version) => version >= SECURED_MESSAGE_1_3);
  return supportedVersionsOpaque(versions, {
    format: opaqueFormat(negotiated),
    aeadLimitExponent: limited ? limitOf(party) : undefined,
  });
}

/** A responder's choice and its OpaqueData; a fault if the offer cannot be read or has nothing in common. */
export function selectSecured(
  party: SpdmParty,
  negotiated: Negotiated,
  offer: Uint8Array,
): (SecuredAgreement & { readonly opaque: Uint8Array }) | PeerFault {
  const format = opaqueFormat(negotiated);
  const offered = readSupportedVersions(offer, format);
  if (!offered.ok) return peerFault('KEY_EXCHANGE_OPAQUE', refusalText(offered));
  const { versions, aeadLimitExponent: theirs } = offered.value;
  const version = versionsOf(party).findLast((candidate) => versions.includes(candidate));
  if (version === undefined)
    return peerFault('KEY_EXCHANGE_SECURED_VERSION', 'no secured message version in common');
  const own = version >= SECURED_MESSAGE_1_3 ? limitOf(party) : undefined;
  const opaque = versionSelectionOpaque(version, { format, aeadLimitExponent: own });
  return { ...agreement(party, version, theirs), opaque };
}

/** What the responder's OpaqueData agreed to; a fault if it selects nothing that was offered. */
export function readSecured(
  party: SpdmParty,
  negotiated: Negotiated,
  answer: Uint8Array,
  exchange: 'KEY_EXCHANGE' | 'PSK_EXCHANGE' = 'KEY_EXCHANGE',
): SecuredAgreement | PeerFault {
  const selected = readVersionSelection(answer, opaqueFormat(negotiated));
  if (!selected.ok) return peerFault(`${exchange}_OPAQUE`, refusalText(selected));
  const { version, aeadLimitExponent } = selected.value;
  if (version === undefined || !versionsOf(party).includes(version))
    return peerFault(`${exchange}_SECURED_VERSION`, 'no secured message version was agreed on');
  return agreement(party, version, aeadLimitExponent);
}
