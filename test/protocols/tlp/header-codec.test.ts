/** The bit-field tables: geometry, encode over dirty bytes, round trips, agreement with the getters. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import { TLP_TYPES, type TlpType } from '../../../protocols/tlp/codes.ts';
import { HEADER_FORMATS, readField, writeField } from '../../../protocols/tlp/fields.ts';
import {
  decodeTlp,
  describeHeader,
  encodeTlp,
  headerFormat,
  tlpMutations,
} from '../../../protocols/tlp/header-codec.ts';
import * as view from '../../../protocols/tlp/view.ts';

const geometry = suite('tlp fields: geometry');
const DWS: Readonly<Record<string, number>> = { memory32: 3, config: 3, completion: 3 };
/** bits the specification reserves in each layout: [DW, low, high] */
const RESERVED: Readonly<Record<string, readonly [number, number, number][]>> = {
  config: [
    [2, 0, 1],
    [2, 12, 15],
  ],
  completion: [[2, 7, 7]],
  messageByAddress: [[3, 0, 1]],
};
for (const [name, format] of Object.entries(HEADER_FORMATS))
  geometry(`${name}: no bit twice, no bit missing but the reserved ones`, () => {
    const owner = new Map<number, string>();
    for (const [field, { pieces, width }] of Object.entries(format)) {
      assert.is(
        pieces.reduce((sum, piece) => sum + piece.width, 0),
        width,
      );
      for (const piece of pieces)
        for (let bit = piece.lsb; bit < piece.lsb + piece.width; bit++) {
          assert.ok(bit < 32, field);
          const key = piece.dw * 32 + bit;
          assert.is(owner.get(key), undefined, `${field} and ${owner.get(key)}`);
          owner.set(key, field);
        }
    }
    for (const [dw, low, high] of RESERVED[name] ?? [])
      for (let bit = low; bit <= high; bit++) {
        assert.not(owner.has(dw * 32 + bit));
        owner.set(dw * 32 + bit, 'reserved');
      }
    assert.is(owner.size, (DWS[name] ?? 4) * 32);
  });
geometry('writing a field into a dirty header touches its bits only', () => {
  for (const format of Object.values(HEADER_FORMATS))
    for (const [name, field] of Object.entries(format))
      for (const dirt of [0x00, 0xff, 0xa5]) {
        const bytes = new Uint8Array(20).fill(dirt);
        writeField(bytes, 4, field, 0);
        assert.is(readField(bytes, 4, field), 0, name);
        writeField(bytes, 4, field, 2 ** field.width - 1);
        assert.is(readField(bytes, 4, field), 2 ** field.width - 1, name);
        const places = new Uint8Array(20);
        writeField(places, 4, field, 2 ** field.width - 1);
        for (let i = 0; i < 20; i++) assert.is(bytes[i], places[i]! | dirt, name);
      }
});
geometry.run();

