/** Events: types, subscriptions, the queue of a session, and their way to the requester and back. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, le, toHex } from '../../../../protocols/codec/bytes.ts';
import { isPeerFault, LocalError } from '../../../../protocols/codec/refusal.ts';
import {
  certificateChanged,
  dmtfEvents,
  type EventGroup,
  EventQueue,
  measurementChanged,
  measurementPreUpdate,
  type NumberedEvent,
  numberedEvents,
} from '../../../../protocols/spdm/events.ts';
import { encapsulated } from '../../../../protocols/spdm/requester/encapsulated.ts';
import {
  getSupportedEventTypes,
  sendEvents,
  subscribeEventTypes,
} from '../../../../protocols/spdm/requester/events.ts';
import { setCertificate } from '../../../../protocols/spdm/requester/provisioning.ts';
import { openSession } from '../../../../protocols/spdm/requester/session.ts';
import type { RequesterSession } from '../../../../protocols/spdm/requester/state.ts';
import { raiseEvent } from '../../../../protocols/spdm/responder/events.ts';
import { Pair, type PairOptions } from '../pair.ts';
import { chainFor, ProvisionedPair } from '../provisioned.ts';
import { snapshotOf } from '../snapshot.ts';

const test = suite('spdm events');

const PCI = { ID: 3, VendorID: fromHex('de10') };
const groups: readonly EventGroup[] = [
  dmtfEvents(1, 2, 3, 4),
  { ...PCI, version: 7, types: [0x0100, 0x0200] },
];
const DMTF = { ID: 0, VendorID: new Uint8Array(0) };
const all = groups.map(({ ID, VendorID }) => ({ ID, VendorID, types: undefined }));
const vendorEvent = (detail: string) => ({
  ...PCI,
  EventTypeID: 0x0100,
  EventDetail: fromHex(detail),
});

interface Listening {
  readonly pair: Pair;
  readonly session: RequesterSession;
  /** what the requester was handed, as text */
  readonly heard: string[];
}

const text = ({ EventInstanceID, ID, EventTypeID, EventDetail }: NumberedEvent) =>
  `${EventInstanceID} ${ID}.${EventTypeID} ${toHex(EventDetail)}`;

function listening(change: PairOptions = {}, policy: 0 | 1 = 0): Listening {
  const heard: string[] = [];
  const pair = new Pair({
    version: 0x13,
    ...change,
    flags: { ENCAP_CAP: 1, EVENT_CAP: 1, ...change.flags },
    requester: { onEvent: (event) => heard.push(text(event)), ...change.requester },
    responder: { eventGroups: groups, ...change.responder },
  }).authenticate();
  const asked = { slot: 0, summaryType: 0, terminationPolicy: 0, eventAllPolicy: policy } as const;
  return { pair, session: pair.good(openSession(pair.requester, asked)), heard };
}
const subscribe = (
  { pair, session }: Listening,
  wanted: Parameters<typeof subscribeEventTypes>[3],
) => pair.good(subscribeEventTypes(pair.requester, session, groups, wanted));
const fetch = ({ pair, session }: Listening) => pair.good(encapsulated(pair.requester, session));
const raise = ({ pair }: Listening, event: Parameters<typeof raiseEvent>[1]) =>
  raiseEvent(pair.responder.state, event);

const SUPPORTED = [
  '13620200 32000000',
  '00 00 0400 0100 00000000 01000000 02000000 03000000 04000000',
  '03 02 de10 0200 0700 00000000 00010000 00020000',
]
  .join('')
  .replace(/ /g, '');

test('supported event types byte by byte', () => {
  const { pair, session } = listening();
  const answer = pair.sealed(session, fromHex('13e20000'))!;
  const size = toHex(le(answer.bytes.length - 8, 4));
  assert.is(toHex(answer.bytes), SUPPORTED.replace('32000000', size));
});

