import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import {
  ENABLED_STATES,
  goStream,
  IdePort,
  type IdePortOptions,
  keyStream,
  parseIdeCapability,
  type StreamStateEffect,
} from '../../../protocols/ide/index.ts';
import { AT, control, endpointKeys, local, Pair, RP_ID, run, STREAM_ID } from './pair.ts';

const test = suite('ide port registers');

const port = (options: Partial<IdePortOptions> = {}) =>
  new IdePort({
    crypto: nodeProvider,
    role: 'endpoint',
    rid: 0x100,
    selective: [{ addressAssociations: 1 }],
    ...options,
  });

const capabilities: readonly [string, Partial<IdePortOptions>, number][] = [
  // KM 6, config 7, selective 1, TEE-limited 24; counts minus one
  ['one selective stream', {}, 0x010000c2],
  ['no config requests, no TEE-Limited', { configRequests: false, teeLimited: false }, 0x00000042],
  ['link streams only', { linkTcs: 8, selective: [] }, 0x0100e0c1],
  [
    'switch port',
    { role: 'switch-port', linkTcs: 1, selective: [{ addressAssociations: 0 }] },
    0x010000c7,
  ],
  [
    '255 selective streams',
    { selective: Array(255).fill({ addressAssociations: 15 }) },
    0x01fe00c2,
  ],
];
for (const [name, options, value] of capabilities)
  test(`IDE Capability: ${name}`, () => {
    const ide = port(options);
    assert.is(ide.read(0), 0x00010030);
    assert.is(ide.read(4).toString(16), value.toString(16));
    const parsed = parseIdeCapability(ide.registerDwords());
    assert.ok(parsed.ok);
    assert.is(parsed.value.link.length, options.linkTcs ?? 0);
    assert.is(parsed.value.selective.length, (options.selective ?? [0]).length);
    assert.is(ide.size, 4 + parsed.size);
  });

test('options outside the format are the caller’s mistake', () => {
  const none = { addressAssociations: 0 };
  assert.throws(() => port({ linkTcs: 9 }), local('linkTcs'));
  assert.throws(() => port({ selective: Array(256).fill(none) }), local('selective'));
  assert.throws(
    () => port({ selective: [none, { addressAssociations: 16 }] }),
    local('selective[1].addressAssociations'),
  );
  for (const offset of [-4, 2, 0x2c, 4096, Number.NaN])
    assert.throws(() => port().read(offset), local('offset'));
  assert.throws(() => port().write(0x2c, 0), local('offset'));
});

test('names of registers', () => {
  const ide = port({ linkTcs: 1, selective: [{ addressAssociations: 2 }] });
  const names = Array.from({ length: ide.size / 4 }, (_, i) => ide.registerName(4 * i));
  assert.equal(names, [
    'IDE Extended Capability Header',
    'IDE Capability',
    'IDE Control',
    'Link IDE Stream Control 0',
    'Link IDE Stream Status 0',
    'Selective IDE Stream Capability 0',
    'Selective IDE Stream Control 0',
    'Selective IDE Stream Status 0',
    'IDE RID Association 1 of stream 0',
    'IDE RID Association 2 of stream 0',
    'IDE Address Association 1 of stream 0.0',
    'IDE Address Association 2 of stream 0.0',
    'IDE Address Association 3 of stream 0.0',
    'IDE Address Association 1 of stream 0.1',
    'IDE Address Association 2 of stream 0.1',
    'IDE Address Association 3 of stream 0.1',
  ]);
});

// Offset, what sticks of ones written with Enable left out, by role.
const masks: readonly [string, number, Partial<IdePortOptions>, number][] = [
  ['header', 0x00, {}, 0x00010030],
  ['IDE Control, no Flow-Through', 0x08, {}, 0],
  ['IDE Control, Flow-Through', 0x08, { flowThrough: true }, 4],
  ['Selective Capability', 0x0c, {}, 1],
  ['Selective Status', 0x14, {}, 0],
  ['RID 1', 0x18, {}, 0x00ffff00],
  ['RID 2', 0x1c, {}, 0xffffff01],
  ['Address 1', 0x20, {}, 0xffffff01],
  ['Address 2', 0x24, {}, 0xffffffff],
  ['Address 3', 0x28, {}, 0xffffffff],
];
// Selective Control by hand: Stream ID, TEE-limited, default (endpoint), TC, algorithm.
const CONTROL_MASKS: readonly [string, Partial<IdePortOptions>, number][] = [
  ['endpoint', {}, 0xfffc0000 | 0x0007c000],
  ['root port', { role: 'root-port' }, 0xffbc0000 | 0x0007c000 | 0x200],
  ['root port without config', { role: 'root-port', configRequests: false }, 0xffbfc000],
  ['no TEE-Limited', { teeLimited: false }, 0xff7fc000],
];
for (const [name, offset, options, sticks] of masks)
  test(`all ones into ${name}`, () => {
    const ide = port(options);
    ide.write(offset, 0xffffffff);
    assert.is(ide.read(offset), sticks >>> 0);
    ide.write(offset, 0);
    assert.is(ide.read(offset), [0, 0x0c].includes(offset) ? sticks : 0);
  });
