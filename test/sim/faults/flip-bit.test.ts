import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Link } from '../../../devices/link.ts';
import type { SimRecords } from '../../../devices/records.ts';
import { encodeIdePrefix, memoryRead, memoryWrite } from '../../../protocols/tlp/index.ts';
import { armFlipBit, type FlipBit } from '../../../sim/faults/flip-bit.ts';
import { Kernel } from '../../../sim/kernel/index.ts';

const test = suite('flip-bit');

const prefix = encodeIdePrefix({
  prSentCounter: 0,
  streamId: 1,
  subStream: 0,
  pcrc: false,
  mac: true,
  keySet: 0,
  tee: true,
});
const ide = (tlp: Uint8Array) => Uint8Array.of(...prefix, ...tlp, ...new Uint8Array(12).fill(0xaa));
const write = () => memoryWrite({ requesterId: 8, address: 0x1000, data: new Uint8Array(8) });
const read = () => memoryRead({ requesterId: 8, address: 0x1000, length: 8 });

/** What comes out at the other end of a link with the fault armed. */
function through(fault: FlipBit, tlps: readonly Uint8Array[]) {
  const kernel = new Kernel<SimRecords>({ seed: 1 });
  const link = new Link(kernel, { name: 'link', generation: 5, width: 16, propagationPs: 1000 });
  const out: Uint8Array[] = [];
  const fired: string[] = [];
  link.connect('downstream', (tlp) => out.push(tlp));
  kernel.bus.on('interposed', ({ data }) => fired.push(data.what));
  armFlipBit(kernel, link, fault);
  for (const tlp of tlps) link.send('downstream', tlp);
  kernel.run();
  return { out, fired };
}
const difference = (a: Uint8Array, b: Uint8Array) =>
  [...a].flatMap((byte, i) => (byte === b[i] ? [] : [[i, byte ^ b[i]!]]));

test('flips exactly the named payload bit, once, and says so', () => {
  const sent = [ide(write()), ide(write())];
  const { out, fired } = through({ direction: 'downstream', tlp: 'memory-write', bit: 19 }, sent);
  // prefix 4, header 12, payload from byte 16 on: bit 19 is bit 3 of its third byte
  assert.equal(difference(sent[0]!, out[0]!), [[18, 8]]);
  assert.equal(difference(sent[1]!, out[1]!), []);
  assert.equal(fired, ['bit 19 of a MWr32']);
});

test('wraps a bit past a short payload', () => {
  const sent = [ide(write())];
  const { out } = through({ direction: 'downstream', tlp: 'memory-write', bit: 64 }, sent);
  assert.equal(difference(sent[0]!, out[0]!), [[16, 1]]);
});

test('changes the last header DW of a TLP without payload, never its MAC', () => {
  const sent = [ide(read())];
  const { out } = through({ direction: 'downstream', tlp: 'memory-read', bit: 31 }, sent);
  assert.equal(difference(sent[0]!, out[0]!), [[15, 0x80]]);
});

const passes: [name: string, fault: FlipBit, tlp: Uint8Array][] = [
  ['another type', { direction: 'downstream', tlp: 'completion', bit: 0 }, ide(write())],
  ['the other direction', { direction: 'upstream', tlp: 'memory-write', bit: 0 }, ide(write())],
  ['a TLP without IDE', { direction: 'downstream', tlp: 'memory-write', bit: 0 }, write()],
];
for (const [name, fault, tlp] of passes)
  test(`lets pass ${name}`, () => {
    const { out, fired } = through(fault, [tlp]);
    assert.equal(out, [tlp]);
    assert.equal(fired, []);
  });
test.run();
