import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import { decodeObject, VENDOR_PCI_SIG } from '../../../protocols/doe/object.ts';
import {
  encodePcapHeader,
  encodePcapRecord,
  LinkTypes,
  PcapFaults,
  PcapWriter,
  pcapFaultText,
  pcapRecords,
  readPcap,
} from '../../../sim/sinks/pcap.ts';

const test = suite('pcap');

const OBJECT = fromHex('01000100 03000000 10840000');
const HEADER = 'd4c3b2a1 0200 0400 00000000 00000000 00002000 24010000';
/** 1.5 s and 2 us */
const TIME_PS = 1_500_002_999_999;
const RECORD = '01000000 22a10700 0c000000 0c000000 010001000300000010840000';

test('file header and record, byte by byte', () => {
  assert.is(toHex(encodePcapHeader(LinkTypes.PCI_DOE)), toHex(fromHex(HEADER)));
  assert.is(toHex(encodePcapHeader(LinkTypes.MCTP, 0x10000)).slice(32), '0000010023010000');
  assert.is(toHex(encodePcapRecord(TIME_PS, OBJECT)), toHex(fromHex(RECORD)));
  assert.is(toHex(encodePcapRecord(0, OBJECT, 2)), '0000000000000000020000000c0000000100');
});

test('writer and reader agree', () => {
  const parts: Uint8Array[] = [];
  const writer = new PcapWriter(LinkTypes.PCI_DOE, (bytes) => parts.push(bytes), 8);
  writer.write(0, OBJECT);
  writer.write(TIME_PS, new Uint8Array(0));
  writer.write(Number.MAX_SAFE_INTEGER, OBJECT.subarray(0, 4));
  assert.equal([writer.records, parts.length], [3, 4]);
  const file = readPcap(concat(...parts));
  assert.is(file.fault, undefined);
  assert.equal([file.header?.linkType, file.header?.snapLength, file.header?.unit], [292, 8, 'us']);
  assert.equal(
    file.records.map((r) => [
      r.index,
      r.offset,
      r.seconds,
      r.nanoseconds,
      r.originalLength,
      toHex(r.bytes),
    ]),
    [
      [0, 24, 0, 0, 12, '0100010003000000'],
      [1, 48, 1, 500_002_000, 0, ''],
      [2, 64, 9007, 199_254_000, 4, '01000100'],
    ],
  );
});

const forms: readonly [
  name: string,
  hex: string,
  little: boolean,
  unit: string,
  nanoseconds: number,
][] = [
  [
    'little endian, us',
    `d4c3b2a1 02000400 0000000000000000 00000100 24010000 05000000 07000000 02000000 03000000 abcd`,
    true,
    'us',
    7000,
  ],
  [
    'big endian, us',
    `a1b2c3d4 00020004 0000000000000000 00010000 00000124 00000005 00000007 00000002 00000003 abcd`,
    false,
    'us',
    7000,
  ],
  [
    'little endian, ns',
    `4d3cb2a1 02000400 0000000000000000 00000100 24010000 05000000 07000000 02000000 03000000 abcd`,
    true,
    'ns',
    7,
  ],
  [
    'big endian, ns',
    `a1b23c4d 00020004 0000000000000000 00010000 00000124 00000005 00000007 00000002 00000003 abcd`,
    false,
    'ns',
    7,
  ],
  [
    'frame check bits above the link type',
    `d4c3b2a1 02000400 0000000000000000 00000100 24010034 05000000 07000000 02000000 03000000 abcd`,
    true,
    'us',
    7000,
  ],
];
for (const [name, hex, littleEndian, unit, nanoseconds] of forms)
  test(`reads ${name}`, () => {
    const file = readPcap(fromHex(hex));
    assert.is(file.fault, undefined);
    assert.equal(file.header, {
      linkType: 292,
      snapLength: 0x10000,
      littleEndian,
      unit,
      versionMajor: 2,
      versionMinor: 4,
    } as typeof file.header);
    const [record] = file.records;
    assert.equal(
      [record?.seconds, record?.nanoseconds, record?.originalLength, toHex(record!.bytes)],
      [5, nanoseconds, 3, 'abcd'],
    );
  });

