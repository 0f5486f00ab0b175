/** Secured message records (DSP0277): layout, nonce, what is protected, and what is refused. */

import { createCipheriv, createDecipheriv } from 'node:crypto';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, concat, fromHex, le, readLE, toHex } from '../../../protocols/codec/bytes.ts';
import { mutations } from '../../../protocols/codec/mutate.ts';
import { LocalError, RefusalCodes } from '../../../protocols/codec/refusal.ts';
import { type AeadName, aeadAlgorithms } from '../../../protocols/crypto/algorithms.ts';
import {
  doeBinding,
  fromApplicationData,
  mctpBinding,
  openRecord,
  type RecordBinding,
  type RecordDirection,
  type RecordScope,
  recordIv,
  recordSessionId,
  sealRecord,
  securedRecordLayouts,
  toApplicationData,
} from '../../../protocols/spdm/secured-message.ts';
import { crypto, flipped } from './pair.ts';

const test = suite('spdm secured message');

const SESSION = 0xfffe_fffd;
const MESSAGE = fromHex('12 e0 00 ff');
const IV = fromHex('0102030405060708090a0b0c');
const key = (aead: AeadName) =>
  Uint8Array.from({ length: aeadAlgorithms[aead].keySize }, (_, i) => 0x40 + i);

const scopeOf = (
  binding: RecordBinding,
  encrypted = true,
  aead: AeadName = 'AES_256_GCM',
): RecordScope => ({ crypto, aead, binding, encrypted });
const directionOf = (sequence = 0, aead: AeadName = 'AES_256_GCM'): RecordDirection => ({
  keys: { secret: new Uint8Array(32), key: key(aead), iv: IV },
  sequence,
});

const ivs: [name: string, sequence: number, iv: string][] = [
  ['zero leaves the salt', 0, '0102030405060708090a0b0c'],
  ['0x0102 in the first bytes', 0x0102, '0303030405060708090a0b0c'],
  ['a byte', 0xff, 'fe02030405060708090a0b0c'],
  ['32 bits', 0xffffffff, 'fefdfcfb05060708090a0b0c'],
  ['2^32 + 5', 0x1_0000_0005, '0402030404060708090a0b0c'],
  ['53 bits', Number.MAX_SAFE_INTEGER, 'fefdfcfbfaf91808090a0b0c'],
];
for (const [name, sequence, iv] of ivs)
  test(`IV: ${name}`, () => {
    const salt = IV.slice();
    assert.is(toHex(recordIv(salt, sequence)), iv);
    assert.equal(salt, IV, 'the salt is not touched');
  });

/** The record opened with nothing but node:crypto, from the clause's own words. */
function openByHand(record: Uint8Array, sequenceBytes: number, sequence: number, aead: AeadName) {
  const headSize = 4 + sequenceBytes + 2;
  const iv = IV.slice();
  new DataView(iv.buffer).setBigUint64(
    0,
    new DataView(IV.buffer, IV.byteOffset).getBigUint64(0, true) ^ BigInt(sequence),
    true,
  );
  const name = { AES_128_GCM: 'aes-128-gcm', AES_256_GCM: 'aes-256-gcm' } as const;
  const cipher = (name as Record<string, string>)[aead] ?? 'chacha20-poly1305';
  const decipher = createDecipheriv(cipher as 'aes-256-gcm', key(aead), iv, { authTagLength: 16 });
  const length = readLE(record, headSize - 2, 2);
  const sealed = record.subarray(headSize, headSize + length);
  decipher.setAAD(record.subarray(0, headSize), { plaintextLength: length - 16 });
  decipher.setAuthTag(sealed.subarray(-16));
  const text = decipher.update(sealed.subarray(0, -16));
  decipher.final();
  return new Uint8Array(text);
}

for (const aead of ['AES_128_GCM', 'AES_256_GCM', 'CHACHA20_POLY1305'] as const)
  for (const binding of [doeBinding, mctpBinding])
    for (const sequence of [0, 1, 0x12345, 0x1_0000_0001])
      test(`${aead} on ${binding.name}, record ${sequence}, opens by hand`, () => {
        const scope = scopeOf(binding, true, aead);
        const record = sealRecord(scope, directionOf(sequence, aead), SESSION, MESSAGE);
        const wire = le(sequence, binding.sequenceBytes);
        const length = le(2 + MESSAGE.length + 16, 2);
        assert.is(toHex(record.subarray(0, 4)), 'fdfffeff');
        assert.equal(record.subarray(4, 6 + wire.length), concat(wire, length));
        assert.is(record.length, 6 + wire.length + 22);
        const text = openByHand(record, wire.length, sequence, aead);
        assert.equal(text, concat(le(MESSAGE.length, 2), MESSAGE));
      });

