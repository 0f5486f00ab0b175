/**
 * The messages a measurement signature covers, read back from their bytes: L1/L2 of DSP0274 10.11.1,
 * that is any number of GET_MEASUREMENTS / MEASUREMENTS pairs of which the last is signed. From 1.2 on the
 * signature covers VCA in front of them.
 */

import { equal } from '../../codec/bytes.ts';
import type { ValueOf } from '../../codec/field.ts';
import { type Decoded, RefusalCodes, refuse } from '../../codec/refusal.ts';
import { RequestCodes, ResponseCodes } from '../codes.ts';
import type { MeasurementBlockValue } from '../measurements.ts';
import type { getMeasurements, measurements } from '../messages/auth.ts';
import { readPair } from './parts.ts';

export interface MeasurementPair {
  readonly request: ValueOf<typeof getMeasurements>;
  readonly response: ValueOf<typeof measurements>;
}

export interface MeasurementRecord {
  readonly version: number;
  /** all pairs in their order; the last one carries the signature */
  readonly pairs: readonly MeasurementPair[];
  readonly last: MeasurementPair;
  readonly signature: Uint8Array;
  /** the pairs without the signature */
  readonly signed: Uint8Array;
}

const PAIRS_MAX = 256;
const SIGNATURE_REQUESTED = 1;
const codes = [RequestCodes.GET_MEASUREMENTS, ResponseCodes.MEASUREMENTS] as const;

/** Reads the pairs that fill `bytes`. @param signatureSize by the signer's key, in bytes */
export function readMeasurementRecord(
  bytes: Uint8Array,
  signatureSize: number,
): Decoded<MeasurementRecord> {
  const pairs: MeasurementPair[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    if (pairs.at(-1)?.response.Signature !== undefined)
      return refuse(RefusalCodes.TRAILING, 'evidence', offset, 'more after the signature');
    if (pairs.length === PAIRS_MAX)
      return refuse(RefusalCodes.OVER_LIMIT, 'evidence', offset, `more than ${PAIRS_MAX} pairs`);
    const version = bytes[offset] ?? 0;
    const pair = readPair(bytes, offset, codes, (request) => {
      const { Param1 = 0 } = request as Partial<MeasurementPair['request']>;
      return { version, signed: Param1 & SIGNATURE_REQUESTED, signatureSize };
    });
    if (!pair.ok) return { ...pair, path: `pair[${pairs.length}].${pair.path}` };
    const [request, response] = pair.value;
    offset += pair.size;
    pairs.push({ request, response } as unknown as MeasurementPair);
  }
  const last = pairs.at(-1);
  const signature = last?.response.Signature;
  if (last === undefined || signature === undefined)
    return refuse(RefusalCodes.TRUNCATED, 'Signature', bytes.length, 'nothing here is signed');
  const version = last.request.SPDMVersion;
  if (pairs.some(({ request }) => request.SPDMVersion !== version))
    return refuse(RefusalCodes.BAD_VALUE, 'SPDMVersion', 0, 'messages of several versions');
  const signed = bytes.slice(0, bytes.length - signature.length);
  return { ok: true, value: { version, pairs, last, signature, signed }, size: bytes.length };
}

/** All blocks by first appearance; one index may come twice only with the same contents. */
export function gatherBlocks(record: MeasurementRecord): {
  blocks: MeasurementBlockValue[];
  conflict: number | undefined;
} {
  const byIndex = new Map<number, MeasurementBlockValue>();
  let conflict: number | undefined;
  for (const { response } of record.pairs)
    for (const block of response.MeasurementRecord) {
      const known = byIndex.get(block.Index);
      const same =
        known?.ValueType === block.ValueType && equal(known?.Value ?? block.Value, block.Value);
      if (known === undefined) byIndex.set(block.Index, block);
      else if (!same) conflict ??= block.Index;
    }
  return { blocks: [...byIndex.values()], conflict };
}

const ALL_MEASUREMENTS = 0xff;
const TOTAL_NUMBER = 0;

/** Whether every block was asked for: all at once, or as many one by one as the device says it has. */
export function isComplete(record: MeasurementRecord, blocks: number): boolean {
  return record.pairs.some(
    ({ request, response }) =>
      request.Param2 === ALL_MEASUREMENTS ||
      (request.Param2 === TOTAL_NUMBER && response.Param1 === blocks && blocks > 0),
  );
}
