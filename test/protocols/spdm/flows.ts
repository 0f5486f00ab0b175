/** Conversations about what came after the basics, step by step: for tests that change one message of them. */

import { fromHex } from '../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../protocols/codec/refusal.ts';
import { dmtfEvents, measurementChanged } from '../../../protocols/spdm/events.ts';
import { fixedIdentity } from '../../../protocols/spdm/identity.ts';
import { challenge, getMeasurements } from '../../../protocols/spdm/requester/auth.ts';
import { getCertificate, getDigests } from '../../../protocols/spdm/requester/certificates.ts';
import { encapsulated } from '../../../protocols/spdm/requester/encapsulated.ts';
import {
  getSupportedEventTypes,
  sendEvents,
  subscribeEventTypes,
} from '../../../protocols/spdm/requester/events.ts';
import { updateKeys } from '../../../protocols/spdm/requester/key-update.ts';
import { authenticateBasic } from '../../../protocols/spdm/requester/mutual.ts';
import { openPskSession } from '../../../protocols/spdm/requester/psk.ts';
import { openSession } from '../../../protocols/spdm/requester/session.ts';
import type { Exchange, RequesterSession } from '../../../protocols/spdm/requester/state.ts';
import { negotiate } from '../../../protocols/spdm/requester/vca.ts';
import { updateResponseKey } from '../../../protocols/spdm/responder/encapsulated-requests.ts';
import { raiseEvent } from '../../../protocols/spdm/responder/events.ts';
import { own, trust } from './mutual-pair.ts';
import { Pair, type PairOptions, suites } from './pair.ts';

/** One exchange; `session`: the one that is open by then. */
export type FlowStep = (pair: Pair, session: RequesterSession) => Exchange<unknown>;
export interface Flow {
  readonly options: PairOptions;
  readonly steps: readonly FlowStep[];
  /** codes of the requests this flow is about; those of their answers are 0x80 less */
  readonly about: readonly number[];
}

const HINT = fromHex('0102');
const ASKED = { slot: 0, summaryType: 0, terminationPolicy: 0 } as const;
const algorithms = { ...suites.P256.algorithms, reqAsym: 0x10 };
const mutual = { MUT_AUTH_CAP: 1, ENCAP_CAP: 1 } as const;
const groups = [dmtfEvents(1, 2, 3, 4)];
const everything = groups.map(({ ID, VendorID }) => ({ ID, VendorID, types: undefined }));

const VCA: FlowStep = ({ requester }) => negotiate(requester);
const SESSION: FlowStep = ({ requester }) => openSession(requester, ASKED);
const asking = (wanted: NonNullable<PairOptions['responder']>['mutualAuthentication']) =>
  ({
    flags: mutual,
    requester: { algorithms, identity: fixedIdentity(new Map([[0, own]])) },
    responder: { algorithms, trust, mutualAuthentication: wanted! },
  }) satisfies PairOptions;

const psk = (cap: 1 | 2): PairOptions => ({
  requesterFlags: { PSK_CAP: 1 },
  responderFlags: { PSK_CAP: cap },
  requester: { psk: () => HINT },
  responder: { psk: () => HINT },
});
const PSK: FlowStep = ({ requester }) =>
  openPskSession(requester, { hint: HINT, summaryType: 0xff, terminationPolicy: 0 });
const small = { dataTransferSize: 100, maxSpdmMsgSize: 4096 };

