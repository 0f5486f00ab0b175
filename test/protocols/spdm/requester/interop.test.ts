/** What a requester takes from the DMTF reference, and other protocols in a session over MCTP. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, toHex } from '../../../../protocols/codec/bytes.ts';
import { isPeerFault, LocalError } from '../../../../protocols/codec/refusal.ts';
import { capabilityFlags } from '../../../../protocols/spdm/codes.ts';
import { applicationExchange } from '../../../../protocols/spdm/requester/application.ts';
import {
  adoptProvisioned,
  type ProvisionedPeer,
} from '../../../../protocols/spdm/requester/provisioned.ts';
import { getKeyPairInfo } from '../../../../protocols/spdm/requester/provisioning.ts';
import { heartbeat } from '../../../../protocols/spdm/requester/session-life.ts';
import type { Exchange, RequesterSession } from '../../../../protocols/spdm/requester/state.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import { mctpBinding } from '../../../../protocols/spdm/secured-message.ts';
import { Pair, suites } from '../pair.ts';

const test = suite('spdm requester interop');

/** Drives one request by hand: the responder's end of the session seals `answer`. */
function answered<T>(
  pair: Pair,
  session: RequesterSession,
  exchange: Exchange<T>,
  answer: Uint8Array,
) {
  const first = exchange.next();
  assert.not(first.done);
  const far = pair.responder.state.sessions.get(session.id)!;
  const opened = far.keys.open('request', (first.value as { bytes: Uint8Array }).bytes);
  assert.ok(opened.ok);
  const bytes = far.keys.seal('response', session.id, answer);
  const { value } = exchange.next({ secured: true, bytes });
  return { asked: opened.ok ? toHex(opened.value) : '', value };
}

const KEY_PAIR_INFO = '137c000002013f0001000100ff01000008000000 0000 03'.replaceAll(' ', '');

test('KEY_PAIR_INFO may end with bytes of no field, as the reference has it; nothing else may', () => {
  const pair = new Pair({ version: 0x13 }).authenticate();
  const session = pair.session();
  const { requester } = pair;
  for (const rest of ['', '000000000000']) {
    const ask = getKeyPairInfo(requester, session, 1);
    const { asked, value } = answered(pair, session, ask, fromHex(KEY_PAIR_INFO + rest));
    assert.is(asked, '13fc000001');
    assert.not(isPeerFault(value), JSON.stringify(value));
    assert.is((value as { total: number }).total, 2);
  }
  const beat = answered(pair, session, heartbeat(requester, session), fromHex('1368000000'));
  assert.ok(isPeerFault(beat.value));
});

const overMctp = () => {
  const pair = new Pair({
    requester: { binding: mctpBinding },
    responder: { binding: mctpBinding },
  }).authenticate();
  return { pair, session: pair.session() };
};
const PLDM = 1;

test('another protocol in a session over MCTP keeps its message type', () => {
  const { pair, session } = overMctp();
  const ask = applicationExchange(pair.requester, session, PLDM, fromHex('800002'));
  const { asked, value } = answered(pair, session, ask, fromHex('010000020042'));
  assert.is(asked, '01800002');
  assert.is(toHex(value as Uint8Array), '0000020042');
  assert.ok(pair.requester.sessions.has(session.id));
});

test('an answer of another type, one in the clear, and one that does not open', () => {
  const { pair, session } = overMctp();
  const { requester } = pair;
  const ask = () => applicationExchange(requester, session, PLDM, fromHex('800002'));
  const codeOf = (value: unknown) => (isPeerFault(value) ? value.code : 'no fault');
  const other = answered(pair, session, ask(), fromHex('0512680000'));
  assert.is(codeOf(other.value), 'APPLICATION_ANSWER');
  const plain = ask();
  plain.next();
  const inClear = plain.next({ secured: false, bytes: fromHex('0000020042') });
  assert.is(codeOf(inClear.value), 'APPLICATION_ANSWER');
  const spoilt = ask();
  spoilt.next();
  const far = pair.responder.state.sessions.get(session.id)!;
  const record = far.keys.seal('response', session.id, fromHex('010000020042'));
  const bytes = concat(record.subarray(0, -1), Uint8Array.of(record.at(-1)! ^ 1));
  assert.is(codeOf(spoilt.next({ secured: true, bytes }).value), 'RECORD');
  assert.not(requester.sessions.has(session.id));
});

test('over DOE, and before the handshake is done, a session carries SPDM alone', () => {
  const doe = new Pair().authenticate();
  const inDoe = applicationExchange(doe.requester, doe.session(), PLDM, new Uint8Array(0));
  assert.throws(
    () => inDoe.next(),
    (error: unknown) => error instanceof LocalError,
  );
  const { pair, session } = overMctp();
  session.established = false;
  const early = applicationExchange(pair.requester, session, PLDM, new Uint8Array(0));
  assert.throws(
    () => early.next(),
    (error: unknown) => error instanceof LocalError,
  );
});

test('keys by slot are asked for unless the requester is told not to', () => {
  const flags = { MULTI_KEY_CAP: 2, GET_KEY_PAIR_INFO_CAP: 1 };
  const multiKey = (asksMultiKey?: boolean) => {
    const requester = asksMultiKey === undefined ? {} : { asksMultiKey };
    const pair = new Pair({ version: 0x13, responderFlags: flags, requester });
    return pair.good(negotiate(pair.requester)).multiKeyConn;
  };
  assert.equal([multiKey(), multiKey(true), multiKey(false)], [true, true, false]);
});

const peer = (over: Partial<ProvisionedPeer['selected']> = {}): ProvisionedPeer => ({
  flags: capabilityFlags({ PSK_CAP: 2, ENCRYPT_CAP: 1, MAC_CAP: 1 }),
  selected: { ...suites.P256.algorithms, ...over },
});
const VERSION = '1004000000020012 0011'.replaceAll(' ', '');

/** Feeds VERSION of a responder of 1.1 and 1.2 to a requester that speaks `version`. */
function adopt(version: number, given: ProvisionedPeer) {
  const { requester } = new Pair({ version });
  const exchange = adoptProvisioned(requester, given);
  const sent = exchange.next();
  assert.not(sent.done);
  const bytes = fromHex(VERSION);
  return { requester, sent, step: exchange.next({ secured: false, bytes }) };
}

test('with all provisioned GET_VERSION alone is sent, and VCA is that alone', () => {
  const { requester, sent, step } = adopt(0x12, peer());
  assert.is(toHex((sent.value as { bytes: Uint8Array }).bytes), '10840000');
  assert.ok(step.done && !isPeerFault(step.value));
  const { negotiated } = requester;
  assert.equal(
    [negotiated?.version, negotiated?.baseHash, negotiated?.asym, negotiated?.aead],
    [0x12, 'SHA_256', 'ECDSA_P256', 'AES_256_GCM'],
  );
  assert.ok(negotiated?.opaqueFormat1);
  assert.is(toHex(requester.transcript.a.bytes()), `10840000${VERSION}`);
});

test('a version that is not there is a fault; two algorithms of a kind are the caller’s mistake', () => {
  const none = adopt(0x13, peer());
  assert.ok(none.step.done && isPeerFault(none.step.value));
  assert.is(none.requester.negotiated, undefined);
  assert.throws(
    () => adopt(0x12, peer({ baseAsym: 0x90 })),
    (error: unknown) => error instanceof LocalError && /peer\.selected/.test(error.message),
  );
});

test.run();
