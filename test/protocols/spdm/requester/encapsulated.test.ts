/** What a requester answers to encapsulated requests, and what it does not put up with (DSP0274 10.17). */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../../protocols/codec/bytes.ts';
import { isPeerFault, LocalError, type PeerFault } from '../../../../protocols/codec/refusal.ts';
import {
  dmtfEvents,
  measurementChanged,
  type NumberedEvent,
} from '../../../../protocols/spdm/events.ts';
import { challenge } from '../../../../protocols/spdm/requester/auth.ts';
import {
  encapsulated,
  encapsulatedFlow,
} from '../../../../protocols/spdm/requester/encapsulated.ts';
import {
  answerEncapsulated,
  type EncapsulatedContext,
} from '../../../../protocols/spdm/requester/encapsulated-answers.ts';
import {
  authenticateBasic,
  authenticateSelf,
} from '../../../../protocols/spdm/requester/mutual.ts';
import { openSession } from '../../../../protocols/spdm/requester/session.ts';
import { heartbeat } from '../../../../protocols/spdm/requester/session-life.ts';
import type { RequesterSession } from '../../../../protocols/spdm/requester/state.ts';
import { queueEncapsulated } from '../../../../protocols/spdm/responder/encapsulated.ts';
import {
  askEndpointInfo,
  updateResponseKey,
} from '../../../../protocols/spdm/responder/encapsulated-requests.ts';
import { raiseEvent } from '../../../../protocols/spdm/responder/events.ts';
import { challenged, keyIdentity, type MutualOptions, mutualPair, told } from '../mutual-pair.ts';
import type { Pair } from '../pair.ts';

const test = suite('spdm requester encapsulated');

const SERVICES = { KEY_UPD_CAP: 1, EP_INFO_CAP: 2, EVENT_CAP: 1 } as const;
const classes = [{ ID: 3, VendorID: Uint8Array.of(1, 0), SubordinateID: [] }];
const ASKED = { slot: 0, summaryType: 0, terminationPolicy: 0, eventAllPolicy: 1 } as const;

function served(options: MutualOptions = {}) {
  const events: NumberedEvent[] = [];
  const pair = mutualPair(
    { session: 'encapsulated' },
    {
      version: 0x13,
      flags: SERVICES,
      ...options,
      requester: { deviceClasses: classes, onEvent: (event) => void events.push(event) },
      responder: {
        deviceClasses: classes,
        eventGroups: [dmtfEvents(2, 4)],
        sessionsMax: 2,
      } as never,
    },
  ).authenticate();
  return { pair, events };
}

const fault = (result: unknown, code: string) => {
  assert.ok(isPeerFault(result), `no fault, but ${JSON.stringify(result)}`);
  assert.is((result as PeerFault).code, code, (result as PeerFault).detail);
};

/** The responder's answer to request number `index` from here on is another. */
function answering(pair: Pair, make: (request: Uint8Array, answer: Uint8Array) => string): Pair {
  const send = pair.send.bind(pair);
  pair.send = (packet) => {
    const reply = send(packet);
    if (packet.secured || reply === undefined) return reply;
    return { secured: false, bytes: fromHex(make(packet.bytes, reply.bytes)) };
  };
  return pair;
}

test('the responder renews its own key, again and again', () => {
  for (const version of [0x11, 0x12, 0x13, 0x14]) {
    const pair = mutualPair({}, { version, flags: { KEY_UPD_CAP: 1 } }).authenticate();
    const session = pair.session();
    const sealedWith = () => session.keys.nextSeal('response').keyId;
    for (let turn = 0; turn < 3; turn++) {
      const before = sealedWith();
      updateResponseKey(pair.responder.state, session.id);
      assert.is(pair.good(encapsulated(pair.requester, session)), 2);
      assert.is.not(sealedWith(), before);
      assert.is(pair.good(heartbeat(pair.requester, session)), true);
    }
    const updated = pair.effects.filter(({ type }) => type === 'response-key-updated');
    assert.is(updated.length, 3);
  }
});

