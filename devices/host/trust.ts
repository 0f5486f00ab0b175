/** What the relying party holds a device's measurements to: the values its vendor published. */

import { equal, toHex } from '../../protocols/codec/bytes.ts';
import type { MeasurementBlockValue } from '../../protocols/spdm/measurements.ts';

export interface MeasurementFinding {
  readonly index: number;
  readonly detail: string;
}

const shown = (bytes: Uint8Array) => `${toHex(bytes.subarray(0, 8))}...`;

/**
 * Differences between reported blocks and reference blocks; empty: they agree. An index reported twice
 * agrees with nothing, whichever of the two would.
 */
export function compareMeasurements(
  reported: readonly MeasurementBlockValue[],
  reference: readonly MeasurementBlockValue[],
): MeasurementFinding[] {
  const findings: MeasurementFinding[] = [];
  const byIndex = new Map<number, MeasurementBlockValue>();
  for (const block of reported) {
    if (byIndex.has(block.Index)) findings.push({ index: block.Index, detail: 'reported twice' });
    byIndex.set(block.Index, block);
  }
  for (const wanted of reference) {
    const block = byIndex.get(wanted.Index);
    byIndex.delete(wanted.Index);
    const index = wanted.Index;
    if (block === undefined) findings.push({ index, detail: 'not reported' });
    else if (block.ValueType !== wanted.ValueType)
      findings.push({ index, detail: `type ${block.ValueType}, expected ${wanted.ValueType}` });
    else if (!equal(block.Value, wanted.Value))
      findings.push({ index, detail: `${shown(block.Value)}, expected ${shown(wanted.Value)}` });
  }
  for (const index of byIndex.keys()) findings.push({ index, detail: 'has no reference value' });
  return findings;
}
