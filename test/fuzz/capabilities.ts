/** What both sides can do in one epoch: everything its version has, but for what the draw leaves out. */

import { fromHex } from '../../protocols/codec/bytes.ts';
import { dmtfEvents } from '../../protocols/spdm/events.ts';
import { extendedMeasurement } from '../../protocols/spdm/extension-log.ts';
import { fixedIdentity } from '../../protocols/spdm/identity.ts';
import type { MutualAuthentication } from '../../protocols/spdm/responder/mutual.ts';
import type { UnnegotiatedPolicy } from '../../protocols/spdm/responder/state.ts';
import { doeBinding, mctpBinding } from '../../protocols/spdm/secured-message.ts';
import { own, trust } from '../protocols/spdm/mutual-pair.ts';
import { measured, suites } from '../protocols/spdm/pair.ts';
import { type ProvisionedOptions, storeWith } from '../protocols/spdm/provisioned.ts';
import type { Draw } from './mutate.ts';

export const PSK = fromHex('000102030405060708090a0b0c0d0e0f');
const algorithms = { ...suites.P256.algorithms, reqAsym: 0x10, melSpecification: 1 };
const deviceClasses = [{ ID: 3, VendorID: fromHex('de10'), SubordinateID: [] }];
const eventGroups = [dmtfEvents(1, 2, 3, 4)];
const entries = [{ melIndex: 1, valueType: 0x89, value: Uint8Array.of(1, 2) }];
const withLog = [...measured, extendedMeasurement(9, entries, true)];

const mutualForms: readonly MutualAuthentication[] = [
  {},
  { basic: true },
  { session: 'requested' },
  { session: 'encapsulated', basic: true },
  { session: 'digests' },
  { session: 'encapsulated', mandatory: true },
];
const policies: readonly UnnegotiatedPolicy[] = ['UnexpectedRequest', 'RequestResynch', 'silence'];
/** Records under one key where sessions agree on a limit: some epochs run into it. */
const LIMIT_EXPONENT = 8;
const CHUNK_SIZES = [42, 64, 600, 600, 600, 1500, 1500, 1500] as const;

/** Both sides with all they can do at `version`; what an epoch has is drawn. */
export function fullOptions(version: number, seed: number, draw: Draw): ProvisionedOptions {
  const since = (first: number, value: number) => (version >= first ? value : 0);
  const some = (first: number) => since(first, draw.below(2));
  const chunks = version >= 0x12 && draw.oneIn(3);
  const size = chunks
    ? { dataTransferSize: draw.pick(CHUNK_SIZES), maxSpdmMsgSize: 0x8000 }
    : { dataTransferSize: 4096, maxSpdmMsgSize: 4096 };
  const limited = draw.oneIn(4);
  const records = limited
    ? { securedVersions: [0x1100, 0x1300], aeadLimitExponent: LIMIT_EXPONENT }
    : {};
  const binding = draw.oneIn(3) ? mctpBinding : doeBinding;
  const mutual = draw.pick(mutualForms);
  const late = draw.oneIn(3);
  const both = { ...size, ...records, binding, algorithms, deviceClasses, eventGroups };
  const psk = () => PSK;
  const identity = fixedIdentity(new Map([[0, own]]));
  return {
    version,
    seed,
    flags: {
      KEY_UPD_CAP: 1,
      MUT_AUTH_CAP: since(0x11, 1),
      ENCAP_CAP: since(0x11, 1),
      CHUNK_CAP: chunks ? 1 : 0,
      ENCRYPT_CAP: draw.oneIn(4) ? 0 : 1,
      HANDSHAKE_IN_THE_CLEAR_CAP: draw.below(2),
      EVENT_CAP: since(0x13, 1),
      LARGE_RESP_CAP: some(0x14),
    },
    requesterFlags: { PSK_CAP: 1, EP_INFO_CAP: since(0x13, 2) },
    responderFlags: {
      CACHE_CAP: draw.below(2),
      PSK_CAP: 1 + draw.below(2),
      CSR_CAP: since(0x12, 1),
      SET_CERT_CAP: since(0x12, 1),
      CERT_INSTALL_RESET_CAP: draw.oneIn(4) ? since(0x12, 1) : 0,
      MEL_CAP: since(0x13, 1),
      EP_INFO_CAP: since(0x13, 2),
      MULTI_KEY_CAP: some(0x13),
      GET_KEY_PAIR_INFO_CAP: since(0x13, 1),
      SET_KEY_PAIR_INFO_CAP: since(0x13, 1),
    },
    requester: { ...both, psk, identity, autoKeyUpdate: limited, onEvent: () => {} },
    responder: {
      ...both,
      psk,
      sessionsMax: 4,
      trust,
      mutualAuthentication: mutual,
      acceptsEvents: true,
      unnegotiated: draw.pick(policies),
      measure: () => (version >= 0x13 ? withLog : measured),
      readiness: () => (late && draw.oneIn(4) ? { rdtExponent: 1, rdtm: 4 } : undefined),
    },
    provisioning: { store: storeWith(), trustedEnvironment: () => true },
  };
}
