/** Completions against literal bytes and against a byte-by-byte account of what a read asks for. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import { cfgRead, cfgWrite, memoryRead, memoryWrite } from '../../../protocols/tlp/build.ts';
import {
  completion,
  completionFor,
  returnsData,
  splitCompletions,
} from '../../../protocols/tlp/complete.ts';
import { encodeTlp } from '../../../protocols/tlp/header-codec.ts';
import {
  byteEnabled,
  operandBytes,
  transferAddress,
  transferBytes,
  transferData,
} from '../../../protocols/tlp/transfer.ts';
import { validate } from '../../../protocols/tlp/validate.ts';

const hexOf = (text: string): string => toHex(fromHex(text));
const completerId = 0x0100;
const host = { requesterId: 0x0001, tag: 0x2a5, tc: 5, attr: 5 };
const cfg = { requesterId: 0, tag: 5, type: 0, destinationId: 0x0100, register: 0 } as const;
const read = (address: number, length: number) => memoryRead({ ...host, address, length });

const four = new Uint8Array(4);
const VECTORS: readonly (readonly [string, Uint8Array, string])[] = [
  [
    'CplD to a configuration read',
    completionFor(cfgRead(cfg), { completerId, data: fromHex('86803412') }),
    '4a000001 01000004 00000500 86803412',
  ],
  [
    'Cpl to a configuration write',
    completionFor(cfgWrite({ ...cfg, data: 0 }), { completerId }),
    '0a000000 01000004 00000500',
  ],
  [
    'RRS to a configuration read',
    completionFor(cfgRead(cfg), { completerId, status: 2 }),
    '0a000000 01004004 00000500',
  ],
  [
    'CplD to a memory read of 6 bytes at 0x1003: TC, Attr and Tag echoed',
    completionFor(read(0x1003, 6), { completerId, data: fromHex('010203040506') }),
    '4ad41003 01000006 0001a503 00000001 02030405 06000000',
  ],
  [
    'UR to a memory read keeps byte count and lower address',
    completionFor(read(0x10f4, 12), { completerId, status: 1 }),
    '0ad41000 0100200c 0001a574',
  ],
  [
    'CplD to a zero-length read: one DW, byte count 1',
    completionFor(read(0x1000, 0), { completerId, data: new Uint8Array(0) }),
    '4ad41001 01000001 0001a500 00000000',
  ],
  [
    'CplD of 4 KiB: Length 0, Byte Count 0',
    completionFor(read(0x1000, 4096), { completerId, data: new Uint8Array(4096) }).subarray(0, 12),
    '4ad41000 01000000 0001a500',
  ],
  [
    'CplDLk to a locked read, poisoned',
    completionFor(
      encodeTlp('MRdLk64', { Length: 1, 'First DW BE': 15, 'Address[63:32]': 1, Tag: 7 }),
      { completerId, data: fromHex('aabbccdd'), poisoned: true },
    ),
    '4b004001 01000004 00000700 aabbccdd',
  ],
  [
    'CplLk: CA to a locked read',
    completionFor(encodeTlp('MRdLk32', { Length: 1, 'First DW BE': 15 }), {
      completerId,
      status: 4,
    }),
    '0b000000 01008004 00000000',
  ],
  [
    'CplD to a compare-and-swap returns one operand and no lower address',
    completionFor(encodeTlp('CAS32', { 'Address[31:2]': 0x1d }, new Uint8Array(8)), {
      completerId,
      data: fromHex('11223344'),
    }),
    '4a000001 01000004 00000000 11223344',
  ],
  [
    'CplD to FetchAdd of 8 bytes',
    completionFor(encodeTlp('FetchAdd32', {}, new Uint8Array(8)), {
      completerId,
      data: fromHex('1122334455667788'),
    }),
    '4a000002 01000008 00000000 1122334455667788',
  ],
  [
    'Cpl to a deferrable memory write',
    completionFor(encodeTlp('DMWr32', { 'First DW BE': 15 }, new Uint8Array(4)), { completerId }),
    '0a000000 01000004 00000000',
  ],
];

const vectors = suite('tlp complete: vectors');
for (const [name, tlp, hex] of VECTORS) vectors(name, () => assert.is(toHex(tlp), hexOf(hex)));
vectors('every argument lands where the bit-field tables have it', () => {
  const given = fc.record({
    completerId: fc.nat(0xffff),
    requesterId: fc.nat(0xffff),
    tag: fc.nat(1023),
    status: fc.nat(7),
    byteCount: fc.integer({ min: 1, max: 4096 }),
    tc: fc.nat(7),
    attr: fc.nat(7),
    poisoned: fc.boolean(),
  });
  fc.assert(
    fc.property(given, (options) => {
      const fields = {
        'Completer ID': options.completerId,
        'Requester ID': options.requesterId,
        Tag: options.tag,
        'Completion Status': options.status,
        'Byte Count': options.byteCount % 4096,
        TC: options.tc,
        Attr: options.attr,
        EP: options.poisoned ? 1 : 0,
      };
      assert.is(toHex(completion(options)), toHex(encodeTlp('Cpl', fields)));
      const locked = completion({ ...options, locked: true, lowerAddress: 0x7c, data: four });
      assert.is(
        toHex(locked),
        toHex(encodeTlp('CplDLk', { ...fields, 'Lower Address': 0x7c }, four)),
      );
    }),
    { seed: 1, numRuns: 500 },
  );
});
vectors('which requests return data', () => {
  assert.is(returnsData(read(0, 4)), true);
  assert.is(returnsData(cfgWrite({ ...cfg, data: 0 })), false);
  assert.is(returnsData(encodeTlp('Swap64', { 'Address[63:32]': 1 }, new Uint8Array(4))), true);
  assert.is(operandBytes(encodeTlp('Swap64', {}, new Uint8Array(4))), 4);
});
vectors.run();

const mistakes = suite('tlp complete: mistakes of the caller');
const write = memoryWrite({ ...host, address: 0, data: new Uint8Array(4) });
const bare = { completerId, requesterId: 0, tag: 0, byteCount: 4 };
const split = { completerId, data: four, rcb: 64, maxPayload: 128 };
const MISTAKES: readonly (readonly [string, () => unknown, RegExp])[] = [
  ['posted request', () => completionFor(write, { completerId }), /^request/],
  ['no data for a read', () => completionFor(read(0, 4), { completerId }), /^data/],
  [
    'data with UR',
    () => completionFor(read(0, 4), { completerId, status: 1, data: four }),
    /^data/,
  ],
  ['too little data', () => completionFor(read(0, 5), { completerId, data: four }), /^data/],
  ['byte count 0', () => completion({ ...bare, byteCount: 0 }), /^byteCount/],
  ['byte count 4097', () => completion({ ...bare, byteCount: 4097 }), /^byteCount/],
  ['status', () => completion({ ...bare, status: 8 }), /^status/],
  ['lower address', () => completion({ ...bare, lowerAddress: 128 }), /^lowerAddress/],
  ['completer', () => completion({ ...bare, completerId: 65536 }), /^completerId/],
  ['requester', () => completion({ ...bare, requesterId: -1 }), /^requesterId/],
  ['tag', () => completion({ ...bare, tag: 1024 }), /^tag/],
  [
    'data past 4 KiB',
    () => completion({ ...bare, lowerAddress: 1, data: new Uint8Array(4096) }),
    /^data/,
  ],
  ['rcb', () => splitCompletions(read(0, 4), { ...split, rcb: 32 }), /^rcb/],
  [
    'payload below rcb',
    () => splitCompletions(read(0, 4), { ...split, maxPayload: 32 }),
    /^maxPayload/,
  ],
  ['payload 0', () => splitCompletions(read(0, 4), { ...split, maxPayload: 0 }), /^maxPayload/],
  ['split of a write', () => splitCompletions(write, split), /^request/],
  ['split of config', () => splitCompletions(cfgRead(cfg), split), /^request/],
  ['split data', () => splitCompletions(read(0, 5), split), /^data/],
];
for (const [name, call, pattern] of MISTAKES)
  mistakes(name, () => {
    assert.throws(call, (e: unknown) => e instanceof LocalError && pattern.test(e.message));
  });
mistakes.run();

/** Byte addresses a memory request enables, one by one, from its raw bytes. */
function enabledBytes(request: Uint8Array): number[] {
  const header = (request[0]! & 0x20) === 0 ? 12 : 16;
  const low = new DataView(request.buffer, request.byteOffset).getUint32(header - 4) & ~3;
  const length = (request[2]! & 3) * 256 + request[3]! || 1024;
  const out: number[] = [];
  for (let i = 0; i < length * 4; i++) {
    let be = 0xf;
    if (i < 4) be = request[7]! & 0xf;
    else if (i >= length * 4 - 4) be = request[7]! >> 4;
    if (((be >> (i % 4)) & 1) === 1) out.push((low >>> 0) + i);
  }
  return out;
}

