/** Opaque data of the key exchange: both formats, DSP0277's elements, and what is refused. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { mutations } from '../../../protocols/codec/mutate.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import {
  type OpaqueFormat,
  opaqueDataFmt0,
  opaqueDataFmt1,
  readSupportedVersions,
  readVersionSelection,
  SECURED_MESSAGE_1_0,
  SECURED_MESSAGE_1_1,
  SECURED_MESSAGE_1_2,
  SECURED_MESSAGE_1_3,
  supportedVersionsOpaque,
  versionSelectionOpaque,
} from '../../../protocols/spdm/opaque.ts';

const test = suite('spdm opaque data');

const V1_2 = [SECURED_MESSAGE_1_0, SECURED_MESSAGE_1_1, SECURED_MESSAGE_1_2];
const V1_3 = [...V1_2, SECURED_MESSAGE_1_3];
const FMT0 = '46544d44 01';

interface Row {
  readonly name: string;
  readonly hex: string;
  readonly versions: readonly number[];
  readonly format?: OpaqueFormat;
  readonly aeadLimitExponent?: number;
}
const offers: readonly Row[] = [
  { name: '1.1', hex: '01000000 00000500 0101010011 000000', versions: [SECURED_MESSAGE_1_1] },
  { name: '1.0 to 1.2', hex: '01000000 00000900 0101 03 0010 0011 0012 000000', versions: V1_2 },
  {
    name: '1.0 to 1.3',
    hex: '02000000 00000b00 0101 04 0010 0011 0012 0013 00 00000300 010240 00',
    versions: V1_3,
    aeadLimitExponent: 64,
  },
  {
    name: '1.0 and 1.1 in the format of SPDM 1.1',
    hex: `${FMT0} 01 0000 00000700 0101 02 0010 0011 00`,
    versions: [SECURED_MESSAGE_1_0, SECURED_MESSAGE_1_1],
    format: 0,
  },
];
for (const { name, hex, versions, format = 1, aeadLimitExponent } of offers)
  test(`offer ${name}`, () => {
    const opaque = supportedVersionsOpaque(versions, { format, aeadLimitExponent });
    assert.is(toHex(opaque), toHex(fromHex(hex)));
    const read = readSupportedVersions(opaque, format);
    assert.ok(read.ok);
    assert.equal(read.value, { versions: [...versions], aeadLimitExponent });
    assert.is(read.size, opaque.length);
    const other = readSupportedVersions(opaque, format === 1 ? 0 : 1);
    assert.not(other.ok, 'by the other format');
  });

const selections: readonly Row[] = [
  { name: '1.2', hex: '01000000 00000400 0100 0012', versions: [SECURED_MESSAGE_1_2] },
  {
    name: '1.3',
    hex: '02000000 00000400 0100 0013 00000300 010240 00',
    versions: [SECURED_MESSAGE_1_3],
    aeadLimitExponent: 64,
  },
  {
    name: '1.1 in the format of SPDM 1.1',
    hex: `${FMT0} 01 0000 00000400 0100 0011`,
    versions: [SECURED_MESSAGE_1_1],
    format: 0,
  },
];
for (const { name, hex, versions, format = 1, aeadLimitExponent } of selections)
  test(`selection ${name}`, () => {
    const version = versions[0]!;
    const opaque = versionSelectionOpaque(version, { format, aeadLimitExponent });
    assert.is(toHex(opaque), toHex(fromHex(hex)));
    const read = readVersionSelection(opaque, format);
    assert.ok(read.ok);
    assert.equal(read.value, { version, aeadLimitExponent });
  });

const OFFER = '00000500 0101 01 0013 000000';
const SELECT = '00000400 0100 0013';
const LIMIT = '00000300 010220 00';
/** What reading says: `versions/limit` in hex, or the refusal's code and path. */
const readings: readonly [name: string, hex: string, offered: string, selected: string][] = [
  ['limit first', `02000000 ${LIMIT} ${OFFER}`, '1300/20', 'undefined/undefined'],
  ['limit first, selected', `02000000 ${LIMIT} ${SELECT}`, '/undefined', '1300/20'],
  [
    "a vendor's element between",
    `03000000 ${OFFER} 03020100 0200 0102 ${LIMIT}`,
    '1300/20',
    'undefined/undefined',
  ],
  [
    'an SMDataID nobody knows',
    `02000000 00000200 0109 0000 ${OFFER}`,
    '1300/undefined',
    'undefined/undefined',
  ],
  [
    'an element of one byte',
    `02000000 00000100 01 000000 ${OFFER}`,
    '1300/undefined',
    'undefined/undefined',
  ],
  ['no element', '00000000', '/undefined', 'undefined/undefined'],
  [
    'below 1.3 a limit is ignored, whatever it says',
    '02000000 00000400 0100 0012 00000300 0102ff 00',
    '/undefined',
    '1200/undefined',
  ],
  ['a later version', '02000000 00000400 0100 0020 00000300 010200 00', '/undefined', '2000/0'],
  [
    'the offer twice',
    `02000000 ${OFFER} ${OFFER}`,
    'BAD_VALUE OpaqueList[1]',
    'undefined/undefined',
  ],
  ['the selection twice', `02000000 ${SELECT} ${SELECT}`, '/undefined', 'BAD_VALUE OpaqueList[1]'],
  [
    'the limit twice',
    `03000000 ${OFFER} ${LIMIT} ${LIMIT}`,
    'BAD_VALUE OpaqueList[2]',
    'undefined/undefined',
  ],
  [
    'a limit of 65',
    `02000000 ${SELECT} 00000300 010241 00`,
    '/undefined',
    'BAD_VALUE AeadLimitExponent',
  ],
  ['a limit too long', `02000000 ${SELECT} 00000400 01024000`, '/undefined', 'TRAILING '],
  [
    'a limit too short',
    `02000000 ${SELECT} 00000200 0102 0000`,
    '/undefined',
    'TRUNCATED AeadLimitExponent',
  ],
  [
    'a limit of data version 2',
    `02000000 ${SELECT} 00000300 020240 00`,
    '/undefined',
    'BAD_VALUE SMDataVersion',
  ],
  [
    'a version less than counted',
    '01000000 00000500 0101 02 0013 000000',
    'TRUNCATED VersionNumberEntry[1]',
    'undefined/undefined',
  ],
  [
    'a version more than counted',
    '01000000 00000500 0101 00 0013 000000',
    'TRAILING ',
    'undefined/undefined',
  ],
  [
    'an element more than there is',
    `02000000 ${SELECT}`,
    'TRUNCATED OpaqueList[1].ID',
    'TRUNCATED OpaqueList[1].ID',
  ],
  ['an element less than there is', `01000000 ${SELECT} ${LIMIT}`, 'TRAILING ', 'TRAILING '],
  [
    'a length past the end',
    '01000000 0000ffff 0100 0013',
    'TRUNCATED OpaqueList[0].OpaqueElementData',
    'TRUNCATED OpaqueList[0].OpaqueElementData',
  ],
  ['nothing', '', 'TRUNCATED TotalElements', 'TRUNCATED TotalElements'],
];
for (const [name, hex, offered, selected] of readings)
  test(`read: ${name}`, () => {
    const opaque = fromHex(hex);
    const text = (value: number | undefined) => value?.toString(16) ?? 'undefined';
    const offer = readSupportedVersions(opaque, 1);
    const found = offer.ok
      ? `${offer.value.versions.map(text).join(' ')}/${text(offer.value.aeadLimitExponent)}`
      : `${offer.code} ${offer.path}`;
    assert.is(found, offered);
    const selection = readVersionSelection(opaque, 1);
    const chosen = selection.ok
      ? `${text(selection.value.version)}/${text(selection.value.aeadLimitExponent)}`
      : `${selection.code} ${selection.path}`;
    assert.is(chosen, selected);
  });