test('a key update broken off between its two requests leaves the old key', () => {
  const { pair } = served();
  const session = pair.session();
  updateResponseKey(pair.responder.state, session.id);
  const before = session.keys.nextSeal('response').keyId;
  const flow = pair.responder.state.encapsulated[0]!;
  const read = flow.step.read;
  flow.step = { ...flow.step, read: (_turn) => ({ end: true }) };
  assert.type(read, 'function');
  assert.is(pair.good(encapsulatedFlow(pair.requester, session)).answered, 1);
  assert.is(session.keys.nextSeal('response').keyId, before);
  assert.is(pair.good(heartbeat(pair.requester, session)), true);
});

test('VerifyNewKey under the old key is refused, and the session over', () => {
  const { pair } = served();
  const session = pair.session();
  updateResponseKey(pair.responder.state, session.id);
  const { keys } = pair.responder.state.sessions.get(session.id)!;
  keys.update = () => undefined;
  fault(pair.run(encapsulated(pair.requester, session)), 'SPDM_ERROR_InvalidResponseCode');
  assert.is(pair.responder.state.sessions.size, 0);
});

test('endpoint info, signed and not, in a session and outside', () => {
  for (const version of [0x13, 0x14]) {
    const { pair } = served({ version });
    const session = pair.session();
    const found: unknown[] = [];
    const question = {
      slot: undefined,
      told: (_: unknown, told: unknown) => void found.push(told),
    };
    for (const id of [undefined, session.id])
      for (const slot of [undefined, 0]) {
        askEndpointInfo(pair.responder.state, id, { ...question, slot });
        const inside = id === undefined ? undefined : session;
        assert.is(pair.good(encapsulated(pair.requester, inside)), 1);
      }
    assert.is(found.length, 4);
    for (const [one] of found as { VendorID: Uint8Array }[][])
      assert.is(toHex(one!.VendorID), '0100');
  }
});

test('a signature of endpoint info that covers nothing', () => {
  const { pair } = served();
  const session = pair.session();
  const failed: string[] = [];
  askEndpointInfo(pair.responder.state, undefined, {
    slot: 0,
    told: () => assert.unreachable(),
    failed: (_turn, { code }) => void failed.push(code),
  });
  pair.tap = (packet, direction) => {
    if (direction === 'response' || packet.bytes[1] !== 0xeb) return packet;
    return { ...packet, bytes: packet.bytes.map((byte, at) => (at === 20 ? byte ^ 1 : byte)) };
  };
  fault(pair.run(encapsulated(pair.requester)), 'SPDM_ERROR_InvalidResponseCode');
  assert.equal(failed, ['ENDPOINT_INFO_SIGNATURE']);
  assert.ok(session.established);
  assert.throws(
    () => askEndpointInfo(pair.responder.state, undefined, { slot: 2, told: () => undefined }),
    'slot 2',
  );
});

test('events reach the requester in order', () => {
  const { pair, events } = served();
  const session = pair.good(openSession(pair.requester, ASKED));
  raiseEvent(pair.responder.state, measurementChanged(1));
  raiseEvent(pair.responder.state, measurementChanged(2));
  assert.ok(pair.good(encapsulated(pair.requester, session)) > 0);
  assert.equal(
    events.map(({ EventInstanceID }) => EventInstanceID),
    [0, 1],
  );
  assert.is(pair.good(encapsulated(pair.requester, session)), 0);
});

const plain = (): EncapsulatedContext => ({
  session: undefined,
  plain: true,
  digests: undefined,
  digestsWindow: 'open',
  updating: false,
});
const inside = (session: RequesterSession): EncapsulatedContext => ({
  ...plain(),
  session,
  plain: false,
});

