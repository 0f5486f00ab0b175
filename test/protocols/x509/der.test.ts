/** Strict DER: every laxity of BER has its named refusal, and literal encodings read back. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex } from '../../../protocols/codec/bytes.ts';
import { attempt, library, oidText, readStrict } from '../../../protocols/x509/der.ts';
import {
  encodedTime,
  generalizedTimeSeconds,
  NO_EXPIRATION,
  timeText,
  utcTimeSeconds,
} from '../../../protocols/x509/time.ts';

const test = suite('x509 der');

const refused: [name: string, hex: string, code: string, offset: number][] = [
  ['nothing', '', 'TRUNCATED', 0],
  ['tag alone', '30', 'TRUNCATED', 0],
  ['content cut off', '3003 0201', 'TRUNCATED', 0],
  ['child beyond its parent', '3003 020201', 'TRUNCATED', 2],
  ['length cut off', '3082 01', 'TRUNCATED', 1],
  ['bytes after the element', '0500 00', 'TRAILING', 2],
  ['indefinite length', '3080 0000', 'BAD_LENGTH', 1],
  ['length 1 in two bytes', '048101aa', 'BAD_LENGTH', 1],
  ['length 128 in three bytes', `04820080${'00'.repeat(128)}`, 'BAD_LENGTH', 1],
  ['length of four bytes', '308400000000', 'OVER_LIMIT', 1],
  ['end of contents', '3002 0000', 'BAD_VALUE', 2],
  ['tag of many bytes', '1f8101 00', 'BAD_VALUE', 0],
  ['primitive sequence', '1000', 'BAD_VALUE', 0],
  ['constructed octet string', '2404 04020000', 'BAD_VALUE', 0],
  ['boolean that is neither', '010101', 'BAD_VALUE', 0],
  ['boolean of two bytes', '0102ffff', 'BAD_VALUE', 0],
  ['integer without bytes', '0200', 'BAD_VALUE', 0],
  ['integer with a zero too many', '0202007f', 'BAD_VALUE', 0],
  ['integer with a ff too many', '0202ff80', 'BAD_VALUE', 0],
  ['bit string without bytes', '0300', 'BAD_VALUE', 0],
  ['eight unused bits', '03020800', 'BAD_VALUE', 0],
  ['unused bits of nothing', '030101', 'BAD_VALUE', 0],
  ['unused bits set', '03020181', 'BAD_VALUE', 0],
  ['null with bytes', '050100', 'BAD_VALUE', 0],
  ['identifier without bytes', '0600', 'BAD_VALUE', 0],
  ['identifier cut in an arc', '06022a86', 'BAD_VALUE', 0],
  ['identifier arc with a zero in front', '06032a8001', 'BAD_VALUE', 0],
];
for (const [name, hex, code, offset] of refused)
  test(`refused: ${name}`, () => {
    const bytes = fromHex(hex);
    const result = attempt(bytes.length, () => readStrict(bytes, 'x'));
    assert.is(result.ok, false);
    if (!result.ok) assert.equal([result.code, result.offset], [code, offset]);
  });

const accepted = [
  '3000',
  '3100',
  '0101ff',
  '010100',
  '020100',
  '0202ff7f',
  '02020080',
  '030100',
  '03020780',
  '0500',
  `048180${'00'.repeat(128)}`,
  'a003020102',
  '8002aabb',
];
test('accepted: minimal forms', () => {
  for (const hex of accepted) {
    const bytes = fromHex(hex);
    assert.ok(attempt(bytes.length, () => readStrict(bytes, 'x')).ok, hex);
  }
});

/** `depth` sequences inside each other. */
function nested(depth: number): Uint8Array {
  let inner: Uint8Array = new Uint8Array(0);
  for (let i = 0; i < depth; i++) {
    const n = inner.length;
    const head = n < 128 ? [0x30, n] : [0x30, 0x82, n >> 8, n & 0xff];
    inner = concat(Uint8Array.from(n >= 128 && n < 256 ? [0x30, 0x81, n] : head), inner);
  }
  return inner;
}
test('nesting is bounded', () => {
  const read = (bytes: Uint8Array) => attempt(bytes.length, () => readStrict(bytes, 'x'));
  assert.ok(read(nested(33)).ok);
  for (const depth of [34, 1000]) {
    const result = read(nested(depth));
    assert.is(result.ok ? '' : result.code, 'OVER_LIMIT');
  }
});