test('format 0 tells itself by its id and version', () => {
  const good = `${FMT0} 01 0000 ${SELECT}`;
  for (const [hex, path] of [
    [good.replace('46544d44', '444d5446'), 'SpecID'],
    [good.replace('44 01', '44 02'), 'OpaqueVersion'],
  ] as const) {
    const read = readVersionSelection(fromHex(hex), 0);
    assert.equal(read.ok ? 'ok' : [read.code, read.path], ['BAD_VALUE', path]);
  }
});

test("a limit outside 0 to 64 is the caller's mistake", () => {
  for (const aeadLimitExponent of [65, -1, 0.5, Number.NaN])
    assert.throws(
      () => versionSelectionOpaque(SECURED_MESSAGE_1_3, { aeadLimitExponent }),
      (error: unknown) => error instanceof LocalError && /^aeadLimitExponent/.test(error.message),
    );
});

test('no wrong opaque data throws', () => {
  for (const format of [0, 1] as const) {
    const options = { format, aeadLimitExponent: 64 };
    for (const good of [
      supportedVersionsOpaque(V1_3, options),
      versionSelectionOpaque(SECURED_MESSAGE_1_3, options),
    ])
      for (const { bytes } of mutations(format === 1 ? opaqueDataFmt1 : opaqueDataFmt0, good)) {
        readSupportedVersions(bytes, format);
        readVersionSelection(bytes, format);
      }
  }
  const head = fc.constantFrom('', '01000000', '02000000 00000400', `${FMT0} 01 0000 0000`);
  fc.assert(
    fc.property(
      head,
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(0, 1),
      (start, tail, format) => {
        const bytes = Uint8Array.of(...fromHex(start), ...tail);
        for (const read of [readSupportedVersions, readVersionSelection]) {
          const decoded = read(bytes, format as OpaqueFormat);
          if (decoded.ok) assert.is(decoded.size, bytes.length);
        }
      },
    ),
    { seed: 1, numRuns: 3000 },
  );
});

test.run();