test('what has no place is an encapsulated ERROR', () => {
  const { pair } = served();
  const session = pair.session();
  const { requester } = pair;
  const CHALLENGE = `13830000${'00'.repeat(40)}`;
  const rows: [where: 'plain' | 'handshake' | 'established', request: string, answer: string][] = [
    ['plain', '13', '137f0100'],
    ['plain', '12810000', '137f4100'],
    ['plain', '13e00000', '137f07e0'],
    ['plain', '13e40000', '137f07e4'],
    ['plain', '13ea0000', '137f07ea'],
    ['plain', '13010000', '137f0701'],
    ['plain', '1382000000000000', '1302000000000000'],
    ['plain', '1382070000000000', '137f0100'],
    ['plain', '138200000000', '137f0100'],
    ['plain', '138200000000ffff'.replace('0000ffff', 'ffff0000'), '137f0100'],
    ['plain', CHALLENGE.replace('0000', '00ff'), '137f0100'],
    ['plain', CHALLENGE.replace('13830000', '13830500'), '137f0100'],
    ['plain', '13e90100', '137f0b00'],
    ['plain', '13f1000000000000', '137f0b00'],
    ['handshake', CHALLENGE, '137f0400'],
    ['handshake', '13e90100', '137f0400'],
    ['handshake', '1387010000000000', '137f0400'],
    ['established', CHALLENGE, '137f0400'],
    ['established', '13e90200', '137f0100'],
    ['established', '13e90300', '137f0100'],
    ['established', '13e90000', '137f0100'],
    ['established', '13e9010000', '137f0100'],
    ['established', '13f1000000000000', '137f0100'],
    ['established', '1387020000000000', '137f0100'],
  ];
  for (const [where, request, answer] of rows) {
    session.established = where === 'established';
    const context = where === 'plain' ? plain() : inside(session);
    const made = toHex(answerEncapsulated(requester, context, fromHex(request)));
    const expected = answer.startsWith('1302') ? made.slice(0, 8) : made;
    assert.is(expected, answer.startsWith('1302') ? '13020000' : answer, `${where} ${request}`);
  }
  const before12 = mutualPair({}, { version: 0x11, flags: { KEY_UPD_CAP: 1 } }).authenticate();
  const answer = answerEncapsulated(before12.requester, plain(), fromHex('11e90100'));
  assert.is(toHex(answer), '117f0500');
});

test('a requester that said it can prove who it is, and cannot', () => {
  const pair = mutualPair({ basic: true }, { requester: { identity: undefined as never } });
  pair.authenticate();
  const { basicMutAuth } = pair.good(challenge(pair.requester, 0, 0));
  assert.is(basicMutAuth, true);
  try {
    pair.run(authenticateBasic(pair.requester));
    assert.unreachable();
  } catch (error) {
    assert.instance(error, LocalError);
  }
});

test('a flow that never ends is ended', () => {
  const pair = mutualPair({ basic: true }).authenticate();
  pair.good(challenge(pair.requester, 0, 0));
  answering(pair, (request, answer) =>
    request[1] === 0xeb ? `126b0101${toHex(request.slice(2, 3))}00000012810000` : toHex(answer),
  );
  fault(pair.run(encapsulatedFlow(pair.requester)), 'ENCAPSULATED_ENDLESS');
  const drained = mutualPair({ basic: true }).authenticate();
  answering(drained, (request) => (request[1] === 0xea ? '126a010012810000' : '126b000001000000'));
  fault(pair.run(encapsulatedFlow(pair.requester)), 'ENCAPSULATED_ENDLESS');
  fault(drained.run(encapsulated(drained.requester)), 'ENCAPSULATED_ENDLESS');
});

test('an acknowledgement of something else', () => {
  for (const [ack, code] of [
    ['126b000002000000', 'ENCAPSULATED_RESPONSE_ACK'],
    ['126b000301000000', 'ENCAPSULATED_RESPONSE_ACK'],
    ['126b0002010000', 'MALFORMED_ANSWER'],
    ['126b0000', 'MALFORMED_ANSWER'],
    ['116b000001000000', 'ANSWER_VERSION'],
    ['126a0000', 'ANSWER_CODE'],
    ['127f0900', 'SPDM_ERROR_InvalidResponseCode'],
  ] as const) {
    const pair = mutualPair({ basic: true }).authenticate();
    pair.good(challenge(pair.requester, 0, 0));
    answering(pair, (request, answer) => (request[1] === 0xeb ? ack : toHex(answer)));
    fault(pair.run(encapsulatedFlow(pair.requester)), code);
  }
});