for (const version of [0x13, 0x14])
  test(`${version.toString(16)}: what is subscribed to comes, numbered, and nothing else`, () => {
    const all = listening({ version });
    const { pair, session, heard } = all;
    assert.equal(pair.good(getSupportedEventTypes(pair.requester, session)), groups);
    assert.equal(raise(all, measurementChanged(1)), []);
    subscribe(all, [
      { ...DMTF, types: [2, 4] },
      { ...PCI, types: undefined },
    ]);
    assert.equal(raise(all, measurementPreUpdate(1)), []);
    assert.equal(raise(all, measurementChanged(1, 9, 255)), [session.id]);
    assert.equal(raise(all, certificateChanged(0x81)), [session.id]);
    assert.equal(raise(all, vendorEvent('c0ffee')), [session.id]);
    assert.equal(raise(all, { ...vendorEvent(''), VendorID: fromHex('ffff') }), []);
    assert.ok(fetch(all) > 0);
    assert.equal(heard, [`0 0.2 0202${'00'.repeat(29)}80`, '1 0.4 81', '2 3.256 c0ffee']);
    assert.is(fetch(all), 0);
    raise(all, certificateChanged(1));
    fetch(all);
    assert.is(heard.at(-1), '3 0.4 01');
  });

test('EventAllPolicy subscribes to everything from the start, and can be given up', () => {
  const one = listening({}, 1);
  raise(one, certificateChanged(1));
  raise(one, vendorEvent('01'));
  fetch(one);
  assert.is(one.heard.length, 2);
  raise(one, certificateChanged(2));
  subscribe(one, []);
  assert.is(fetch(one), 0);
  assert.equal(raise(one, certificateChanged(4)), []);
  assert.is(one.heard.length, 2);
});

test('a subscription takes the place of the one before', () => {
  const one = listening();
  subscribe(one, [{ ...DMTF, types: [2] }]);
  subscribe(one, [{ ...DMTF, types: [4] }]);
  assert.equal(raise(one, measurementChanged(1)), []);
  assert.equal(raise(one, certificateChanged(1)), [one.session.id]);
});

test('more than a session holds: EventLost says from where to where', () => {
  const one = listening();
  subscribe(one, all);
  raise(one, certificateChanged(1));
  fetch(one);
  for (let i = 0; i < 40; i++) raise(one, certificateChanged(2));
  assert.equal(one.heard, ['0 0.4 01']);
  fetch(one);
  // Numbers 1 to 16 waited, of which the first was in line already; the rest were given up twice.
  const lost = one.heard.filter((event) => event.includes(' 0.1 '));
  assert.is(lost.length, 1);
  const [, , detail = ''] = lost[0]!.split(' ');
  const [acked, last] = [detail.slice(0, 8), detail.slice(8)];
  assert.equal([acked, last], [toHex(le(1, 4)), toHex(le(Number(lost[0]!.split(' ')[0]) - 1, 4))]);
  assert.is(one.heard[1], '1 0.4 02');
});

test('a session that is still shaking hands gets no events', () => {
  const one = listening({}, 1);
  const { state } = one.pair.responder;
  state.sessions.get(one.session.id)!.established = false;
  assert.equal(raiseEvent(state, certificateChanged(1)), []);
});

test('without encapsulation events wait in the session', () => {
  const one = listening({ requesterFlags: { ENCAP_CAP: 0 } });
  subscribe(one, all);
  assert.equal(raise(one, certificateChanged(1)), [one.session.id]);
  assert.is(one.pair.responder.state.sessions.get(one.session.id)!.events!.waiting, 1);
});

test('an answer that is no EVENT_ACK leaves the events queued', () => {
  const one = listening();
  subscribe(one, all);
  raise(one, certificateChanged(1));
  const { pair, session } = one;
  const asked = pair.sealed(session, fromHex('13ea0000'))!.bytes;
  const refusal = concat(Uint8Array.of(0x13, 0xeb, asked[2]!, 0), fromHex('137f0100'));
  assert.is(toHex(pair.sealed(session, refusal)!.bytes.subarray(0, 3)), '137f09');
  assert.is(pair.responder.state.sessions.get(session.id)!.events!.waiting, 1);
  raise(one, certificateChanged(2));
  fetch(one);
  assert.equal(one.heard, ['0 0.4 01', '1 0.4 02']);
});

test('messages that hold few events carry them one after the other', () => {
  const small = { dataTransferSize: 300, maxSpdmMsgSize: 300 };
  const one = listening({ requester: { ...small, onEvent: (event) => sizes.push(text(event)) } });
  const sizes: string[] = [];
  subscribe(one, all);
  for (let i = 0; i < 10; i++) raise(one, vendorEvent('ab'.repeat(100)));
  assert.ok(fetch(one) >= 5);
  assert.equal(
    sizes.map((event) => event.split(' ')[0]),
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  );
});