const account = suite('tlp complete: byte by byte');
account('byte count and lower address for all byte enables of 1, 2 and 3 DW', () => {
  for (let dws = 1; dws <= 3; dws++)
    for (let be = 0; be < 256; be++) {
      const [first, last] = [be & 0xf, be >> 4];
      if (dws === 1 ? last !== 0 : first === 0 || last === 0) continue;
      const request = encodeTlp('MRd32', {
        Length: dws,
        'First DW BE': first,
        'Last DW BE': last,
        'Address[31:2]': 0x11f,
      });
      const wanted = enabledBytes(request);
      const from = wanted[0] ?? 0x47c;
      const span = wanted.length === 0 ? 0 : wanted.at(-1)! - from + 1;
      assert.is(transferBytes(request), span, `${dws} ${be}`);
      assert.is(transferAddress(request), from, `${dws} ${be}`);
      const reply = completionFor(request, { completerId, data: new Uint8Array(span) });
      assert.is((reply[6]! & 0xf) * 256 + reply[7]!, Math.max(1, span), `${dws} ${be}`);
      assert.is(reply[11], from % 128, `${dws} ${be}`);
      assert.is(validate(reply), undefined);
    }
});
account('byte enables of a write, byte by byte', () => {
  for (let dws = 1; dws <= 3; dws++)
    for (let be = 0; be < 256; be++) {
      const fields = { 'First DW BE': be & 0xf, 'Last DW BE': be >> 4, 'Address[31:2]': 0 };
      if (dws === 1 && be >> 4 !== 0) continue;
      const request = encodeTlp('MWr32', fields, new Uint8Array(4 * dws));
      const wanted = new Set(enabledBytes(request));
      for (let i = 0; i < 4 * dws + 4; i++) assert.is(byteEnabled(request, i), wanted.has(i));
    }
});
account('a read with a steering tag in place of byte enables means all bytes', () => {
  const fields = { Length: 2, TH: 1, 'First DW BE': 4, 'Last DW BE': 2, 'Address[31:2]': 4 };
  const request = encodeTlp('MRd32', fields);
  assert.is(transferAddress(request), 16);
  assert.is(transferBytes(request), 8);
  assert.is(transferBytes(encodeTlp('MRd32', { Length: 1, TH: 1 })), 4);
});
account('the lower address is exact where the address is not', () => {
  const fields = { Length: 1, 'First DW BE': 8, 'Address[63:32]': 0xffffffff };
  const request = encodeTlp('MRd64', { ...fields, 'Address[31:2]': 0x1d });
  const reply = completionFor(request, { completerId, data: Uint8Array.of(1) });
  assert.is(reply[11], 0x77);
  const hinted = encodeTlp('MRd32', { Length: 1, 'First DW BE': 1, PH: 3 });
  assert.is(completionFor(hinted, { completerId, data: Uint8Array.of(1) })[11], 0);
});
account('split completions rebuild the read', () => {
  const run = fc.record({
    page: fc.nat(2 ** 30),
    offset: fc.nat(4095),
    length: fc.nat(4096),
    rcb: fc.constantFrom(64, 128),
    shift: fc.nat(5),
  });
  fc.assert(
    fc.property(run, ({ page, offset, length, rcb, shift }) => {
      const size = Math.min(length, 4096 - offset);
      const maxPayload = 128 << shift;
      const request = memoryRead({ ...host, address: page * 4096 + offset, length: size });
      const data = Uint8Array.from({ length: size }, (_, i) => (i * 31 + 5) & 0xff);
      const replies = splitCompletions(request, { completerId, data, rcb, maxPayload });
      const seen: number[] = [];
      for (const [i, reply] of replies.entries()) {
        assert.is(validate(reply, { maxPayload }), undefined);
        const left = (reply[6]! & 0xf) * 256 + reply[7]! || 4096;
        const lower = reply[11]!;
        assert.is(left, Math.max(1, size - seen.length));
        assert.is(lower, size === 0 ? (offset & ~3) % 128 : (offset + seen.length) % 128);
        const capacity = reply.length - 12 - (lower % 4);
        const last = i === replies.length - 1;
        const take = last ? left : capacity;
        if (!last) {
          assert.is((offset + seen.length + take) % rcb, 0);
          // the next boundary would not have fitted
          assert.ok(reply.length - 12 + rcb > maxPayload);
        }
        if (size > 0) for (let k = 0; k < take; k++) seen.push(reply[12 + (lower % 4) + k]!);
      }
      assert.equal(Uint8Array.from(seen), data);
    }),
    { seed: 1, numRuns: 1000 },
  );
});
account('a literal split: 300 bytes from 0x1010, RCB 64, payload 128', () => {
  const data = new Uint8Array(300);
  const replies = splitCompletions(read(0x1010, 300), {
    completerId,
    data,
    rcb: 64,
    maxPayload: 128,
  });
  const shape = replies.map((r) => [
    ((r[2]! & 3) << 8) | r[3]!,
    ((r[6]! & 15) << 8) | r[7]!,
    r[11],
  ]);
  assert.equal(shape, [
    [28, 300, 0x10],
    [32, 188, 0],
    [15, 60, 0],
  ]);
});
account('data a write carries starts at its first enabled byte', () => {
  const request = memoryWrite({ ...host, address: 0x1003, data: fromHex('0102030405') });
  assert.is(toHex(transferData(request)), '0102030405');
});
account.run();
