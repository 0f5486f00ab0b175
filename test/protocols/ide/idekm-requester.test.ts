import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../protocols/codec/refusal.ts';
import type { VendorExchange } from '../../../protocols/engine.ts';
import {
  goStream,
  keyProg,
  keyStream,
  partnerKeys,
  query,
  setGo,
  setStop,
  stopStream,
} from '../../../protocols/ide/index.ts';
import { endpointKeys, local, testKey } from './pair.ts';

const test = suite('idekm requester');

const target = { portIndex: 1, streamId: 7, keySet: 1, direction: 'TX', subStream: 2 } as const;
const key = fromHex('df254152056e02e0ef8b7feb9739d4d96a4eb80103241df7cd5e24b49ccd2720');
const WIRE = '524125dfe0026e05eb7f8befd9d4399701b84e6af71d2403b4245ecd2027cd9c';

/** Drives an exchange with fixed answers; what it sent and how it ended. */
function drive<T>(exchange: VendorExchange<T>, answers: readonly Uint8Array[]) {
  const sent: string[] = [];
  let step = exchange.next();
  for (const answer of answers) {
    if (step.done === true) break;
    sent.push(toHex(step.value));
    step = exchange.next(answer);
  }
  return { sent, done: step.done === true, value: step.done === true ? step.value : undefined };
}

const QUERY_RESP = (o: { port?: string; max?: string; registers?: string } = {}) =>
  `0100 ${o.port ?? '01'} 0a 02 03 ${o.max ?? '04'} ${o.registers ?? '40000000 00000000'}`;

type Row = [name: string, exchange: () => VendorExchange<unknown>, answer: string, end: string];
const rows: readonly Row[] = [
  ['keyProg', () => keyProg(target, key), '030000 07 00 23 01', 'true'],
  ['keyProg, status 1', () => keyProg(target, key), '030000 07 01 23 01', 'IDEKM_INCORRECT_LENGTH'],
  [
    'keyProg, status 2',
    () => keyProg(target, key),
    '030000 07 02 23 01',
    'IDEKM_UNSUPPORTED_PORT_INDEX',
  ],
  [
    'keyProg, status 3',
    () => keyProg(target, key),
    '030000 07 03 23 01',
    'IDEKM_UNSUPPORTED_VALUE',
  ],
  [
    'keyProg, status 4',
    () => keyProg(target, key),
    '030000 07 04 23 01',
    'IDEKM_UNSPECIFIED_FAILURE',
  ],
  ['keyProg, status 5', () => keyProg(target, key), '030000 07 05 23 01', 'IDEKM_UNKNOWN_STATUS'],
  [
    'keyProg, other stream',
    () => keyProg(target, key),
    '030000 08 00 23 01',
    'IDEKM_ECHO_MISMATCH',
  ],
  ['keyProg, other key', () => keyProg(target, key), '030000 07 00 03 01', 'IDEKM_ECHO_MISMATCH'],
  ['keyProg, other port', () => keyProg(target, key), '030000 07 00 23 00', 'IDEKM_ECHO_MISMATCH'],
  [
    'keyProg, GOSTOP_ACK',
    () => keyProg(target, key),
    '060000 07 00 23 01',
    'IDEKM_UNEXPECTED_ANSWER',
  ],
  ['keyProg, short', () => keyProg(target, key), '030000 07 00 23', 'IDEKM_MALFORMED_ANSWER'],
  ['keyProg, empty', () => keyProg(target, key), '', 'IDEKM_MALFORMED_ANSWER'],
  ['setGo', () => setGo(target), '060000 07 00 23 01', 'true'],
  ['setGo, other sub-stream', () => setGo(target), '060000 07 00 13 01', 'IDEKM_ECHO_MISMATCH'],
  ['setGo, KP_ACK', () => setGo(target), '030000 07 00 23 01', 'IDEKM_UNEXPECTED_ANSWER'],
  ['setStop', () => setStop(target), '060000 07 00 23 01', 'true'],
  ['setStop, long', () => setStop(target), '060000 07 00 23 01 00', 'IDEKM_MALFORMED_ANSWER'],
  ['query, other port', () => query(1), QUERY_RESP({ port: '00' }), 'IDEKM_ECHO_MISMATCH'],
  ['query, impossible max', () => query(1), QUERY_RESP({ max: '00' }), 'IDEKM_MALFORMED_ANSWER'],
  [
    'query, one register',
    () => query(1),
    QUERY_RESP({ registers: '40000000' }),
    'IDEKM_MALFORMED_ANSWER',
  ],
  ['query, half a register', () => query(1), `${QUERY_RESP()} 00`, 'IDEKM_MALFORMED_ANSWER'],
  [
    'query, a register too many',
    () => query(1),
    `${QUERY_RESP()} 00000000 01000000`,
    'IDEKM_MALFORMED_ANSWER',
  ],
  [
    'query, streams announced and missing',
    () => query(1),
    QUERY_RESP({ registers: '0200ff00 00000000' }),
    'IDEKM_MALFORMED_ANSWER',
  ],
  ['query, KP_ACK', () => query(1), '030000 07 00 23 01', 'IDEKM_UNEXPECTED_ANSWER'],
];
for (const [name, exchange, answer, end] of rows)
  test(name, () => {
    const { value, done } = drive(exchange(), [fromHex(answer)]);
    assert.ok(done);
    assert.is(isPeerFault(value) ? value.code : String(value), end);
  });

