/** Frames of the emulators' socket protocol: literal bytes, every segmentation, payloads that are too long. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import {
  Commands,
  commandName,
  type Deframed,
  Deframer,
  encodeFrame,
  type Frame,
  TransportTypes,
  transportTypeName,
} from '../../../sim/socket/frame.ts';

const test = suite('socket frame');

const hex = (text: string) => fromHex(text.replace(/\s/g, ''));

/** Observed between QEMU, the emulators and each other. */
const vectors: readonly [name: string, bytes: string, frame: [number, number, string]][] = [
  [
    'GET_VERSION in a DOE object',
    '00000001 00000002 0000000c 0100010003000000 10840000',
    [Commands.NORMAL, TransportTypes.PCI_DOE, '010001000300000010840000'],
  ],
  ['SHUTDOWN', '0000fffe 00000002 00000000', [Commands.SHUTDOWN, TransportTypes.PCI_DOE, '']],
  ['CONTINUE', '0000fffd 00000001 00000000', [Commands.CONTINUE, TransportTypes.MCTP, '']],
  [
    'the client greets',
    '0000dead 00000002 0000000e 436c69656e742048656c6c6f2100',
    [Commands.TEST, TransportTypes.PCI_DOE, '436c69656e742048656c6c6f2100'],
  ],
  [
    'a storage status',
    '00000004 00000004 00000002 0002',
    [Commands.STORAGE_STATUS, TransportTypes.NVME, '0002'],
  ],
];

const frameOf = ([command, transport, payload]: [number, number, string]): Frame => ({
  command,
  transport,
  payload: hex(payload),
});
const shown = (item: Deframed) =>
  item.ok
    ? [item.frame.command, item.frame.transport, toHex(item.frame.payload)]
    : [item.head.command, item.head.transport, item.refusal.code, item.refusal.path];

for (const [name, bytes, expected] of vectors)
  test(`${name}, both ways`, () => {
    assert.is(toHex(encodeFrame(frameOf(expected))), toHex(hex(bytes)));
    assert.equal(new Deframer().push(hex(bytes)).map(shown), [expected]);
  });

const stream = concat(...vectors.map(([, bytes]) => hex(bytes)));
const all = vectors.map(([, , expected]) => expected);

test('the whole stream in pieces of every size', () => {
  for (let size = 1; size <= stream.length; size++) {
    const deframer = new Deframer();
    const found: Deframed[] = [];
    for (let at = 0; at < stream.length; at += size)
      found.push(...deframer.push(stream.subarray(at, at + size)));
    assert.equal(found.map(shown), all, `pieces of ${size}`);
    assert.ok(deframer.idle);
  }
});

test('pieces cut anywhere give the same frames', () => {
  const cuts = fc.array(fc.nat(stream.length), { maxLength: 12 });
  fc.assert(
    fc.property(cuts, (points) => {
      const deframer = new Deframer();
      const ends = [...points, stream.length].sort((a, b) => a - b);
      let from = 0;
      const found = ends.flatMap((end) => {
        const piece = stream.subarray(from, end);
        from = end;
        return deframer.push(piece);
      });
      assert.equal(found.map(shown), all);
    }),
    { seed: 1, numRuns: 200 },
  );
});

test('a payload larger than the first reservation arrives whole', () => {
  const payload = Uint8Array.from({ length: 70_001 }, (_, i) => (i * 7) & 0xff);
  const bytes = encodeFrame({ command: 1, transport: 2, payload });
  const deframer = new Deframer();
  const found = [1, 5000, 5001, 40_000, bytes.length].map((end, i, ends) =>
    deframer.push(bytes.subarray(i === 0 ? 0 : ends[i - 1], end)),
  );
  assert.equal(
    found.map((each) => each.length),
    [0, 0, 0, 0, 1],
  );
  const [last] = found.at(-1)!;
  assert.ok(last?.ok && toHex(last.frame.payload) === toHex(payload));
});

test('a payload may use the whole limit; one byte more is refused, skipped, and the stream stays in step', () => {
  const fits = encodeFrame({ command: 1, transport: 2, payload: new Uint8Array(16) });
  const over = encodeFrame({ command: 1, transport: 2, payload: new Uint8Array(17) });
  const after = encodeFrame({ command: 0xfffe, transport: 2, payload: new Uint8Array(0) });
  const bytes = concat(fits, over, after);
  for (const size of [1, 7, bytes.length]) {
    const deframer = new Deframer(16);
    const found: Deframed[] = [];
    for (let at = 0; at < bytes.length; at += size)
      found.push(...deframer.push(bytes.subarray(at, at + size)));
    assert.equal(found.map(shown), [
      [1, 2, '00'.repeat(16)],
      [1, 2, 'OVER_LIMIT', 'PayloadSize'],
      [0xfffe, 2, ''],
    ]);
  }
});

test('an oversize payload is told with its header, before it arrives', () => {
  const deframer = new Deframer();
  const found = deframer.push(hex('00000001 00000002 ffffffff'));
  assert.equal(found.map(shown), [[1, 2, 'OVER_LIMIT', 'PayloadSize']]);
  assert.not(deframer.idle);
  assert.equal(deframer.push(new Uint8Array(100_000)), []);
});

test('the stream is idle between frames only', () => {
  const deframer = new Deframer();
  assert.ok(deframer.idle);
  for (const byte of stream.subarray(0, 23)) {
    deframer.push(Uint8Array.of(byte));
    assert.not(deframer.idle);
  }
  deframer.push(stream.subarray(23, 24));
  assert.ok(deframer.idle);
});

test('codes have names, unknown ones their number', () => {
  assert.is(commandName(0xdead), 'TEST');
  assert.is(commandName(0x1234), '0x1234');
  assert.is(transportTypeName(2), 'PCI_DOE');
  assert.is(transportTypeName(9), '0x9');
});

test.run();