const broken: readonly [
  name: string,
  hex: string,
  code: string,
  offset: number,
  records: number,
][] = [
  ['nothing', '', PcapFaults.TRUNCATED_HEADER, 0, 0],
  ['half a file header', HEADER.slice(0, 18), PcapFaults.TRUNCATED_HEADER, 0, 0],
  ['another format', `0a0d0d0a${HEADER.slice(8)}`, PcapFaults.BAD_MAGIC, 0, 0],
  ['another version', HEADER.replace('0200', '0300'), PcapFaults.BAD_VERSION, 4, 0],
  ['half a record header', `${HEADER}${RECORD}01000000`, PcapFaults.TRUNCATED_RECORD_HEADER, 52, 1],
  ['a cut record', `${HEADER}${RECORD}${RECORD.slice(0, -2)}`, PcapFaults.TRUNCATED_RECORD, 52, 1],
  [
    'a huge record',
    `${HEADER}${RECORD}00000000 00000000 ffffffff ffffffff`,
    PcapFaults.BAD_RECORD_LENGTH,
    52,
    1,
  ],
  [
    'more captured than there was',
    `${HEADER}00000000 00000000 02000000 01000000 abcd`,
    PcapFaults.BAD_RECORD_LENGTH,
    24,
    0,
  ],
  [
    'a second of microseconds',
    `${HEADER}${RECORD}${RECORD}00000000 40420f00 00000000 00000000`,
    PcapFaults.BAD_TIMESTAMP,
    80,
    2,
  ],
];
for (const [name, hex, code, offset, records] of broken)
  test(`names what is wrong with ${name}`, () => {
    const file = readPcap(fromHex(hex));
    assert.equal(
      [file.fault?.code, file.fault?.offset, file.fault?.records],
      [code, offset, records],
    );
    assert.is(file.records.length, records);
    assert.match(
      pcapFaultText(file.fault!),
      new RegExp(`${code} at byte ${offset}, after ${records} `),
    );
  });

test('caller mistakes throw by name', () => {
  const local = (name: string) => (e: unknown) =>
    e instanceof LocalError && e.message.startsWith(name);
  assert.throws(() => encodePcapHeader(0x10000), local('linkType'));
  assert.throws(() => encodePcapHeader(1, -1), local('snapLength'));
  assert.throws(() => encodePcapRecord(0.5, OBJECT), local('timePs'));
  assert.throws(() => encodePcapRecord(-1, OBJECT), local('timePs'));
});

test('any cut or flipped file: never throws, a cut one keeps the records before the cut', () => {
  const parts: Uint8Array[] = [];
  const writer = new PcapWriter(LinkTypes.PCI_DOE, (bytes) => parts.push(bytes));
  for (let i = 0; i < 6; i++) writer.write(i * 1_000_000, OBJECT);
  const whole = concat(...parts);
  for (let cut = 0; cut <= whole.length; cut++) {
    const file = readPcap(whole.subarray(0, cut));
    const records = Math.max(0, Math.floor((cut - 24) / 28));
    assert.is(file.records.length, records);
    assert.is(file.fault === undefined, cut >= 24 && (cut - 24) % 28 === 0, `cut at ${cut}`);
  }
  const flip = fc.tuple(
    fc.integer({ min: 0, max: whole.length - 1 }),
    fc.integer({ min: 1, max: 255 }),
  );
  let faults = 0;
  fc.assert(
    fc.property(fc.array(flip, { minLength: 1, maxLength: 4 }), (flips) => {
      const copy = whole.slice();
      for (const [at, mask] of flips) copy[at]! ^= mask;
      const file = readPcap(copy);
      if (file.fault !== undefined) faults++;
      assert.is(file.fault?.records ?? file.records.length, file.records.length);
    }),
    { seed: 1, numRuns: 500 },
  );
  assert.ok(faults > 50, `${faults} faults`);
});

/** Messages per capture, as the table beside them says. */
const counts: Readonly<Record<string, number>> = {
  'nocxl-v1.2': 176,
  'nocxl-v1.3': 176,
  'nocxl-noclear': 176,
  p256: 250,
  chacha: 250,
  'keyupd-req': 250,
  'mut-w': 262,
  'psk-only': 152,
  'full-v1.2': 2490,
  mctp: 42,
  'hyb-ecdsa384-mlkem768': 56,
  'mldsa65-mlkem768-mutual-clear': 126,
};
const folder = fileURLToPath(new URL('../../../../shared/captures/', import.meta.url));
const available = existsSync(folder)
  ? readdirSync(folder).filter((name) => name.endsWith('.pcap'))
  : [];
if (available.length === 0) {
  test.skip('captures of the reference emulators', () => {});
  console.log('SKIP: no captures of the reference emulators next to the repository');
}
for (const name of available)
  test(`reads ${name}`, () => {
    const file = readPcap(readFileSync(folder + name));
    assert.is(file.fault, undefined, file.fault && pcapFaultText(file.fault));
    const expected = counts[name.replace(/\.pcap$/, '')];
    if (expected !== undefined) assert.is(file.records.length, expected);
    const streamed = [...pcapRecords(readFileSync(folder + name))].length;
    assert.is(streamed, file.records.length);
    if (name === 'mctp.pcap') {
      assert.is(file.header?.linkType, LinkTypes.MCTP);
      return;
    }
    assert.is(file.header?.linkType, LinkTypes.PCI_DOE);
    for (const record of file.records) {
      const object = decodeObject(record.bytes);
      assert.ok(object.ok, `record ${record.index}: ${object.ok || object.code}`);
      assert.is(object.value.VendorID, VENDOR_PCI_SIG);
      assert.ok(object.value.DataObjectType <= 2);
    }
  });

test.run();