test('random bytes end in a value or a refusal', () => {
  const property = fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    const result = attempt(bytes.length, () => readStrict(bytes, 'x'));
    if (!result.ok) assert.ok(result.offset <= bytes.length);
  });
  fc.assert(property, { seed: 1, numRuns: 2000 });
});

test('a bug is not taken for a refusal', () => {
  const bug = () => {
    throw new RangeError('bug');
  };
  assert.throws(() => attempt(0, bug), 'bug');
  const wrapped = attempt(0, () => library('path', 3, bug));
  assert.equal(wrapped.ok ? '' : [wrapped.code, wrapped.path, wrapped.offset], [
    'BAD_VALUE',
    'path',
    3,
  ]);
});

const identifiers: [hex: string, text: string][] = [
  ['2b06010401831c821201', '1.3.6.1.4.1.412.274.1'],
  ['678105050401', '2.23.133.5.4.1'],
  ['00', '0.0'],
  ['27', '0.39'],
  ['28', '1.0'],
  ['4f', '1.39'],
  ['50', '2.0'],
  ['883703', '2.999.3'],
  ['6983ffffffffffffffffffffffffffffffffff7f', '2.25.340282366920938463463374607431768211455'],
];
test('identifiers', () => {
  for (const [hex, text] of identifiers) assert.is(oidText(fromHex(hex)), text);
  assert.is(oidText(new Uint8Array(129).fill(1)), undefined);
});

const times: [text: string, seconds: number][] = [
  ['19700101000000Z', 0],
  ['19691231235959Z', -1],
  ['20000229120000Z', 951_825_600],
  ['20241231235959Z', 1_735_689_599],
  ['21000301000000Z', 4_107_542_400],
  ['99991231235959Z', NO_EXPIRATION],
  ['00000101000000Z', -62_167_219_200],
];
test('GeneralizedTime to seconds and back', () => {
  for (const [text, seconds] of times) {
    assert.is(generalizedTimeSeconds(text), seconds, text);
    assert.is(timeText(seconds).replace(/[-:T]/g, ''), text);
  }
});
test('seconds agree with the calendar of the platform', () => {
  const property = fc.property(fc.integer({ min: -62_167_219_200, max: NO_EXPIRATION }), (s) => {
    const iso = new Date(s * 1000).toISOString().replace('.000', '');
    assert.is(timeText(s), iso);
    assert.is(generalizedTimeSeconds(iso.replace(/[-:T]/g, '')), s);
  });
  fc.assert(property, { seed: 1, numRuns: 2000 });
});
test('UTCTime pivots at 50', () => {
  assert.is(utcTimeSeconds('491231235959Z'), generalizedTimeSeconds('20491231235959Z'));
  assert.is(utcTimeSeconds('500101000000Z'), generalizedTimeSeconds('19500101000000Z'));
  assert.equal(encodedTime('19500101000000Z'), { kind: 'UTCTime', text: '500101000000Z' });
  assert.equal(encodedTime('19491231235959Z').kind, 'GeneralizedTime');
});
const noTimes = [
  '',
  '20250101000000',
  '202501010000Z',
  '20250101000000+',
  '20250101000000.5Z',
  '20251301000000Z',
  '20250001000000Z',
  '20250100000000Z',
  '20250229000000Z',
  '21000229000000Z',
  '20250101240000Z',
  '20250101006000Z',
  '20250101000060Z',
  '2025010100000 Z',
];
test('what is no time', () => {
  for (const text of noTimes) {
    assert.is(generalizedTimeSeconds(text), undefined, text);
    assert.throws(() => encodedTime(text), /^time: /);
  }
  for (const text of ['250101000000', '2501010000Z', '20250101000000Z', '250101000000+0100'])
    assert.is(utcTimeSeconds(text), undefined, text);
});

test.run();