test('bytes sent', () => {
  assert.equal(drive(query(5), [new Uint8Array(0)]).sent, ['000005']);
  assert.equal(drive(keyProg(target, key), [new Uint8Array(0)]).sent, [
    `02000007002301${WIRE}0000000001000000`,
  ]);
  assert.equal(drive(setGo(target), [new Uint8Array(0)]).sent, ['04000007002301']);
  assert.equal(drive(setStop(target), [new Uint8Array(0)]).sent, ['05000007002301']);
});

test('query: zeros behind the last block are padding', () => {
  const whole = drive(query(1), [fromHex(QUERY_RESP())]).value;
  const padded = drive(query(1), [fromHex(`${QUERY_RESP()} 00000000 00000000`)]).value;
  assert.not(isPeerFault(padded));
  assert.equal(padded, whole);
});

test('query: what it returns', () => {
  const { value } = drive(query(1), [fromHex(QUERY_RESP())]);
  assert.not(isPeerFault(value));
  const answer = value as Exclude<typeof value, undefined> & { rid: number };
  assert.is(answer.rid, 0x020a);
});

const acks = (id: number) =>
  ['00', '10', '20', '02', '12', '22'].map((sub) => fromHex(`0${id}0000 07 00 ${sub} 00`));
const set = { portIndex: 0, streamId: 7, keySet: 0 } as const;

test('keyStream: six keys, RX first, each to its own slot', () => {
  const keys = endpointKeys(1);
  const { sent, value } = drive(keyStream(set, keys), acks(3));
  assert.is(value, true);
  assert.equal(
    sent.map((hex) => hex.slice(10, 12)),
    ['00', '10', '20', '02', '12', '22'],
  );
  assert.is(new Set(sent.map((hex) => hex.slice(14, 78))).size, 6);
  assert.equal(partnerKeys(keys).TX, keys.RX);
  assert.throws(() => drive(keyStream(set, { RX: [], TX: [] }), acks(3)), local('keys.RX'));
  assert.throws(() => drive(keyProg(target, testKey(1).subarray(1)), []), local('key'));
});

test('keyStream, goStream and stopStream end at the first fault', () => {
  const bad = fromHex('060000 07 00 ff 00');
  for (const [make, id] of [
    [() => keyStream(set, endpointKeys(1)), 3],
    [() => goStream(set, 'RX'), 6],
    [() => stopStream(set), 6],
  ] as const) {
    const { sent, value } = drive(make(), [acks(id)[0]!, bad, ...acks(id)]);
    assert.is(sent.length, 2);
    assert.ok(isPeerFault(value));
  }
  assert.is(drive(stopStream(set), acks(6)).value, true);
  assert.is(drive(goStream(set, 'TX'), acks(6).slice(3)).value, true);
});

test('random answers end in a fault, never in a throw or another question', () => {
  const makers = [() => query(1), () => keyProg(target, key), () => setGo(target)];
  const answers = fc.tuple(fc.nat(8), fc.uint8Array({ maxLength: 40 }));
  fc.assert(
    fc.property(fc.nat(2), answers, (which, [id, rest]) => {
      const { done, value } = drive(makers[which]!() as VendorExchange<unknown>, [
        Uint8Array.of(id, ...rest),
      ]);
      assert.ok(done);
      assert.ok(isPeerFault(value));
    }),
    { seed: 1, numRuns: 2000 },
  );
});

test.run();