const vectors = suite('tlp header codec: vectors');
vectors('MWr64', () => {
  const fields = {
    TC: 3,
    Attr: 6,
    'Requester ID': 0x0101,
    Tag: 0x203,
    'Last DW BE': 15,
    'First DW BE': 15,
    'Address[63:32]': 2,
    'Address[31:2]': 4,
  };
  const tlp = encodeTlp('MWr64', fields, fromHex('0001020304050607'));
  assert.is(toHex(tlp), '60b42002010103ff00000002000000100001020304050607');
});
vectors('CfgRd0, CplD, Msg', () => {
  const cfg = {
    Length: 1,
    Tag: 5,
    'First DW BE': 15,
    'Destination ID': 0x0100,
    'Ext Register Number': 1,
    'Register Number': 1,
  };
  assert.is(toHex(encodeTlp('CfgRd0', cfg)), '040000010000050f01000104');
  const cpl = { 'Completer ID': 0x0100, 'Byte Count': 4, Tag: 5 };
  const reply = encodeTlp('CplD', cpl, fromHex('86803412'));
  assert.is(toHex(reply), '4a000001010000040000050086803412');
  const body = { 'Requester ID': 0x0200, 'Message Code': 0x33 };
  assert.is(toHex(encodeTlp('Msg', body)), '30000000020000330000000000000000');
  const byId = { 'Destination ID': 0x0300, 'Body[47:32]': 0x1ab4, 'Message Code': 0x7f };
  const vdm = encodeTlp('Msg', byId, undefined, 2);
  assert.is(toHex(vdm), '320000000000007f03001ab400000000');
});
vectors('a value may lie about Fmt, Type and Length', () => {
  const tlp = encodeTlp('MWr32', { Length: 9, Fmt: 7, Type: 31 }, new Uint8Array(4));
  assert.is(toHex(tlp), 'ff000009000000000000000000000000');
});
vectors('caller mistakes are named', () => {
  const mistakes: readonly (readonly [() => unknown, RegExp])[] = [
    [() => encodeTlp('MRd' as 'MRd32'), /^type/],
    [() => encodeTlp('MRd32', { Colour: 1 }), /Colour/],
    [() => encodeTlp('MRd32', { TC: 8 }), /TC/],
    [() => encodeTlp('MRd32', { TC: 1.5 }), /TC/],
    [() => encodeTlp('MRd32', { TC: -1 }), /TC/],
  ];
  for (const [call, pattern] of mistakes)
    assert.throws(call, (e: unknown) => e instanceof LocalError && pattern.test(e.message));
});
vectors('a person reads codes, IDs and bits by name', () => {
  const tlp = fromHex('91000abc 0a880000 ffff2000 1234fe7f');
  const lines = describeHeader(tlp).map(({ name, offset, text }) => `${offset} ${name} ${text}`);
  for (const line of [
    '0 Prefix[0] 0x91000abc',
    '4 Fmt 0 3 DW header, no data',
    '4 Type 0x0a',
    '8 Completer ID ff:1f.7',
    '8 Completion Status 1 UR',
    '12 Requester ID 12:06.4',
    '4 Tag 1022',
    '12 Lower Address 0x7f',
  ])
    assert.ok(lines.includes(line), `${line} not in\n${lines.join('\n')}`);
  assert.is(describeHeader(tlp)[0]?.value, 0x000abc);
  assert.is(describeHeader(fromHex('91123456 0a880000 ffff2000 1234fe7f'))[0]?.value, 0x123456);
  assert.equal(describeHeader(fromHex('ff')), []);
});
vectors('mutations name their place and leave the original alone', () => {
  const tlp = fromHex('0a880000 ffff2000 1234fe7f');
  const all = [...tlpMutations(tlp)];
  const byName = new Map(all.map(({ name, bytes }) => [name, toHex(bytes)]));
  assert.is(byName.size, all.length);
  assert.is(byName.get('Byte Count:minus-one'), '0a880000ffff2fff1234fe7f');
  assert.is(byName.get('Tag:plus-one'), '0a880000ffff20001234ff7f');
  assert.is(byName.get('Tag:zero'), '0a000000ffff20001234007f');
  assert.is(byName.get('reserved:dw2-bit7'), '0a880000ffff20001234feff');
  assert.is(byName.get('Length:all-ones'), '0a8803ffffff20001234fe7f');
  assert.is(byName.get('dw1:cut-before'), '0a880000');
  assert.is(byName.get('end:one-byte-more'), '0a880000ffff20001234fe7f00');
  assert.is(toHex(tlp), '0a880000ffff20001234fe7f');
  assert.equal([...tlpMutations(fromHex('ff'))], []);
});
vectors.run();

