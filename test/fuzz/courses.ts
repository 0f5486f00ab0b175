/** The exchanges a requester may be in when a lie reaches it. */

import { isPeerFault } from '../../protocols/codec/refusal.ts';
import { measurementChanged } from '../../protocols/spdm/events.ts';
import { bothHave } from '../../protocols/spdm/negotiate.ts';
import { applicationExchange } from '../../protocols/spdm/requester/application.ts';
import { challenge, getMeasurements } from '../../protocols/spdm/requester/auth.ts';
import {
  getCertificate,
  getDigests,
  getSlotSize,
} from '../../protocols/spdm/requester/certificates.ts';
import { encapsulated } from '../../protocols/spdm/requester/encapsulated.ts';
import { getEndpointInfo } from '../../protocols/spdm/requester/endpoint-info.ts';
import {
  getSupportedEventTypes,
  sendEvents,
  subscribeEventTypes,
} from '../../protocols/spdm/requester/events.ts';
import { getMeasurementExtensionLog } from '../../protocols/spdm/requester/extension-log.ts';
import { updateKeys } from '../../protocols/spdm/requester/key-update.ts';
import { authenticateBasic } from '../../protocols/spdm/requester/mutual.ts';
import {
  eraseCertificate,
  getCsr,
  getKeyPairInfo,
  setCertificate,
  setKeyPairInfo,
} from '../../protocols/spdm/requester/provisioning.ts';
import { openPskSession } from '../../protocols/spdm/requester/psk.ts';
import { openSession } from '../../protocols/spdm/requester/session.ts';
import { endSession, heartbeat } from '../../protocols/spdm/requester/session-life.ts';
import type {
  Exchange,
  RequesterSession,
  RequesterState,
} from '../../protocols/spdm/requester/state.ts';
import { negotiate } from '../../protocols/spdm/requester/vca.ts';
import { vendor } from '../../protocols/spdm/requester/vendor.ts';
import {
  askEndpointInfo,
  updateResponseKey,
} from '../../protocols/spdm/responder/encapsulated-requests.ts';
import { raiseEvent } from '../../protocols/spdm/responder/events.ts';
import { chainFor, type ProvisionedPair } from '../protocols/spdm/provisioned.ts';
import { OPEN_PSK } from './world.ts';

export interface Course {
  readonly name: string;
  readonly since: number;
  /** `session` is there */
  readonly inSession?: boolean;
  /** what was agreed on changes by design */
  readonly renegotiates?: boolean;
  readonly start: (
    state: RequesterState,
    session: RequesterSession | undefined,
    pair: ProvisionedPair,
  ) => Exchange<unknown>;
}

const ALL = { slot: 0, operation: 0xff } as const;
const OPEN = { slot: 0, summaryType: 0xff, terminationPolicy: 0 } as const;
function* saying(payload: Uint8Array): Generator<Uint8Array, Uint8Array, Uint8Array> {
  return yield payload;
}
const STORED = chainFor(0x33);

type Start = Course['start'];
const plain = (name: string, since: number, start: Start): Course => ({ name, since, start });
const inside = (name: string, since: number, start: Start): Course => ({
  ...{ name, since, start },
  inSession: true,
});

/** What is fetched has still to be trusted: the chain that is goes on. */
function keepingTrust(
  of: (state: RequesterState, session?: RequesterSession) => Exchange<unknown>,
) {
  return function* (state: RequesterState, session: RequesterSession | undefined) {
    const [chain, leaf] = [state.chains.get(0), state.leaves.get(0)];
    const result = yield* of(state, session);
    if (chain !== undefined) state.chains.set(0, chain);
    if (leaf !== undefined) state.leaves.set(0, leaf);
    return result;
  };
}

const identity: readonly Course[] = [
  { name: 'VCA', since: 0x10, renegotiates: true, start: negotiate },
  plain('DIGESTS', 0x10, (state) => getDigests(state)),
  plain(
    'CERTIFICATE',
    0x10,
    keepingTrust((state) => getCertificate(state, 0)),
  ),
  inside(
    'CERTIFICATE inside',
    0x11,
    keepingTrust((state, at) => getCertificate(state, 0, undefined, at)),
  ),
  plain('slot size', 0x13, (state) => getSlotSize(state, 0)),
  plain('CHALLENGE', 0x10, (state) => challenge(state, 0, 0xff)),
  plain('mutual after CHALLENGE', 0x11, (state, _session, pair) => {
    const { basicMutAuth } = pair.good(challenge(state, 0, 0xff));
    return basicMutAuth ? authenticateBasic(state) : encapsulated(state);
  }),
  plain('MEASUREMENTS', 0x10, (state) =>
    getMeasurements(state, undefined, { ...ALL, signed: true }),
  ),
  plain('MEASUREMENTS unsigned', 0x10, (state) =>
    getMeasurements(state, undefined, { ...ALL, signed: false }),
  ),
  inside('MEASUREMENTS inside', 0x11, (state, session) =>
    getMeasurements(state, session, { ...ALL, signed: true }),
  ),
];