for (const [name, options, sticks] of CONTROL_MASKS)
  test(`all ones but Enable into Selective Control: ${name}`, () => {
    const ide = port(options);
    ide.write(AT.CONTROL, 0xfffffffe);
    assert.is(ide.read(AT.CONTROL).toString(16), (sticks >>> 0).toString(16));
  });
test('all ones but Enable into Link Control', () => {
  const ide = port({ linkTcs: 1, role: 'root-port' });
  ide.write(0x0c, 0xfffffffe);
  assert.is(ide.read(0x0c).toString(16), 'ff3fc000');
});

test('byte enables select the bytes written', () => {
  const ide = port();
  ide.write(0x24, 0x11223344);
  ide.write(0x24, 0xaabbccdd, 0b0101);
  assert.is(ide.read(0x24), 0x11bb33dd);
  ide.write(0x24, 0, 0);
  assert.is(ide.read(0x24), 0x11bb33dd);
});

test('Received Integrity Check Fail Message is cleared by writing 1, in its byte only', () => {
  const ide = port();
  ide.streams[0]!.failMessageReceived = true;
  assert.is(ide.read(AT.STATUS), 0x80000000);
  ide.write(AT.STATUS, 0);
  ide.write(AT.STATUS, 0xffffffff, 0b0111);
  ide.write(AT.STATUS, 0x7fffffff);
  assert.is(ide.read(AT.STATUS), 0x80000000);
  ide.write(AT.STATUS, 0x80000000, 0b1000);
  assert.is(ide.read(AT.STATUS), 0);
});

// While Secure: offset, value to XOR, what becomes of the stream.
const alterations: readonly [string, number, number, string][] = [
  ['nothing (same value)', AT.CONTROL, 0, 'SECURE'],
  ['reserved and unsupported bits', AT.CONTROL, 0x00003ffe, 'SECURE'],
  ['Selected Algorithm', AT.CONTROL, 1 << 14, 'INSECURE_FAILED'],
  ['TC', AT.CONTROL, 1 << 19, 'INSECURE_FAILED'],
  ['Default Stream', AT.CONTROL, 1 << 22, 'INSECURE_FAILED'],
  ['TEE-Limited Stream', AT.CONTROL, 1 << 23, 'INSECURE_FAILED'],
  ['Stream ID', AT.CONTROL, 1 << 24, 'INSECURE_FAILED'],
  ['Enable', AT.CONTROL, 1, 'INSECURE_NO_KEYS'],
  ['Enable and all else', AT.CONTROL, 0xffffffff, 'INSECURE_NO_KEYS'],
  ['RID Limit', AT.RID1, 0x100, 'INSECURE_FAILED'],
  ['RID Base', AT.RID2, 0x100, 'INSECURE_FAILED'],
  ['RID Valid', AT.RID2, 1, 'INSECURE_FAILED'],
  ['RID reserved bits', AT.RID1, 0xff0000ff, 'SECURE'],
  ['Address 1', AT.ADDRESS, 1, 'INSECURE_FAILED'],
  ['Address 3', AT.ADDRESS + 8, 1, 'INSECURE_FAILED'],
  ['Status', AT.STATUS, 0xffffffff, 'SECURE'],
];
for (const [name, offset, xor, state] of alterations)
  test(`altered while Secure: ${name}`, () => {
    const { ep } = new Pair().secure();
    const effects = ep.write(offset, ep.read(offset) ^ xor);
    assert.is(ep.streams[0]!.state, state);
    assert.is(ep.read(AT.STATUS), state === 'SECURE' ? 2 : 0);
    assert.is(ep.streams[0]!.keys.any, state === 'SECURE');
    if (state === 'SECURE') {
      assert.equal(effects, []);
      return;
    }
    assert.is(effects.length, 1);
    const effect = effects[0] as StreamStateEffect;
    assert.is(effect.streamId, STREAM_ID, 'told under the old Stream ID');
    assert.equal([effect.from, effect.to, effect.keysInvalidated], ['SECURE', state, true]);
  });

type Setup = readonly [string, (p: Pair) => void, string];
const enablings: readonly Setup[] = [
  ['no keys', (p) => p.configure(), 'ENABLED_NO_KEYS'],
  ['keys without GO', (p) => p.configure().key(0, 1), 'ENABLED_READY'],
  ['keys and GO', (p) => p.configure().key(0, 1).go(0), 'SECURE'],
  ['the other set', (p) => p.configure().key(1, 1).go(1), 'SECURE'],
  [
    'RID association not valid',
    (p) => {
      p.configure().key(0, 1).go(0);
      p.ep.write(AT.RID2, 0);
    },
    'INSECURE_FAILED',
  ],
  ['unknown algorithm', (p) => p.configure({}, { SelectedAlgorithm: 1 }), 'INSECURE_FAILED'],
];
for (const [name, setup, state] of enablings)
  test(`Enable set: ${name}`, () => {
    const pair = new Pair();
    setup(pair);
    pair.ep.write(AT.CONTROL, pair.ep.read(AT.CONTROL) | 1);
    assert.is(pair.ep.streams[0]!.state, state);
    assert.is(pair.ep.read(AT.STATUS), state === 'SECURE' ? 2 : 0);
  });

