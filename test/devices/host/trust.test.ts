import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compareMeasurements } from '../../../devices/host/trust.ts';
import type { MeasurementBlockValue } from '../../../protocols/spdm/measurements.ts';
import { referenceBlocks } from '../../../sim/scenario/platform.ts';
import { Machine } from '../machine.ts';

const test = suite('host: trust');

const reference = referenceBlocks(new Machine().platform);
type Blocks = readonly MeasurementBlockValue[];
const change = (index: number, edit: (block: MeasurementBlockValue) => MeasurementBlockValue) =>
  reference.map((block) => (block.Index === index ? edit(block) : block));

test('what differs from the reference is found, by index', () => {
  const flip = (bytes: Uint8Array) =>
    bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte));
  const rows: [name: string, reported: Blocks, indices: number[]][] = [
    ['the same', reference, []],
    ['in another order', [...reference].reverse(), []],
    ['last bit of a digest', change(2, (b) => ({ ...b, Value: flip(b.Value) })), [2]],
    ['raw value', change(7, (b) => ({ ...b, Value: flip(b.Value) })), [7]],
    ['cut short', change(3, (b) => ({ ...b, Value: b.Value.slice(1) })), [3]],
    ['empty', change(3, (b) => ({ ...b, Value: new Uint8Array(0) })), [3]],
    ['another type', change(4, (b) => ({ ...b, ValueType: (b.ValueType ?? 0) ^ 0x80 })), [4]],
    ['not reported', reference.filter((b) => b.Index !== 5), [5]],
    ['one too many', [...reference, { ...reference[0]!, Index: 0x21 }], [0x21]],
    ['nothing', [], reference.map((b) => b.Index)],
    [
      'two',
      change(1, (b) => ({ ...b, Value: flip(b.Value) })).filter((b) => b.Index !== 6),
      [1, 6],
    ],
  ];
  for (const [name, reported, indices] of rows)
    assert.equal(
      compareMeasurements(reported, reference).map((each) => each.index),
      indices,
      name,
    );
});

test('an index reported twice agrees with nothing', () => {
  const wrong = { ...reference[0]!, Value: new Uint8Array(48) };
  for (const reported of [
    [wrong, ...reference],
    [...reference, wrong],
  ])
    assert.ok(compareMeasurements(reported, reference).length > 0);
});

test.run();