test('KEY_EXCHANGE_RSP may ask for what was offered, and in one form', () => {
  const { CERT_CAP, PUB_KEY_ID_CAP } = { CERT_CAP: 0, PUB_KEY_ID_CAP: 1 };
  const keyed = {
    identity: keyIdentity,
    requesterFlags: { CERT_CAP, CHAL_CAP: 0, PUB_KEY_ID_CAP },
  };
  const rows: [form: number, slot: number, options: MutualOptions][] = [
    [1, 3, {}],
    [1, 15, {}],
    [1, 0, keyed],
    [2, 0, keyed],
    [4, 0, keyed],
    [3, 0, {}],
    [6, 0, {}],
    [7, 0, {}],
    [1, 0, { flags: { MUT_AUTH_CAP: 0 } }],
    [2, 0, { version: 0x13, responderFlags: { ENCAP_CAP: 0 } }],
  ];
  for (const [form, slot, options] of rows) {
    const pair = mutualPair({}, options).authenticate();
    const asked = { MutAuthRequested: form, SlotIDParam: slot };
    const result = pair.run(authenticateSelf(pair.requester, undefined as never, asked));
    fault(result, 'KEY_EXCHANGE_MUT_AUTH');
  }
  const pair = mutualPair({}).authenticate();
  const none = { MutAuthRequested: 8, SlotIDParam: 0 };
  assert.is(pair.run(authenticateSelf(pair.requester, undefined as never, none)), undefined);
});

test('nothing announced comes: no session, no authentication', () => {
  const pair = mutualPair({ session: 'encapsulated' }).authenticate();
  pair.responder.state.encapsulated = [];
  const queued = pair.responder.state;
  const receive = pair.responder.receive.bind(pair.responder);
  pair.responder.receive = (packet) => {
    const outcome = receive(packet);
    queued.encapsulated = [];
    return outcome;
  };
  fault(pair.run(openSession(pair.requester, ASKED)), 'KEY_EXCHANGE_MUT_AUTH');
  const basic = mutualPair({ basic: true }).authenticate();
  fault(basic.run(authenticateBasic(basic.requester)), 'CHALLENGE_AUTH_MUT_AUTH');
  const without = mutualPair({}, { flags: { MUT_AUTH_CAP: 0 } }).authenticate();
  fault(without.run(authenticateBasic(without.requester)), 'CHALLENGE_AUTH_MUT_AUTH');
  const noEncap = mutualPair(
    {},
    { version: 0x13, responderFlags: { ENCAP_CAP: 0, MUT_AUTH_CAP: 0 } },
  );
  noEncap.authenticate();
  fault(noEncap.run(encapsulated(noEncap.requester)), 'ENCAPSULATED_CAP');
});

test('a flow in a session leaves the transcripts of the connection alone', () => {
  const pair = mutualPair({ basic: true }, { version: 0x13 }).authenticate();
  assert.is(challenged(pair), true);
  const logs = () =>
    [pair.requester, pair.responder.state].map(({ transcript: { mutB, mutC } }) => [
      toHex(mutB.bytes()),
      toHex(mutC.bytes()),
    ]);
  const [requester, responder] = logs();
  assert.equal(requester, responder);
  assert.ok(requester![0]!.length > 0 && requester![1]!.length > 0);
  const session = pair.session();
  const step = { request: fromHex('13810000'), read: () => ({ end: true }) as const };
  queueEncapsulated(pair.responder.state, session.id, step);
  assert.is(pair.good(encapsulated(pair.requester, session)), 1);
  assert.equal(logs()[0], requester);
  assert.equal(told(pair).length, 1);
});

test.run();
