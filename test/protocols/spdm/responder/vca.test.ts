/** GET_VERSION, GET_CAPABILITIES and NEGOTIATE_ALGORITHMS at the responder: answers and refusals. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, le, toHex } from '../../../../protocols/codec/bytes.ts';
import { capabilityFlags } from '../../../../protocols/spdm/codes.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import { Pair, type PairOptions } from '../pair.ts';
import { snapshotOf } from '../snapshot.ts';

const test = suite('spdm responder VCA');

const GET_VERSION = '10840000';
const INVALID = 1;
const ALL = [0x10, 0x11, 0x12, 0x13, 0x14];
const pairOf = (options: PairOptions = {}) =>
  new Pair({ ...options, responder: { versions: ALL, ...options.responder } });

test('VERSION lists the versions, in the form of entries', () => {
  const reply = pairOf().plain(GET_VERSION)!;
  assert.is(toHex(reply), '1004000000050010001100120013' + '0014');
});

type Flags = Parameters<typeof capabilityFlags>[0];
interface Sizes {
  readonly size?: number;
  readonly max?: number;
  readonly param1?: number;
}
function capabilities(version: number, flags: Flags, sizes: Sizes = {}): string {
  const { size = 4096, max = 4096, param1 = 0 } = sizes;
  const head = toHex(Uint8Array.of(version, 0xe1, param1, 0));
  if (version === 0x10) return head;
  const body = `00000000${toHex(le(capabilityFlags(flags), 4))}`;
  return version === 0x11 ? head + body : head + body + toHex(le(size, 4)) + toHex(le(max, 4));
}

const KEYED = { KEY_EX_CAP: 1, MAC_CAP: 1 } as const;
const IDENTITY = { CERT_CAP: 1, CHAL_CAP: 1 } as const;
/** name, flags, sizes, the versions that refuse it; what others take. */
const requests: [name: string, flags: Flags, sizes: Sizes, refusedBy: readonly number[]][] = [
  ['nothing at all', {}, {}, []],
  ['key exchange with MAC', KEYED, {}, []],
  ['key exchange with ENCRYPT', { KEY_EX_CAP: 1, ENCRYPT_CAP: 1 }, {}, []],
  ['PSK with MAC', { PSK_CAP: 1, MAC_CAP: 1 }, {}, []],
  ['identity with CHAL', IDENTITY, {}, []],
  ['identity with key exchange', { CERT_CAP: 1, ...KEYED }, {}, []],
  ['public key identity', { PUB_KEY_ID_CAP: 1, CHAL_CAP: 1 }, {}, []],
  ['CHUNK and unequal sizes', { CHUNK_CAP: 1 }, { size: 42, max: 4096 }, []],
  ['the least DataTransferSize', {}, { size: 42, max: 42 }, []],
  ['PSK 2', { PSK_CAP: 2, MAC_CAP: 1 }, {}, [0x11, 0x12, 0x13, 0x14]],
  ['PSK 3', { PSK_CAP: 3, MAC_CAP: 1 }, {}, [0x11, 0x12, 0x13, 0x14]],
  ['key exchange, no protection', { KEY_EX_CAP: 1 }, {}, [0x11, 0x12, 0x13, 0x14]],
  ['PSK, no protection', { PSK_CAP: 1 }, {}, [0x11, 0x12, 0x13, 0x14]],
  ['MAC without keys', { MAC_CAP: 1 }, {}, [0x11, 0x12, 0x13, 0x14]],
  ['ENCRYPT without keys', { ENCRYPT_CAP: 1 }, {}, [0x11, 0x12, 0x13, 0x14]],
  ['HBEAT without keys', { HBEAT_CAP: 1 }, {}, [0x11, 0x12, 0x13, 0x14]],
  ['KEY_UPD without keys', { KEY_UPD_CAP: 1 }, {}, [0x11, 0x12, 0x13, 0x14]],
  ['clear handshake without keys', { HANDSHAKE_IN_THE_CLEAR_CAP: 1 }, {}, [0x11, 0x12, 0x13, 0x14]],
  [
    'clear handshake with PSK alone',
    { PSK_CAP: 1, MAC_CAP: 1, HANDSHAKE_IN_THE_CLEAR_CAP: 1 },
    {},
    [0x11, 0x12, 0x13, 0x14],
  ],
  ['two identities', { ...IDENTITY, PUB_KEY_ID_CAP: 1 }, {}, [0x11, 0x12, 0x13, 0x14]],
  ['identity without use', { CERT_CAP: 1 }, {}, [0x11, 0x12, 0x13, 0x14]],
  ['CHAL without identity', { CHAL_CAP: 1 }, {}, [0x11, 0x12, 0x13, 0x14]],
  ['MUT_AUTH without identity', { ...KEYED, MUT_AUTH_CAP: 1 }, {}, [0x11, 0x12, 0x13, 0x14]],
  ['MUT_AUTH without ENCAP', { ...IDENTITY, ...KEYED, MUT_AUTH_CAP: 1 }, {}, [0x11]],
  ['MUT_AUTH with ENCAP', { ...IDENTITY, ...KEYED, MUT_AUTH_CAP: 1, ENCAP_CAP: 1 }, {}, []],
  ['EP_INFO 3', { ...IDENTITY, EP_INFO_CAP: 3 }, {}, [0x13, 0x14]],
  ['identity for endpoint information', { CERT_CAP: 1, EP_INFO_CAP: 2 }, {}, [0x11, 0x12]],
  ['signed endpoint information, no identity', { EP_INFO_CAP: 2 }, {}, [0x13, 0x14]],
  ['EVENT without keys', { EVENT_CAP: 1 }, {}, [0x13, 0x14]],
  ['MULTI_KEY 3', { ...IDENTITY, MULTI_KEY_CAP: 3 }, {}, [0x13, 0x14]],
  ['MULTI_KEY without certificates', { MULTI_KEY_CAP: 1 }, {}, [0x13, 0x14]],
  ['MULTI_KEY with certificates', { ...IDENTITY, MULTI_KEY_CAP: 1 }, {}, []],
  ['DataTransferSize 41', {}, { size: 41, max: 41 }, [0x12, 0x13, 0x14]],
  ['DataTransferSize 0', {}, { size: 0, max: 0 }, [0x12, 0x13, 0x14]],
  ['sizes the wrong way round', { CHUNK_CAP: 1 }, { size: 4096, max: 4095 }, [0x12, 0x13, 0x14]],
  ['unequal sizes without CHUNK', {}, { size: 4095, max: 4096 }, [0x12, 0x13, 0x14]],
  ['algorithms block without CHUNK', {}, { param1: 1 }, [0x13, 0x14]],
  ['algorithms block with CHUNK', { CHUNK_CAP: 1 }, { param1: 1 }, []],
];
for (const [name, flags, sizes, refusedBy] of requests)
  test(`GET_CAPABILITIES: ${name}`, () => {
    for (const version of ALL) {
      const pair = pairOf();
      pair.plain(GET_VERSION);
      const before = snapshotOf(pair.responder);
      const reply = pair.plain(capabilities(version, flags, sizes))!;
      if (refusedBy.includes(version)) {
        assert.equal([...reply], [version, 0x7f, INVALID, 0]);
        assert.is(snapshotOf(pair.responder), before);
      } else {
        assert.equal([...reply.subarray(0, 2)], [version, 0x61], `${version}`);
        assert.is(reply.length, version >= 0x12 ? 20 : 12);
        assert.is(pair.responder.state.phase, 'AFTER_CAPABILITIES');
      }
    }
  });

