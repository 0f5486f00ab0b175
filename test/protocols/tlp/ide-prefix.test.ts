/** The IDE and PASID prefixes, bit by bit. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import {
  encodeIdePrefix,
  encodePasidPrefix,
  type IdePrefix,
  ideKeySet,
  ideMac,
  idePcrc,
  idePrSentCounter,
  ideStreamId,
  ideSubStream,
  ideTee,
  PASID_PREFIX,
  pasidPrefix,
  readIdePrefix,
  writeIdePrefix,
} from '../../../protocols/tlp/ide-prefix.ts';

const none: IdePrefix = {
  prSentCounter: 0,
  streamId: 0,
  subStream: 0,
  pcrc: false,
  mac: false,
  keySet: 0,
  tee: false,
};
const VECTORS: readonly (readonly [string, string, Partial<IdePrefix>])[] = [
  ['nothing set', '92000000', {}],
  ['PR_Sent_Counter', '92ff0000', { prSentCounter: 0xff }],
  ['Stream ID', '9200a500', { streamId: 0xa5 }],
  ['Sub-Stream NPR', '92000010', { subStream: 1 }],
  ['Sub-Stream CPL', '92000020', { subStream: 2 }],
  ['Sub-Stream, all bits', '920000f0', { subStream: 15 }],
  ['P', '92000008', { pcrc: true }],
  ['M', '92000004', { mac: true }],
  ['K', '92000002', { keySet: 1 }],
  ['T', '92000001', { tee: true }],
  [
    'NPR with a MAC from a TEE',
    '92050315',
    { prSentCounter: 5, streamId: 3, subStream: 1, mac: true, tee: true },
  ],
];

const ide = suite('IDE prefix');
for (const [name, hex, fields] of VECTORS)
  ide(name, () => {
    const value = { ...none, ...fields };
    assert.is(toHex(encodeIdePrefix(value)), hex);
    const bytes = new Uint8Array(8).fill(0xff);
    writeIdePrefix(bytes, 2, value);
    assert.is(toHex(bytes), `ffff${hex}ffff`);
    assert.equal(readIdePrefix(bytes, 2), value);
    assert.is(idePrSentCounter(bytes, 2), value.prSentCounter);
    assert.is(ideStreamId(bytes, 2), value.streamId);
    assert.is(ideSubStream(bytes, 2), value.subStream);
    assert.is(idePcrc(bytes, 2), value.pcrc);
    assert.is(ideMac(bytes, 2), value.mac);
    assert.is(ideKeySet(bytes, 2), value.keySet);
    assert.is(ideTee(bytes, 2), value.tee);
  });
ide('getters look at the start unless told otherwise', () => {
  const bytes = Uint8Array.of(0x92, 5, 3, 0x1f, 0, 0, 0, 0);
  const flags = [idePcrc(bytes), ideMac(bytes), ideTee(bytes)];
  assert.equal(flags, [true, true, true]);
  const numbers = [idePrSentCounter(bytes), ideStreamId(bytes), ideSubStream(bytes)];
  assert.equal([...numbers, ideKeySet(bytes)], [5, 3, 1, 1]);
});
ide('every value of the last byte survives', () => {
  for (let flags = 0; flags < 256; flags++) {
    const bytes = Uint8Array.of(0x92, 1, 2, flags);
    assert.equal(encodeIdePrefix(readIdePrefix(bytes)), bytes);
  }
});
ide('caller mistakes are named', () => {
  const mistakes: readonly (readonly [Partial<IdePrefix>, RegExp])[] = [
    [{ prSentCounter: 256 }, /^prSentCounter/],
    [{ streamId: -1 }, /^streamId/],
    [{ subStream: 16 }, /^subStream/],
    [{ keySet: 2 as 1 }, /^keySet/],
  ];
  for (const [fields, pattern] of mistakes)
    assert.throws(
      () => encodeIdePrefix({ ...none, ...fields }),
      (e: unknown) => e instanceof LocalError && pattern.test(e.message),
    );
});
ide.run();

const pasid = suite('PASID prefix');
const READ = '00000001 0101000f 80000000';
const PASIDS: readonly (readonly [string, number, boolean, boolean])[] = [
  ['91000000', 0, false, false],
  ['910fffff', 0xfffff, false, false],
  ['91212345', 0x12345, true, false],
  ['91400001', 1, false, true],
  ['91600001', 1, true, true],
];
for (const [hex, value, executeRequested, privilegedModeRequested] of PASIDS)
  pasid(hex, () => {
    const prefix = { pasid: value, executeRequested, privilegedModeRequested };
    assert.is(toHex(encodePasidPrefix(prefix)), hex);
    assert.equal(pasidPrefix(fromHex(`${hex} ${READ}`)), prefix);
    assert.equal(pasidPrefix(fromHex(`92000000 ${hex} ${READ}`)), prefix);
  });
pasid('none', () => {
  assert.is(PASID_PREFIX, 0x91);
  assert.is(pasidPrefix(fromHex(`92910000 ${READ}`)), undefined);
  assert.throws(
    () =>
      encodePasidPrefix({
        pasid: 2 ** 20,
        executeRequested: false,
        privilegedModeRequested: false,
      }),
    (e: unknown) => e instanceof LocalError && /^pasid/.test(e.message),
  );
});
pasid.run();
