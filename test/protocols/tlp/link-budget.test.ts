/** The link budget against published speeds, exact rationals, and an outside throughput model. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import * as budget from '../../../protocols/tlp/link-budget.ts';

const speeds = suite('link budget: speeds');
/** generation, GB/s at x1, x4, x8, x16 */
const GIGABYTES: readonly (readonly [number, number, number, number, number])[] = [
  [1, 0.25, 1, 2, 4],
  [2, 0.5, 2, 4, 8],
  [3, 0.985, 3.938, 7.877, 15.754],
  [4, 1.969, 7.877, 15.754, 31.508],
  [5, 3.938, 15.754, 31.508, 63.015],
  [6, 8, 32, 64, 128],
];
for (const [generation, ...row] of GIGABYTES)
  speeds(`generation ${generation}`, () => {
    for (const [i, width] of [1, 4, 8, 16].entries()) {
      const value = budget.rawBytesPerSecond(generation, width) / 1e9;
      assert.is(Number(value.toFixed(3)), row[i], `x${width}`);
    }
  });
speeds('generation 6 keeps 236 of 256 bytes for TLPs', () => {
  assert.is(budget.tlpBytesPerSecond(6, 16), 118e9);
  assert.is(budget.tlpBytesPerSecond(1, 16), 4e9);
});
speeds.run();

const times = suite('link budget: serialisation');
/** generation, width, bytes, picoseconds worked out by hand */
const TIMES: readonly (readonly [number, number, number, number])[] = [
  [1, 1, 1, 4000],
  [1, 16, 1, 250],
  [2, 1, 1, 2000],
  [2, 32, 1, 63],
  [3, 1, 128, 130_000],
  [3, 1, 1, 1016],
  [4, 1, 128, 65_000],
  [5, 16, 128, 2032],
  [5, 16, 1024, 16_250],
  [5, 16, 280, 4444],
  [6, 1, 236, 32_000],
  [6, 16, 236, 2000],
  [6, 16, 1, 9],
  [5, 16, 0, 0],
];
for (const [generation, width, bytes, ps] of TIMES)
  times(`generation ${generation} x${width}, ${bytes} bytes`, () =>
    assert.is(budget.serialisationPs(generation, width, bytes), ps),
  );
times('exact against rationals of big integers', () => {
  const rates: Readonly<Record<number, readonly [bigint, bigint]>> = {
    1: [10n, 8n * 2500n],
    2: [10n, 8n * 5000n],
    3: [130n, 128n * 8000n],
    4: [130n, 128n * 16000n],
    5: [130n, 128n * 32000n],
    6: [256n, 236n * 64000n],
  };
  const width = fc.constantFrom(...budget.LINK_WIDTHS);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), width, fc.nat(2 ** 31 - 1), (g, w, bytes) => {
      const [numerator, denominator] = rates[g]!;
      const top = BigInt(bytes) * 8n * 1_000_000n * numerator;
      const bottom = denominator * BigInt(w);
      assert.is(budget.serialisationPs(g, w, bytes), Number((top + bottom - 1n) / bottom));
    }),
    { seed: 1, numRuns: 2000 },
  );
});
times('framing: 8 bytes a TLP and 8 a DLLP, none in flits', () => {
  assert.is(budget.wireBytes(5, 272), 280);
  assert.is(budget.tlpPs(5, 16, 272), 4444);
  assert.is(budget.dllpPs(1, 1), 32_000);
  assert.is(budget.wireBytes(6, 272), 272);
  assert.is(budget.dllpPs(6, 16), 0);
});
times('caller mistakes are named', () => {
  const mistakes: readonly (readonly [() => unknown, RegExp])[] = [
    [() => budget.serialisationPs(0, 1, 1), /^generation/],
    [() => budget.serialisationPs(7, 1, 1), /^generation/],
    [() => budget.serialisationPs(3, 3, 1), /^width/],
    [() => budget.serialisationPs(3, 1, -1), /^bytes/],
    [() => budget.serialisationPs(3, 1, 0.5), /^bytes/],
    [() => budget.serialisationPs(3, 1, 2 ** 52), /^bytes/],
    [() => budget.rawBytesPerSecond(3, 5), /^width/],
  ];
  for (const [call, pattern] of mistakes)
    assert.throws(call, (e: unknown) => e instanceof LocalError && pattern.test(e.message));
});
times.run();

const model = suite('link budget: against pcie-bench');
/** generation, width, MPS, then Gb/s: TLP layer, and writes of MPS bytes with 64-bit addresses */
const MODEL: readonly (readonly [number, number, number, number, number])[] = [
  [3, 8, 256, 57.885, 52.923],
  [3, 16, 128, 111.7, 94.063],
  [4, 4, 256, 58.14, 53.157],
  [4, 16, 512, 229.247, 218.982],
  [5, 16, 256, 454.8, 415.817],
  [5, 8, 512, 229.247, 218.982],
];
for (const [generation, width, mps, layer, write] of MODEL)
  model(`generation ${generation} x${width}, MPS ${mps}`, () => {
    // the model takes one Ack and one UpdateFC, and the SKP share, off the raw rate
    const interval = budget.dllpIntervalSymbols(mps, width)!;
    const dllps = (2 * budget.linkGeneration(generation).dllpBytes) / interval;
    const skp = budget.SKP_SYMBOLS / budget.SKP_INTERVAL_SYMBOLS;
    const rate = (budget.tlpBytesPerSecond(generation, width) * 8 * (1 - dllps - skp)) / 1e9;
    assert.is(Number(rate.toFixed(3)), layer);
    const share = mps / budget.wireBytes(generation, 16 + mps);
    assert.is(Number((rate * share).toFixed(3)), write);
  });
model('no interval for other sizes', () => {
  assert.is(budget.dllpIntervalSymbols(1024, 8), undefined);
  assert.is(budget.dllpIntervalSymbols(256, 3), undefined);
  const rows = [128, 256, 512].map((mps) =>
    [1, 2, 4, 8, 16].map((width) => budget.dllpIntervalSymbols(mps, width)),
  );
  assert.equal(rows, [
    [333, 224, 169, 163, 144],
    [512, 313, 214, 203, 168],
    [655, 385, 250, 182, 182],
  ]);
});
model.run();