test('GET_CAPABILITIES in a version that is not spoken: VersionMismatch, in 1.0', () => {
  for (const version of [0x0f, 0x11, 0x14, 0x15, 0xff]) {
    const pair = pairOf({ responder: { versions: [0x12, 0x13] } });
    pair.plain(GET_VERSION);
    assert.is(toHex(pair.plain(capabilities(version, {}))!), '107f4100');
  }
});

test('after GET_VERSION all starts over: errors are in 1.0 again', () => {
  const pair = pairOf({ version: 0x12 });
  pair.good(negotiate(pair.requester));
  assert.is(toHex(pair.plain('12990000')!), '127f0799');
  pair.plain(GET_VERSION);
  assert.is(toHex(pair.plain('10990000')!), '107f0799');
  assert.is(toHex(pair.plain(capabilities(0x12, {}, { size: 1, max: 1 }))!), '127f0100');
});

const TABLES = '02200800 03200200 05200100';
interface Algorithms {
  readonly version?: number;
  readonly length?: number;
  readonly tables?: string;
  readonly tableCount?: number;
  readonly asym?: number;
  readonly hash?: number;
  readonly extAsym?: number;
  readonly extHash?: number;
  readonly spec?: number;
  readonly other?: number;
}
function algorithms(changes: Algorithms = {}): string {
  const { version = 0x12, tables = TABLES, extAsym = 0, extHash = 0 } = changes;
  const tail = '00112233'.repeat(extAsym + extHash) + tables.replaceAll(' ', '');
  const size = 32 + tail.length / 2;
  const count = changes.tableCount ?? tables.replaceAll(' ', '').length / 8;
  return [
    toHex(Uint8Array.of(version, 0xe3, count, 0)),
    toHex(le(changes.length ?? size, 2)),
    toHex(Uint8Array.of(changes.spec ?? 1, changes.other ?? 2)),
    toHex(le(changes.asym ?? 0x90, 4)),
    toHex(le(changes.hash ?? 3, 4)),
    '00'.repeat(12),
    toHex(Uint8Array.of(extAsym, extHash, 0, 0)),
    tail,
  ].join('');
}

