import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  busNumbers,
  encodeBusNumbers,
  encodeMemoryWindow,
  encodePrefetchableWindow,
  memoryWindow,
  prefetchableWindow,
  type Window,
} from '../../../devices/caps/type1-bridge.ts';
import { ConfigSpace } from '../../../devices/config-space.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';

const test = suite('type 1 bridge');

const make = () =>
  new ConfigSpace({ type: 1, vendorId: 0x1b36, deviceId: 0x000c, classCode: 0x060400 });
const hex = (dw: number) => dw.toString(16).padStart(8, '0');
const reader = (config: ConfigSpace) => (offset: number) => config.read(offset);

test('what can be written and what cannot', () => {
  const config = make();
  for (let offset = 0; offset < 0x40; offset += 4) config.write(offset, 0xffffffff);
  const rows: [offset: number, dw: string][] = [
    [0x00, '000c1b36'],
    [0x08, '06040000'],
    [0x0c, '000100ff'],
    [0x10, '00000000'],
    [0x18, '00ffffff'],
    [0x1c, '00000000'],
    [0x20, 'fff0fff0'],
    [0x24, 'fff1fff1'],
    [0x28, 'ffffffff'],
    [0x2c, 'ffffffff'],
    [0x30, '00000000'],
    [0x38, '00000000'],
    [0x3c, '004300ff'],
  ];
  for (const [offset, dw] of rows) assert.is(hex(config.read(offset)), dw, `offset ${offset}`);
});

test('bus numbers', () => {
  const config = make();
  const dw = encodeBusNumbers({ primary: 0, secondary: 1, subordinate: 0x3f });
  assert.is(hex(dw), '003f0100');
  config.write(0x18, dw);
  assert.equal(busNumbers(reader(config)), { primary: 0, secondary: 1, subordinate: 0x3f });
  assert.is(config.get('Subordinate Bus Number'), 0x3f);
  assert.throws(
    () => encodeBusNumbers({ primary: 0, secondary: 256, subordinate: 0 }),
    (e: unknown) => e instanceof LocalError && e.message.startsWith('secondary'),
  );
});

test('memory window vectors', () => {
  const rows: [window: Window | undefined, dw: string][] = [
    [{ base: 0xfe000000n, limit: 0xfe0fffffn }, 'fe00fe00'],
    [{ base: 0x80000000n, limit: 0x9fffffffn }, '9ff08000'],
    [{ base: 0n, limit: 0xffffffffn }, 'fff00000'],
    [undefined, '0000fff0'],
  ];
  for (const [window, dw] of rows) {
    assert.is(hex(encodeMemoryWindow(window)), dw);
    const config = make();
    config.write(0x20, encodeMemoryWindow(window));
    assert.equal(memoryWindow(reader(config)), window);
  }
});

test('a base one granule above the limit closes the window', () => {
  const config = make();
  config.write(0x20, 0x00000010);
  assert.is(memoryWindow(reader(config)), undefined);
  config.write(0x20, 0x00100010);
  assert.equal(memoryWindow(reader(config)), { base: 0x100000n, limit: 0x1fffffn });
});

test('prefetchable window vectors', () => {
  const rows: [window: Window | undefined, dws: string][] = [
    [{ base: 0x3800_00000000n, limit: 0x3fff_ffffffffn }, 'fff00000 00003800 00003fff'],
    [{ base: 0x1_00100000n, limit: 0x2_002fffffn }, '00200010 00000001 00000002'],
    [{ base: 0xe0000000n, limit: 0xe00fffffn }, 'e000e000 00000000 00000000'],
    [undefined, '0000fff0 00000000 00000000'],
  ];
  for (const [window, dws] of rows) {
    const encoded = encodePrefetchableWindow(window);
    assert.is(encoded.map(hex).join(' '), dws);
    const config = make();
    for (const [i, dw] of encoded.entries()) config.write(0x24 + 4 * i, dw);
    assert.equal(prefetchableWindow(reader(config)), window);
    assert.is(config.read(0x24) & 0xf, 1, 'says that it is 64 bits');
  }
});

test('any window goes round', () => {
  const mib = fc.bigInt({ min: 0n, max: (1n << 44n) - 1n });
  fc.assert(
    fc.property(mib, mib, (a, b) => {
      const [low, high] = a < b ? [a, b] : [b, a];
      const window = { base: low << 20n, limit: (high << 20n) + 0xfffffn };
      const config = make();
      for (const [i, dw] of encodePrefetchableWindow(window).entries())
        config.write(0x24 + 4 * i, dw);
      assert.equal(prefetchableWindow(reader(config)), window);
      const narrow = { base: (low & 0xfffn) << 20n, limit: 0xffffffffn };
      config.write(0x20, encodeMemoryWindow(narrow));
      assert.equal(memoryWindow(reader(config)), narrow);
    }),
    { seed: 1, numRuns: 300 },
  );
});

test('windows that cannot be said are refused', () => {
  const rows: [name: string, window: Window][] = [
    ['base', { base: 0x80000n, limit: 0xfffffn }],
    ['base', { base: -0x100000n, limit: 0xfffffn }],
    ['limit', { base: 0n, limit: 0x100000n }],
    ['limit', { base: 0x200000n, limit: 0x1fffffn }],
    ['limit', { base: 0n, limit: 0x1_000fffffn }],
  ];
  for (const [name, window] of rows)
    assert.throws(
      () => encodeMemoryWindow(window),
      (e: unknown) => e instanceof LocalError && e.message.startsWith(name),
    );
  assert.throws(() => encodePrefetchableWindow({ base: 0n, limit: (1n << 65n) - 1n }));
});

test('changes are reported by register name', () => {
  const config = make();
  const seen: string[] = [];
  config.onChange((change) => seen.push(`${change.register}=${change.to.toString(16)}`));
  config.write(0x18, 0x00020100);
  config.write(0x20, 0x9ff08000);
  config.write(0x3c, 0x00400000);
  assert.equal(seen, [
    'Secondary Bus Number=1',
    'Subordinate Bus Number=2',
    'Memory Base=8000',
    'Memory Limit=9ff0',
    'Bridge Control.Secondary_Bus_Reset=1',
  ]);
});

test.run();