const sessions: readonly Course[] = [
  plain('KEY_EXCHANGE', 0x11, (state) => openSession(state, OPEN)),
  plain('PSK_EXCHANGE', 0x11, (state) => openPskSession(state, OPEN_PSK)),
  inside('HEARTBEAT', 0x11, (state, session) => heartbeat(state, session!)),
  inside('UpdateKey', 0x11, (state, session) => updateKeys(state, session!, 'UpdateKey')),
  inside('UpdateAllKeys', 0x11, (state, session) => updateKeys(state, session!, 'UpdateAllKeys')),
  inside('END_SESSION', 0x11, (state, session) => endSession(state, session!)),
  inside('VENDOR_DEFINED', 0x11, (state, session) =>
    vendor(state, session, 1, saying(new Uint8Array(40).fill(7))),
  ),
  inside('another protocol', 0x11, (state, session) =>
    state.config.binding.name === 'MCTP'
      ? applicationExchange(state, session!, 1, new Uint8Array(4))
      : heartbeat(state, session!),
  ),
];

/** The responder gets something to ask, where its end of the session is up. */
function asking(put: (pair: ProvisionedPair, session: RequesterSession) => void): Start {
  return (state, session, pair) => {
    const { responder } = pair;
    const own = responder.state.sessions.get(session!.id);
    const encapsulates = bothHave(state.negotiated!, 'ENCAP_CAP');
    if (own?.established === true && encapsulates) put(pair, session!);
    return encapsulated(state, session);
  };
}

const asked: readonly Course[] = [
  plain('encapsulated, nothing', 0x11, (state) => encapsulated(state)),
  inside(
    'encapsulated KEY_UPDATE',
    0x11,
    asking(({ responder }, { id }) => updateResponseKey(responder.state, id)),
  ),
  inside(
    'encapsulated GET_ENDPOINT_INFO',
    0x13,
    asking(({ responder }, { id }) => {
      const slot = responder.state.requester?.slot;
      askEndpointInfo(responder.state, id, { slot, told: () => {} });
    }),
  ),
  inside('events', 0x13, function* (state, session, { responder }) {
    const groups = yield* getSupportedEventTypes(state, session!);
    if (isPeerFault(groups)) return groups;
    const wanted = groups.map(({ ID, VendorID }) => ({ ID, VendorID, types: undefined }));
    const subscribed = yield* subscribeEventTypes(state, session!, groups, wanted);
    if (isPeerFault(subscribed)) return subscribed;
    raiseEvent(responder.state, measurementChanged(1, 2));
    return yield* encapsulated(state, session);
  }),
  inside('SEND_EVENT', 0x13, (state, session) =>
    sendEvents(state, session!, [{ ...measurementChanged(3), EventInstanceID: 0 }]),
  ),
];

const provisioning: readonly Course[] = [
  plain('ENDPOINT_INFO', 0x13, (state) => getEndpointInfo(state, undefined, { slot: 0 })),
  inside('ENDPOINT_INFO inside', 0x13, (state, session) => getEndpointInfo(state, session)),
  plain('MEL', 0x13, (state) => getMeasurementExtensionLog(state)),
  inside('MEL inside', 0x13, (state, session) => getMeasurementExtensionLog(state, session)),
  inside('CSR', 0x12, (state, session) =>
    getCsr(state, session, state.negotiated!.multiKeyConn ? { keyPairId: 1, certModel: 1 } : {}),
  ),
  inside('SET_CERTIFICATE', 0x12, (state, session) =>
    setCertificate(
      state,
      session,
      state.negotiated!.multiKeyConn ? { slot: 1, keyPairId: 1, certModel: 1 } : { slot: 1 },
      STORED,
    ),
  ),
  inside('erase', 0x13, (state, session) =>
    eraseCertificate(
      state,
      session,
      state.negotiated!.multiKeyConn ? { slot: 1, keyPairId: 1 } : { slot: 1 },
    ),
  ),
  plain('KEY_PAIR_INFO', 0x13, (state) => getKeyPairInfo(state, undefined, 1)),
  inside('SET_KEY_PAIR_INFO', 0x13, (state, session) =>
    setKeyPairInfo(state, session, {
      operation: 'GenerateKeyPair',
      keyPairId: 3,
      kind: 'ECC256',
      usage: 8,
    }),
  ),
];

export const courses: readonly Course[] = [...identity, ...sessions, ...asked, ...provisioning];

export const coursesOf = (version: number): readonly Course[] =>
  courses.filter(({ since }) => version >= since);