/** A random TLP of any type, with every field of its header free. */
const anyTlp = fc
  .record({
    type: fc.constantFrom<TlpType[]>(...TLP_TYPES),
    dws: fc.integer({ min: 1, max: 32 }),
    routing: fc.nat(5),
    seed: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    prefixes: fc.nat(4),
  })
  .map(({ type, dws, routing, seed, prefixes }) => {
    const message = type.header === 'message';
    const name = type.name as (typeof TLP_TYPES)[number]['name'];
    const data = type.fmt < 2 ? 0 : dws * 4;
    const plain = encodeTlp(name, {}, new Uint8Array(data).fill(seed[0]!), message ? routing : 0);
    const fields: Record<string, number> = {};
    for (const [field, place] of Object.entries(headerFormat(plain)))
      if (!['Fmt', 'Type', 'Length'].includes(field)) fields[field] = readField(seed, 0, place);
    const tlp = encodeTlp(name, fields, view.payload(plain), message ? routing : 0);
    const front = concat(...Array.from({ length: prefixes }, () => fromHex('90010203')));
    return { name, fields, routing: message ? routing : undefined, tlp: concat(front, tlp) };
  });

const properties = suite('tlp header codec: properties');
properties('decode undoes encode', () => {
  fc.assert(
    fc.property(anyTlp, ({ name, fields, routing, tlp }) => {
      const decoded = decodeTlp(tlp);
      assert.ok(decoded.ok);
      assert.is(decoded.size, tlp.length);
      assert.is(decoded.value.type, name);
      assert.is(decoded.value.routing, routing);
      for (const [field, value] of Object.entries(fields))
        assert.is(decoded.value.fields[field], value, field);
      const again = encodeTlp(name, decoded.value.fields, decoded.value.payload, routing ?? 0);
      assert.is(toHex(concat(...decoded.value.prefixes, again)), toHex(tlp));
    }),
    { seed: 1, numRuns: 2000 },
  );
});
properties('getters say what the tables say', () => {
  fc.assert(
    fc.property(anyTlp, ({ tlp }) => {
      const decoded = decodeTlp(tlp);
      assert.ok(decoded.ok);
      const { fields } = decoded.value;
      const pairs: readonly (readonly [string, number])[] = [
        ['TC', view.trafficClass(tlp)],
        ['Attr', view.attributes(tlp)],
        ['AT', view.addressType(tlp)],
        ['EP', view.poisoned(tlp) ? 1 : 0],
        ['TD', view.hasDigest(tlp) ? 1 : 0],
        ['Requester ID', view.requesterId(tlp)],
        ['Tag', view.tag(tlp)],
        ['First DW BE', view.firstBE(tlp)],
        ['Last DW BE', view.lastBE(tlp)],
        ['Destination ID', view.destinationId(tlp)],
        ['Completer ID', view.completerId(tlp)],
        ['Completion Status', view.completionStatus(tlp)],
        ['Lower Address', view.lowerAddress(tlp)],
        ['Message Code', view.messageCode(tlp)],
        ['Byte Count', view.byteCount(tlp) % 4096],
      ];
      for (const [name, value] of pairs)
        if (fields[name] !== undefined) assert.is(fields[name], value, name);
      if (fields['Address[31:2]'] !== undefined)
        assert.is(
          view.address(tlp),
          (fields['Address[63:32]'] ?? 0) * 2 ** 32 + fields['Address[31:2]'] * 4,
        );
      if (fields['Register Number'] !== undefined)
        assert.is(
          view.registerNumber(tlp),
          fields['Ext Register Number']! * 256 + fields['Register Number'] * 4,
        );
    }),
    { seed: 1, numRuns: 2000 },
  );
});
properties('mutations are refused or decoded, never thrown at', () => {
  fc.assert(
    fc.property(anyTlp, ({ tlp }) => {
      for (const { bytes } of tlpMutations(tlp)) {
        const decoded = decodeTlp(bytes);
        assert.is(decoded.ok, view.checkTlp(bytes) === undefined);
        assert.is(describeHeader(bytes).length > 0, decoded.ok);
      }
    }),
    { seed: 1, numRuns: 50 },
  );
});
properties.run();