test('SET_CERTIFICATE tells subscribers that a certificate changed', () => {
  const heard: string[] = [];
  const pair = new ProvisionedPair({
    version: 0x13,
    flags: { ENCAP_CAP: 1, EVENT_CAP: 1 },
    requester: { onEvent: (event) => heard.push(text(event)) },
    responderFlags: {},
    provisioning: { trustedEnvironment: () => true },
  });
  Object.assign(pair.responder.state.config, { eventGroups: groups });
  pair.authenticate();
  const asked = { slot: 0, summaryType: 0, terminationPolicy: 0, eventAllPolicy: 1 } as const;
  const session = pair.good(openSession(pair.requester, asked));
  pair.good(setCertificate(pair.requester, session, { slot: 3 }, chainFor(0x33)));
  pair.good(encapsulated(pair.requester, session));
  assert.equal(heard, ['0 0.4 08']);
});

const list = (count: number, ...parts: string[]) => {
  const body = fromHex(parts.join(''));
  return toHex(concat(Uint8Array.of(0x13, 0xf0, count, 0), le(body.length, 4), body));
};
const group = (types: string, count: number, attributes = '00000000', version = '0100') =>
  `0000 ${toHex(le(count, 2))} ${version} ${attributes} ${types}`;
const subscriptions: [what: string, request: string, answer: string][] = [
  ['all of a group', list(1, group('', 0, '01000000')), '13700000'],
  ['one type', list(1, group('02000000', 1)), '13700000'],
  ['nothing', '13f00000', '13700000'],
  ['a type that is not supported', list(1, group('05000000', 1)), '137f0100'],
  ['no types', list(1, group('', 0)), '137f0100'],
  ['all, and a type too', list(1, group('02000000', 1, '01000000')), '137f0100'],
  ['another version of the group', list(1, group('02000000', 1, '00000000', '0200')), '137f0100'],
  ['a group twice', list(2, group('02000000', 1), group('03000000', 1)), '137f0100'],
  ['a group nobody has', list(1, '0502ffff 0000 0100 01000000'), '137f0100'],
  ['more groups than there are', list(2, group('02000000', 1)), '137f0100'],
  ['fewer groups than there are', list(1, group('02000000', 1), group('02000000', 1)), '137f0100'],
  ['more types than there are', list(1, group('02000000', 0xffff)), '137f0100'],
  ['a count and no list', '13f00100', '137f0100'],
  ['a list of nothing', '13f0010000000000', '137f0100'],
  ['a list length of all ones', '13f00100ffffffff', '137f0100'],
  ['no groups, and a list', '13f0000000000000', '137f0100'],
];
for (const [what, request, answer] of subscriptions)
  test(`SUBSCRIBE_EVENT_TYPES, ${what}`, () => {
    const { pair, session } = listening();
    const before = snapshotOf(pair.responder);
    const reply = pair.sealed(session, fromHex(request))!;
    assert.is(toHex(reply.bytes), answer);
    assert.is(snapshotOf(pair.responder) === before, answer !== '13700000');
  });

test('outside a session, and without what it takes, there are no events', () => {
  const { pair, session } = listening();
  for (const code of ['e2', 'f0', 'f1'])
    assert.is(toHex(pair.plain(`13${code}0000`)!), '137f0b00', code);
  const rows: [PairOptions, string][] = [
    [{ responderFlags: { EVENT_CAP: 0 } }, '13e20000'],
    [{ responderFlags: { EVENT_CAP: 0 } }, '13f00000'],
    [{ responder: { eventGroups: [] } }, '13e20000'],
    [{ responder: { eventGroups: [] } }, '13f00000'],
  ];
  for (const [change, request] of rows) {
    const one = listening(change);
    const reply = one.pair.sealed(one.session, fromHex(request))!;
    assert.is(toHex(reply.bytes), `137f07${request.slice(2, 4)}`);
    assert.equal(raise(one, certificateChanged(1)), []);
  }
  assert.is(toHex(pair.sealed(session, fromHex('13f1000000000000'))!.bytes), '137f07f1');
});

const event = (id: number, type = 4, detail = Uint8Array.of(1)): NumberedEvent => ({
  ...DMTF,
  EventInstanceID: id,
  EventTypeID: type,
  EventDetail: detail,
});

