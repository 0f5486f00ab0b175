/** Measurement blocks (DSP0274 10.11.1): what a device reports of itself, and its summary hash. */

import { concat } from '../codec/bytes.ts';
import type { ValueOf } from '../codec/field.ts';
import { encode } from '../codec/layout.ts';
import type { HashName } from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import { entriesOf, replay } from './extension-log.ts';
import { measurementBlock } from './messages/auth.ts';

export type MeasurementBlockValue = ValueOf<typeof measurementBlock>;

/** One entry that was extended into a HashExtend measurement. */
export interface LogEntry {
  /** its number among all entries of the device; ascending */
  readonly melIndex: number;
  /** a `MeasurementTypes` code, bit 7 set where `value` is no digest */
  readonly valueType: number;
  readonly value: Uint8Array;
}

/** One thing a device measures. */
export interface Measured {
  readonly index: number;
  /** a `MeasurementTypes` code */
  readonly type: number;
  /** reported as it is (version, SVN ...), else as a digest of MeasurementHashAlgo */
  readonly raw: boolean;
  readonly content: Uint8Array;
  /** belongs to the trusted computing base: part of the TCB summary */
  readonly tcb: boolean;
  /** of a HashExtend measurement: what its value follows from (see `extendedMeasurement`) */
  readonly log?: readonly LogEntry[];
}

const RAW_BIT = 0x80;
const DMTF = 1;

/** `hash` undefined: MeasurementHashAlgo is raw bit streams only, and digests are none. */
export function measurementOf(
  crypto: CryptoProvider,
  hash: HashName | undefined,
  item: Measured,
): MeasurementBlockValue {
  const { index: Index, type, log } = item;
  if (log !== undefined && hash !== undefined) {
    const Value = replay(crypto, hash, entriesOf([item]), Index);
    return { Index, MeasurementSpecification: DMTF, ValueType: type, Value };
  }
  const raw = item.raw || hash === undefined;
  const Value = raw ? item.content : crypto.hash(hash, item.content);
  const ValueType = raw ? type | RAW_BIT : type;
  return { Index, MeasurementSpecification: DMTF, ValueType, Value };
}

export const SummaryTypes = { None: 0, TCB: 1, All: 0xff } as const;

/** MeasurementSummaryHash: BaseHash over the selected whole blocks; ALL has every one that is reported. */
export function summaryHash(
  crypto: CryptoProvider,
  baseHash: HashName,
  measurementHash: HashName | undefined,
  items: readonly Measured[],
  summaryType: number,
): Uint8Array {
  const chosen = items.filter((item) => summaryType !== SummaryTypes.TCB || item.tcb);
  return summaryOfBlocks(
    crypto,
    baseHash,
    chosen.map((item) => measurementOf(crypto, measurementHash, item)),
  );
}

/** The same from the blocks a responder reported: what the ALL summary must equal. */
export function summaryOfBlocks(
  crypto: CryptoProvider,
  baseHash: HashName,
  blocks: readonly MeasurementBlockValue[],
): Uint8Array {
  const record = concat(...blocks.map((block) => encode(measurementBlock, block)));
  return crypto.hash(baseHash, record);
}
