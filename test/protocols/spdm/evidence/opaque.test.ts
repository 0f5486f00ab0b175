/** Opaque data in its formats, and firmware ids in certificates. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../../protocols/codec/bytes.ts';
import { mutations } from '../../../../protocols/codec/mutate.ts';
import { firmwareIds } from '../../../../protocols/spdm/evidence/fwid.ts';
import {
  type OpaqueVendor,
  opaqueVendorOf,
  readOpaque,
  vendorElement,
} from '../../../../protocols/spdm/evidence/opaque.ts';
import { opaqueDataFmt0 } from '../../../../protocols/spdm/opaque.ts';
import { DiceOids } from '../../../../protocols/x509/oids.ts';
import { parseCertificates } from '../../../../protocols/x509/split.ts';
import { deviceChain } from './fixtures.ts';

const test = suite('spdm evidence opaque data');

/** `name=text` of every element, or the refusal's code. */
function read(hex: string, format1 = false, vendor: OpaqueVendor = undefined): string {
  const all = readOpaque(fromHex(hex), format1, vendor);
  return all.ok ? all.value.map(({ name, text }) => `${name}=${text}`).join(', ') : all.code;
}

const GPU = 'NVIDIA GPU';
const SWITCH = 'NVIDIA switch';
const vendor: readonly [hex: string, of: OpaqueVendor, says: string][] = [
  ['', GPU, ''],
  ['0300 0700 3539302e313200', GPU, 'DRIVER_VERSION=590.12'],
  ['0300 0200 0a1b', GPU, 'DRIVER_VERSION=0a1b'],
  ['0600 0800 00a5009601000000', GPU, 'VBIOS_VERSION=96.00.A5.00.01'],
  ['0600 0400 39362e31', SWITCH, 'VBIOS_VERSION=96.1'],
  ['0c00 0800 01000000 83000000', GPU, 'MSRSCNT=1 131'],
  ['0c00 0300 010000', GPU, 'MSRSCNT=010000'],
  ['0b00 0100 aa', GPU, 'NVDEC0_STATUS=enabled'],
  ['0b00 0100 00', GPU, 'NVDEC0_STATUS=00'],
  ['2400 0200 0100', GPU, 'FEATURE_FLAG=MPT'],
  ['2400 0200 0900', GPU, 'FEATURE_FLAG=0900'],
  ['1600 0800 0102030405060708', GPU, 'SWITCH_PDI=0102030405060708'],
  ['1600 0800 0102030405060708', SWITCH, 'DEVICE_PDI=0102030405060708'],
  [
    `1a00 4200 ${'0102030405060708'.repeat(8)} 07ff`,
    SWITCH,
    `SWITCH_GPU_PDIS=GPUs ${Array(8).fill('0102030405060708').join(' ')}; by port 7 -`,
  ],
  ['1a00 0100 00', SWITCH, 'SWITCH_GPU_PDIS=00'],
  ['fe00 0100 ab 0400 0000', GPU, 'type 254=ab, GPU_INFO='],
  ['0300 0700 3539302e3132', GPU, 'TRUNCATED'],
  ['0300 07', GPU, 'TRUNCATED'],
  ['0300 0000 00', GPU, 'TRUNCATED'],
  ['0300 0700 00', undefined, 'opaque data of an unknown format=0300070000'],
];
for (const [hex, of, says] of vendor)
  test(`${of ?? 'nobody knows'}: ${hex.slice(0, 40)}`, () => {
    assert.is(read(hex, false, of), says);
  });

const ELEMENT = '00 00 0400 01000011';
const general: readonly [hex: string, format1: boolean, says: string][] = [
  [`01000000 ${ELEMENT}`, true, 'DMTF=01000011'],
  ['01000000 03 02 0100 0100 aa', true, 'TRUNCATED'],
  ['01000000 03 02 de10 0100 aa 00', true, 'PCI-SIG de10=aa'],
  ['02000000', true, 'TRUNCATED'],
  [`01000000 ${ELEMENT} 00`, true, 'TRAILING'],
  [
    `464d5444 01 01 0000 ${ELEMENT}`,
    false,
    'opaque data of an unknown format=464d54440101000000000400' + '01000011',
  ],
  [`46544d44 01 01 0000 ${ELEMENT}`, false, 'DMTF=01000011'],
  [`46544d44 02 01 0000 ${ELEMENT}`, false, 'BAD_VALUE'],
  [`46544d44 01 02 0000 ${ELEMENT}`, false, 'TRUNCATED'],
  [`46544d44 01 01 0000 ${ELEMENT} 00`, false, 'TRAILING'],
];
for (const [hex, format1, says] of general)
  test(`general format ${format1 ? 1 : 0}: ${hex}`, () => {
    assert.is(read(hex, format1), says);
  });

test('whose type codes they are', () => {
  assert.is(opaqueVendorOf('NVIDIA:GH100:48B0'), GPU);
  assert.is(opaqueVendorOf('NVIDIA:LS_10:48B0'), SWITCH);
  assert.is(opaqueVendorOf('nvidia:GH100:48B0'), undefined);
  assert.is(opaqueVendorOf('Example:NVIDIA:1'), undefined);
  assert.is(opaqueVendorOf(undefined), undefined);
});

test('wrong bytes never throw', () => {
  const good = fromHex('0300 0700 3539302e313200');
  let count = 0;
  for (const { bytes } of mutations(vendorElement, good)) {
    readOpaque(bytes, false, GPU);
    count++;
  }
  for (const { bytes } of mutations(opaqueDataFmt0, fromHex(`46544d44 01 01 0000 ${ELEMENT}`))) {
    readOpaque(bytes, false, undefined);
    count++;
  }
  assert.ok(count > 20);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (bytes, format1) => {
      for (const of of [GPU, SWITCH, undefined] as const) {
        const all = readOpaque(bytes, format1, of);
        if (!all.ok || of === undefined || format1) continue;
        assert.is(
          all.value.reduce((sum, { value }) => sum + 4 + value.length, 0),
          bytes.length,
        );
      }
    }),
    { seed: 1, numRuns: 500 },
  );
});

/** A leaf with an extension tcg-dice-TcbInfo of these bytes. */
function leafWith(...values: string[]) {
  const parsed = parseCertificates(deviceChain().certificates);
  assert.ok(parsed.ok);
  const leaf = parsed.value[2]!;
  const all = values.map((hex) => ({
    extnID: DiceOids.TCB_INFO,
    critical: false,
    extnValue: fromHex(hex),
  }));
  return { ...leaf, extensions: { ...leaf.extensions, all } };
}

const SHA_256_OID = '0609 608648016503040201';
const FWID = `300f ${SHA_256_OID} 0402 abcd`;
const forms: readonly [name: string, values: string[], digests: string[]][] = [
  ['none', [], []],
  ['CompositeDeviceID', [`3014 020101 ${FWID}`], ['abcd']],
  ['DiceTcbInfo', [`3016 8001 61 a611 ${FWID}`], ['abcd']],
  ['DiceTcbInfo with two', [`3024 a622 ${FWID} ${FWID}`], ['abcd', 'abcd']],
  ['no FWID inside', ['3003 020101'], []],
  ['a FWID of three parts', [`3016 020101 3011 ${SHA_256_OID} 0402 abcd 0500`], []],
  ['broken DER', ['3014 0201'], []],
  ['no bytes', [''], []],
];
for (const [name, values, digests] of forms)
  test(`firmware ids: ${name}`, () => {
    assert.equal(firmwareIds(leafWith(...values)).map(toHex), digests);
  });

test.run();