function atCapabilities(version = 0x12, flags: Flags = { ...IDENTITY, ...KEYED }): Pair {
  const pair = pairOf();
  pair.plain(GET_VERSION);
  pair.plain(capabilities(version, flags));
  return pair;
}

const refused: [name: string, changes: Algorithms][] = [
  ['Length one less', { length: 43 }],
  ['Length one more', { length: 45 }],
  ['Length 0', { length: 0 }],
  ['Length of all ones', { length: 0xffff }],
  ['21 ExtAsym', { extAsym: 21 }],
  ['21 ExtHash', { extHash: 21 }],
  ['20 ExtAsym and one ExtHash', { extAsym: 20, extHash: 1 }],
  [
    '17 ExtAsym and 4 in a table',
    { extAsym: 17, tables: `0224 0800 ${'00112233'.repeat(4)}`, tableCount: 1 },
  ],
  ['FixedAlgCount 1', { tables: '02100800 03200200 05200100' }],
  ['FixedAlgCount 3', { tables: '02300800 03200200 05200100' }],
  ['ExtAlgCount 15 without them', { tables: '022f0800 03200200 05200100' }],
  ['an unknown table', { tables: '01200800 02200800 03200200 05200100' }],
  ['a table twice', { tables: '02200800 02200800 03200200 05200100' }],
  ['tables in the wrong order', { tables: '03200200 02200800 05200100' }],
  ['no common DHE', { tables: '02200100 03200200 05200100' }],
  ['no common AEAD', { tables: '02200800 03200800 05200100' }],
  ['no key schedule', { tables: '02200800 03200200 05200000' }],
  ['no tables though keys are exchanged', { tables: '' }],
  ['no common signature', { asym: 1 }],
  ['no common hash', { hash: 0x40 }],
];
for (const [name, changes] of refused)
  test(`NEGOTIATE_ALGORITHMS refused: ${name}`, () => {
    const pair = atCapabilities();
    const before = snapshotOf(pair.responder);
    assert.is(toHex(pair.plain(algorithms(changes))!), '127f0100');
    assert.is(snapshotOf(pair.responder), before);
    assert.is(pair.plain(algorithms())?.[1], 0x63, 'a good one still goes through');
  });

test('ALGORITHMS: one bit of each, the strongest both have', () => {
  const reply = atCapabilities().plain(
    algorithms({ tables: '02201f00 03200700 0420ff0f 05200100' }),
  )!;
  assert.is(
    toHex(reply),
    [
      '12630400 3400 01 02 02000000 10000000 01000000 00000000',
      '00000000000000 00 00 00 0000',
      '02200800 03200200 04200000 05200100',
    ]
      .join('')
      .replaceAll(' ', ''),
  );
});