test('MAC only: the data stays readable, and head and data are authenticated', () => {
  const record = sealRecord(scopeOf(doeBinding, false), directionOf(7), SESSION, MESSAGE);
  const head = concat(fromHex('fdfffeff'), le(MESSAGE.length + 16, 2));
  assert.equal(record.subarray(0, 10), concat(head, MESSAGE));
  const iv = fromHex('0602030405060708090a0b0c');
  const cipher = createCipheriv('aes-256-gcm', key('AES_256_GCM'), iv);
  cipher.setAAD(concat(head, MESSAGE));
  cipher.final();
  assert.equal(record.subarray(10), new Uint8Array(cipher.getAuthTag()));
});

const forms: [RecordBinding, boolean][] = [
  [doeBinding, true],
  [doeBinding, false],
  [mctpBinding, true],
  [mctpBinding, false],
];
for (const [binding, encrypted] of forms) {
  const name = `${binding.name} ${encrypted ? 'encrypted' : 'MAC only'}`;
  const scope = scopeOf(binding, encrypted);
  const made = (sequence = 0) => sealRecord(scope, directionOf(sequence), SESSION, MESSAGE);

  test(`${name}: what was sealed opens, in order`, () => {
    const sender = directionOf();
    const receiver = directionOf();
    for (let i = 0; i < 3; i++) {
      const message = concat(MESSAGE, new Uint8Array(i));
      const opened = openRecord(scope, receiver, sealRecord(scope, sender, SESSION, message));
      assert.equal(opened, { ok: true, value: message, size: message.length });
      assert.is(receiver.sequence, i + 1);
      assert.is(sender.sequence, i + 1);
    }
  });

  test(`${name}: every flipped bit is refused, and the sequence number stays`, () => {
    const record = made(5);
    for (let at = 0; at < record.length; at++)
      for (let bit = 0; bit < 8; bit++) {
        const receiver = directionOf(5);
        const opened = openRecord(scope, receiver, flipped(record, at, 1 << bit));
        assert.is(opened.ok, false, `byte ${at} bit ${bit}`);
        assert.is(receiver.sequence, 5);
      }
  });

  test(`${name}: every cut is refused`, () => {
    const record = made();
    for (let size = 0; size < record.length; size++) {
      const receiver = directionOf();
      assert.is(openRecord(scope, receiver, record.slice(0, size)).ok, false, `${size} bytes`);
      assert.is(receiver.sequence, 0);
    }
  });

  test(`${name}: DW padding after the record is ignored`, () => {
    const opened = openRecord(scope, directionOf(), concat(made(), new Uint8Array(3)));
    assert.equal(opened, { ok: true, value: MESSAGE, size: MESSAGE.length });
  });

  test(`${name}: another session's, a repeated and a skipped record are refused`, () => {
    const other = made();
    other.set(le(SESSION - 1, 4), 0);
    assert.is(openRecord(scope, directionOf(), other).ok, false);
    assert.is(openRecord(scope, directionOf(1), made(0)).ok, false);
    assert.is(openRecord(scope, directionOf(0), made(1)).ok, false);
  });

  test(`${name}: lies in the layout are refused or harmless, and never throw`, () => {
    const record = made();
    const harmless = ['end:one-byte-more'];
    for (const { name: lie, bytes } of mutations(securedRecordLayouts[binding.name], record)) {
      const opened = openRecord(scope, directionOf(), bytes);
      assert.is(opened.ok, harmless.includes(lie), lie);
    }
  });
}

test('the code of a refusal says what was wrong', () => {
  const scope = scopeOf(mctpBinding);
  const record = sealRecord(scope, directionOf(2), SESSION, MESSAGE);
  const codes: [string, Uint8Array, string, string][] = [
    ['wrong tag', flipped(record, record.length - 1, 1), RefusalCodes.BAD_VALUE, 'Tag'],
    ['sequence', flipped(record, 4, 1), RefusalCodes.BAD_VALUE, 'SequenceNumber'],
    ['no tag', fromHex(`fdfffeff 0200 0f00${'00'.repeat(15)}`), RefusalCodes.BAD_LENGTH, 'Length'],
    ['cut', record.slice(0, -1), RefusalCodes.TRUNCATED, 'Sealed'],
    ['head', record.slice(0, 5), RefusalCodes.TRUNCATED, 'SequenceNumber'],
  ];
  for (const [name, bytes, code, path] of codes) {
    const opened = openRecord(scope, directionOf(2), bytes);
    assert.is(opened.ok, false, name);
    if (!opened.ok) assert.equal([opened.code, opened.path], [code, path], name);
  }
});