test('after a failure fresh keys do not help until Enable was cleared', () => {
  const pair = new Pair().secure();
  pair.ep.write(AT.ADDRESS, 1);
  const target = { portIndex: 0, streamId: STREAM_ID, keySet: 0 } as const;
  run(keyStream(target, endpointKeys(9)), pair.epKm);
  for (const direction of ['RX', 'TX'] as const) run(goStream(target, direction), pair.epKm);
  assert.is(pair.ep.streams[0]!.state, 'INSECURE_FAILED');
  pair.ep.write(AT.CONTROL, pair.ep.read(AT.CONTROL) & ~1);
  assert.is(pair.ep.streams[0]!.state, 'INSECURE_GO');
  pair.ep.write(AT.CONTROL, pair.ep.read(AT.CONTROL) | 1);
  assert.is(pair.ep.read(AT.STATUS), 2);
});

test('a Stream ID in use and a second Default Stream of a TC end Insecure', () => {
  const two = { selective: [{ addressAssociations: 0 }, { addressAssociations: 0 }] };
  const second = 0x14 + 0x0c;
  for (const [value, state] of [
    [control({ Enable: 1 }), 'INSECURE_FAILED'],
    [control({ Enable: 1, StreamId: 9 }), 'ENABLED_NO_KEYS'],
    [control({ Enable: 1, StreamId: 9, DefaultStream: 1 }), 'INSECURE_FAILED'],
    [control({ Enable: 1, StreamId: 9, DefaultStream: 1, Tc: 1 }), 'ENABLED_NO_KEYS'],
  ] as const) {
    const ide = port(two);
    ide.write(AT.RID2, 1);
    ide.write(second + 0x10, 1);
    ide.write(AT.CONTROL, control({ Enable: 1, DefaultStream: 1 }));
    ide.write(second + 4, value);
    assert.is(ide.streams[1]!.state, state);
    assert.is(ide.streams[0]!.state, 'ENABLED_NO_KEYS');
  }
});

test('a new Stream ID on a disabled stream destroys keys, other settings do not', () => {
  const pair = new Pair().configure().key(0, 1);
  const before = pair.ep.read(AT.CONTROL);
  assert.equal(pair.ep.write(AT.CONTROL, before ^ (1 << 19)), []);
  assert.is(pair.ep.streams[0]!.state, 'INSECURE_READY');
  const [effect] = pair.ep.write(AT.CONTROL, before ^ (1 << 24)) as StreamStateEffect[];
  assert.is(effect!.event, 'STREAM_ID_CHANGED');
  assert.not(pair.ep.streams[0]!.keys.any);
});

test('reset: registers, keys and state', () => {
  const pair = new Pair().secure();
  const [effect] = pair.ep.reset() as readonly StreamStateEffect[];
  assert.equal(
    [effect!.from, effect!.to, effect!.streamId],
    ['SECURE', 'INSECURE_NO_KEYS', STREAM_ID],
  );
  assert.equal(pair.ep.registerDwords(), port().registerDwords());
  pair.configure();
  assert.is(pair.ep.streams[0]!.rid.base, RP_ID);
});

test('which block a shared Stream ID means', () => {
  const two = { linkTcs: 1, selective: [{ addressAssociations: 0 }, { addressAssociations: 0 }] };
  const ide = port(two);
  assert.is(ide.stream(0), ide.streams[1]);
  ide.write(0x14 + 0x14 + 0x10, 1);
  assert.is(ide.stream(0), ide.streams[2]);
  ide.write(0x0c, 1);
  assert.is(ide.stream(0), ide.streams[0]);
  assert.is(ide.stream(9), undefined);
});

test('random register writes keep Status, Enable and state together', () => {
  const secured = new Pair().secure();
  const write = fc.record({
    at: fc.nat(10),
    value: fc.integer({ min: 0, max: 0xffffffff }),
    enable: fc.nat(15),
  });
  fc.assert(
    fc.property(fc.array(write, { maxLength: 12 }), (writes) => {
      const [stream] = secured.ep.streams;
      for (const { at, value, enable } of writes) {
        secured.ep.write(4 * at, value, enable);
        const enabled = (secured.ep.read(AT.CONTROL) & 1) === 1;
        assert.is(enabled, ENABLED_STATES.includes(stream!.state));
        assert.is(secured.ep.read(AT.STATUS) & 0xf, stream!.secure ? 2 : 0);
        assert.ok(parseIdeCapability(secured.ep.registerDwords()).ok);
      }
    }),
    { seed: 1, numRuns: 300 },
  );
});

test.run();