test('a requester notifies too: its events reach the owner in order', () => {
  const one = listening({ responder: { acceptsEvents: true } });
  const { pair, session } = one;
  const sent = [event(8), event(7), event(9)];
  pair.good(sendEvents(pair.requester, session, sent));
  const received = pair.effects.find(({ type }) => type === 'events-received') as unknown as {
    sessionId: number;
    events: readonly NumberedEvent[];
  };
  assert.is(received.sessionId, session.id);
  assert.equal(received.events.map(text), ['7 0.4 01', '8 0.4 01', '9 0.4 01']);
  const refused = listening({
    responder: { acceptsEvents: true },
    requesterFlags: { EVENT_CAP: 0 },
  });
  const result = refused.pair.run(sendEvents(refused.pair.requester, refused.session, sent));
  assert.is(isPeerFault(result) && result.code, 'SPDM_ERROR_UnsupportedRequest');
});

const body = (id: number, detail = '0100 01', type = '0400') =>
  `${toHex(le(id, 4))} 00000000 0000 ${type} ${detail}`;
const sendings: [what: string, request: string, answer: string][] = [
  ['one event', `13f10000 01000000 ${body(0)}`, '13710000'],
  ['no events', '13f10000 00000000', '137f0100'],
  ['a number twice', `13f10000 02000000 ${body(1)} ${body(1)}`, '137f0100'],
  ['a gap', `13f10000 02000000 ${body(1)} ${body(3)}`, '137f0100'],
  ['a count of all ones', `13f10000 ffffffff ${body(1)}`, '137f0100'],
  ['details too long for the type', `13f10000 01000000 ${body(1, '0200 0101')}`, '137f0100'],
  ['a detail length of all ones', `13f10000 01000000 ${body(1, 'ffff 01')}`, '137f0100'],
  ['an unknown DMTF type', `13f10000 01000000 ${body(1, '0100 01', '0500')}`, '137f0100'],
  [
    'a DMTF event of a vendor',
    `13f10000 01000000 ${body(1).replace('00000000 0000', '00000000 0001 aa')}`,
    '137f0100',
  ],
  ['bytes left over', `13f10000 01000000 ${body(1)} 00`, '137f0100'],
];
for (const [what, request, answer] of sendings)
  test(`SEND_EVENT, ${what}`, () => {
    const { pair, session } = listening({ responder: { acceptsEvents: true } });
    const before = snapshotOf(pair.responder);
    assert.is(toHex(pair.sealed(session, fromHex(request))!.bytes), answer);
    assert.is(snapshotOf(pair.responder), before);
    const told = pair.effects.some(({ type }) => type === 'events-received');
    assert.is(told, answer === '13710000');
  });

test('the queue keeps what is out, and loses no number', () => {
  const queue = new EventQueue([{ ...DMTF, types: undefined }]);
  for (let i = 0; i < 16; i++) assert.ok(queue.raise(certificateChanged(1)));
  const out = queue.batch(100);
  assert.equal(
    out.map(({ EventInstanceID }) => EventInstanceID),
    [0, 1, 2, 3, 4, 5],
  );
  queue.raise(certificateChanged(2), out);
  assert.is(queue.waiting, 7);
  assert.equal(queue.batch(1000), out);
  queue.acknowledge(out);
  const [lost] = queue.batch(1000);
  assert.is(text(lost!), '17 0.1 0500000010000000');
  assert.equal(queue.batch(20), []);
  for (let i = 0; i < 16; i++) queue.raise(certificateChanged(4));
  assert.is(text(queue.batch(1000)[0]!), '34 0.1 0500000021000000');
  queue.subscribe([]);
  assert.is(queue.waiting, 0);
});

test("a caller's mistakes are named", () => {
  const { pair, session } = listening();
  const local = (error: unknown) => error instanceof LocalError;
  assert.throws(() => measurementChanged(256), local);
  assert.throws(() => pair.run(sendEvents(pair.requester, session, [event(1), event(3)])), local);
  const wanted = [{ ID: 9, VendorID: new Uint8Array(0), types: undefined }];
  assert.throws(
    () => pair.run(subscribeEventTypes(pair.requester, session, groups, wanted)),
    local,
  );
  assert.is(numberedEvents([]), undefined);
});

test.run();