/** A record sealed under the right key around any text, the inner length included. */
function around(text: Uint8Array): Uint8Array {
  const head = concat(le(SESSION, 4), le(text.length + 16, 2));
  return concat(head, crypto.aeadSeal('AES_256_GCM', key('AES_256_GCM'), IV, head, text));
}
const inner: [name: string, text: string, result: string][] = [
  ['length of the data', '0200 aabb', 'aabb'],
  ['random padding after the data', '0200 aabb 99887766', 'aabb'],
  ['no data', '0000', ''],
  ['padding only', '0000 99', ''],
  ['one byte more than there is', '0300 aabb', 'BAD_LENGTH'],
  ['all ones', 'ffff aabb', 'BAD_LENGTH'],
  ['no length', '', 'TRUNCATED'],
  ['half a length', '01', 'TRUNCATED'],
];
for (const [name, text, result] of inner)
  test(`ApplicationDataLength: ${name}`, () => {
    const receiver = directionOf();
    const opened = openRecord(scopeOf(doeBinding), receiver, around(fromHex(text)));
    assert.is(opened.ok ? toHex(opened.value) : opened.code, result);
    assert.is(receiver.sequence, opened.ok ? 1 : 0);
  });

test('on MCTP only the low 16 bits travel; the whole number stands in the IV', () => {
  const scope = scopeOf(mctpBinding);
  const record = sealRecord(scope, directionOf(0x1_0003), SESSION, MESSAGE);
  assert.is(toHex(record.subarray(4, 6)), '0300');
  assert.ok(openRecord(scope, directionOf(0x1_0003), record).ok);
  assert.not.ok(openRecord(scope, directionOf(3), record).ok);
});

test('on MCTP a message keeps its type byte inside; on DOE there is none', () => {
  assert.equal(toApplicationData(doeBinding, MESSAGE), MESSAGE);
  assert.equal(toApplicationData(mctpBinding, MESSAGE), concat(Uint8Array.of(5), MESSAGE));
  const data = (hex: string) => ({ ok: true, value: fromHex(hex), size: 2 }) as const;
  const taken = fromApplicationData(mctpBinding, data('05aa'));
  assert.equal(taken, { ok: true, value: fromHex('aa'), size: 1 });
  for (const hex of ['06aa', '']) {
    const refused = fromApplicationData(mctpBinding, data(hex));
    assert.is(refused.ok ? 'ok' : refused.code, RefusalCodes.UNKNOWN_CODE);
  }
  assert.equal(fromApplicationData(doeBinding, data('05aa')), data('05aa'));
});

test('our own mistakes throw', () => {
  const scope = scopeOf(doeBinding);
  const worn = directionOf(Number.MAX_SAFE_INTEGER);
  const wants = (what: RegExp) => (error: unknown) =>
    error instanceof LocalError && what.test(error.message);
  assert.throws(() => sealRecord(scope, worn, SESSION, MESSAGE), wants(/sequence numbers/));
  const largest = new Uint8Array(0xffff - 18);
  const fresh = directionOf();
  const opened = openRecord(scope, directionOf(), sealRecord(scope, fresh, SESSION, largest));
  assert.ok(opened.ok);
  const tooLong = () => sealRecord(scope, fresh, SESSION, new Uint8Array(0xffff - 17));
  assert.throws(tooLong, wants(/message/));
  assert.is(fresh.sequence, 1, 'nothing was sent');
});

test('SessionID of any bytes', () => {
  assert.is(recordSessionId(fromHex('fdfffeff00')), SESSION);
  assert.is(recordSessionId(fromHex('fdfffe')), undefined);
});

test('no bytes at all make it throw or open', () => {
  const bytes = fc.uint8Array({ maxLength: 64 });
  fc.assert(
    fc.property(bytes, fc.constantFrom(...forms), (record, [binding, encrypted]) => {
      const receiver = directionOf();
      assert.is(openRecord(scopeOf(binding, encrypted), receiver, record).ok, false);
      assert.is(receiver.sequence, 0);
    }),
    { seed: 1, numRuns: 500 },
  );
});

test('text of any size goes through', () => {
  const scope = scopeOf(doeBinding);
  for (const size of [0, 1, 15, 16, 17, 4096]) {
    const message = concat(ascii('x'.repeat(size)));
    const opened = openRecord(
      scope,
      directionOf(),
      sealRecord(scope, directionOf(), SESSION, message),
    );
    assert.ok(opened.ok && toHex(opened.value) === toHex(message), `${size} bytes`);
  }
});

test.run();