test('ALGORITHMS: of several that both have, what TEE-I/O devices are built with', () => {
  const both = { measurementHash: 6, baseAsym: 0x90, baseHash: 3, dhe: 0x18, aead: 7 };
  const pair = pairOf({ responder: { algorithms: both } });
  pair.plain(GET_VERSION);
  pair.plain(capabilities(0x12, { ...IDENTITY, ...KEYED }));
  const tables = '02201f00 03200300 05200100';
  const reply = pair.plain(algorithms({ tables, asym: 0x1ff, hash: 0x7f }))!;
  assert.is(toHex(reply.subarray(8, 20)), '040000008000000002000000');
  assert.is(toHex(reply.subarray(36)), '022010000320020005200100');
});

test('20 extended algorithms are taken, none of them is selected', () => {
  const reply = atCapabilities().plain(algorithms({ extAsym: 10, extHash: 10 }))!;
  assert.is(reply[1], 0x63);
  assert.equal([...reply.subarray(32, 34)], [0, 0]);
});

test('1.0 has no tables and 8 extended algorithms at most', () => {
  const limits: [number, number][] = [
    [8, 0x63],
    [9, 0x7f],
  ];
  for (const [count, code] of limits) {
    const pair = atCapabilities(0x10);
    const message = algorithms({ version: 0x10, extAsym: count, tables: '' });
    assert.is(pair.plain(message)?.[1], code, `${count}`);
  }
});

test('a good request is answered once: the second is unexpected, and so is a second GET_CAPABILITIES', () => {
  const pair = atCapabilities();
  const again = snapshotOf(pair.responder);
  assert.is(toHex(pair.plain(capabilities(0x12, {}))!), '127f0400');
  assert.is(snapshotOf(pair.responder), again);
  pair.plain(algorithms());
  const after = snapshotOf(pair.responder);
  for (const message of [algorithms(), algorithms({ asym: 0x10 }), capabilities(0x12, {})])
    assert.is(toHex(pair.plain(message)!), '127f0400');
  assert.is(snapshotOf(pair.responder), after);
});

test('OtherParams and measurement hash answer what was asked', () => {
  const answers: [Algorithms, at: number, hex: string][] = [
    [{ other: 0 }, 7, '00'],
    [{ other: 1 }, 7, '01'],
    [{ other: 4 }, 7, '00'],
    [{ other: 0x13 }, 7, '02'],
    [{ spec: 0 }, 6, '00'],
    [{ spec: 0xff }, 6, '01'],
  ];
  for (const [changes, offset, hex] of answers) {
    const reply = atCapabilities().plain(algorithms(changes))!;
    assert.is(toHex(reply.subarray(offset, offset + 1)), hex, JSON.stringify(changes));
    assert.is(reply[8], changes.spec === 0 ? 0 : 2);
  }
  const old = atCapabilities(0x11).plain(algorithms({ version: 0x11 }))!;
  assert.is(old[7], 0, 'reserved before 1.2');
});

test('without an agreed measurement hash nothing is measured, and nothing throws', () => {
  const pair = atCapabilities();
  pair.plain(algorithms({ spec: 0 }));
  assert.is(toHex(pair.plain('12e000ff')!), '127f07e0');
  assert.is(toHex(pair.plain(`128300ff${'00'.repeat(32)}`)!), '127f0100');
  assert.is(pair.plain(`12830000${'00'.repeat(32)}`)?.[1], 0x03);
  const exchange = toHex(
    pair.slot.signer.privateKey.length === 32 ? fromHex('ff'.repeat(64)) : fromHex(''),
  );
  assert.is(
    toHex(pair.plain(`12e4ff00 ffff 0000 ${'00'.repeat(32)} ${exchange} 0000`)!),
    '127f0100',
  );
});

test('DW padding after a message is no part of it', () => {
  const pair = pairOf();
  pair.plain(`${GET_VERSION}0000`);
  pair.plain(`${capabilities(0x12, { ...IDENTITY, ...KEYED })}000000`);
  pair.plain(`${algorithms()}00`);
  const vca = toHex(pair.responder.state.transcript.a.bytes());
  assert.ok(vca.startsWith(`${GET_VERSION}1004`));
  assert.is(pair.responder.state.phase, 'NEGOTIATED');
  const sizes = 4 + 16 + 20 + 20 + 44 + 48;
  assert.is(vca.length / 2, sizes);
});

test.run();