export const flows: Readonly<Record<string, Flow>> = {
  'digests and chain': {
    options: { requester: { certificatePortion: 300 } },
    steps: [
      VCA,
      ({ requester }) => getDigests(requester),
      ({ requester }) => getCertificate(requester, 0),
    ],
    about: [0x81, 0x82],
  },
  PSK: { options: psk(2), steps: [VCA, PSK], about: [0xe6, 0xe7] },
  'PSK without context, 1.4': {
    options: { ...psk(1), version: 0x14 },
    steps: [VCA, PSK],
    about: [0xe6],
  },
  KEY_UPDATE: {
    options: { flags: { KEY_UPD_CAP: 1 } },
    steps: [
      VCA,
      SESSION,
      ({ requester }, session) => updateKeys(requester, session, 'UpdateKey'),
      ({ requester }, session) => updateKeys(requester, session, 'UpdateAllKeys'),
    ],
    about: [0xe9],
  },
  'mutual after CHALLENGE': {
    options: asking({ basic: true }),
    steps: [
      VCA,
      ({ requester }) => challenge(requester, 0, 0),
      ({ requester }) => authenticateBasic(requester),
    ],
    about: [0xea, 0xeb],
  },
  'mutual in a session, 1.3': {
    options: { ...asking({ session: 'encapsulated' }), version: 0x13 },
    steps: [VCA, SESSION],
    about: [0xe4, 0xe5, 0xea, 0xeb],
  },
  'mutual in a session, in the clear': {
    options: {
      ...asking({ session: 'digests' }),
      flags: { ...mutual, HANDSHAKE_IN_THE_CLEAR_CAP: 1 },
    },
    steps: [VCA, SESSION],
    about: [0xe5, 0xeb],
  },
  'the responder’s own key': {
    options: { flags: { KEY_UPD_CAP: 1, ENCAP_CAP: 1 } },
    steps: [
      VCA,
      SESSION,
      ({ requester, responder }, session) => {
        updateResponseKey(responder.state, session.id);
        return encapsulated(requester, session);
      },
    ],
    about: [0xea, 0xeb],
  },
  events: {
    options: {
      version: 0x13,
      flags: { EVENT_CAP: 1, ENCAP_CAP: 1 },
      requester: { onEvent: () => {} },
      responder: { eventGroups: groups, acceptsEvents: true },
    },
    steps: [
      VCA,
      SESSION,
      ({ requester }, session) => getSupportedEventTypes(requester, session),
      ({ requester }, session) => subscribeEventTypes(requester, session, groups, everything),
      ({ requester, responder }, session) => {
        raiseEvent(responder.state, measurementChanged(1));
        return encapsulated(requester, session);
      },
      ({ requester }, session) =>
        sendEvents(requester, session, [{ ...measurementChanged(3), EventInstanceID: 0 }]),
    ],
    about: [0xe2, 0xf0, 0xf1, 0xea, 0xeb],
  },
  chunks: {
    options: { flags: { CHUNK_CAP: 1 }, requester: small, responder: small },
    steps: [VCA, ({ requester }) => openSession(requester, ASKED)],
    about: [0x85, 0x86],
  },
  'chunks, 1.4': {
    options: { version: 0x14, flags: { CHUNK_CAP: 1 }, requester: small, responder: small },
    steps: [VCA, ({ requester }) => openSession(requester, ASKED)],
    about: [0x85, 0x86],
  },
  'not ready': {
    options: {
      responder: { readiness: (code) => (code === 0xe0 ? { rdtExponent: 1, rdtm: 3 } : undefined) },
    },
    steps: [
      VCA,
      ({ requester }) =>
        getMeasurements(requester, undefined, { slot: 0, operation: 0xff, signed: true }),
    ],
    about: [0xe0, 0xff],
  },
};

/** A pair whose held answers are ready when asked for. */
export function flowPair({ options }: Flow): Pair {
  const pair = new Pair(options).cached();
  pair.onWait = () => {
    const { held } = pair.responder.state;
    if (held !== undefined) pair.responder.ready(held.token);
  };
  return pair;
}

/** Goes through the steps up to the first fault, which it gives; undefined: all went well. */
export function play(flow: Flow, pair: Pair): string | undefined {
  for (const step of flow.steps) {
    const result = pair.run(step(pair, [...pair.requester.sessions.values()][0]!));
    if (isPeerFault(result)) return result.code;
  }
  return undefined;
}
