/**
 * The measurement extension log (DSP0274, measurement extension log mechanism, from 1.3): entries that
 * were extended one after the other into HashExtend measurements, and the log that lets a verifier do
 * the same again.
 */

import { concat, equal } from '../codec/bytes.ts';
import { decode, encode } from '../codec/layout.ts';
import { type PeerFault, peerFault, refusalText } from '../codec/refusal.ts';
import { type HashName, hashSizes } from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import { MeasurementTypes } from './codes.ts';
import type { LogEntry, Measured, MeasurementBlockValue } from './measurements.ts';
import { melBlob, melEntry } from './messages/measurement-extension-log.ts';

/** One entry of a log as it was read; MeasIndex names the measurement it went into. */
export interface ExtensionLogEntry extends LogEntry {
  readonly measIndex: number;
}

const encodeEntry = ({ melIndex, measIndex, valueType, value }: ExtensionLogEntry): Uint8Array =>
  encode(melEntry, {
    MELIndex: melIndex,
    MeasIndex: measIndex,
    ValueType: valueType,
    Value: value,
  });

/** The entries of all that is measured, in the order of their MELIndex. */
export function entriesOf(items: readonly Measured[]): readonly ExtensionLogEntry[] {
  return items
    .flatMap(({ index, log = [] }) => log.map((entry) => ({ ...entry, measIndex: index })))
    .sort((a, b) => a.melIndex - b.melIndex);
}

/** The DMTF log as it is given out in portions. */
export function encodeLog(entries: readonly ExtensionLogEntry[]): Uint8Array {
  const MELEntries = entries.map(({ melIndex, measIndex, valueType, value }) => ({
    MELIndex: melIndex,
    MeasIndex: measIndex,
    ValueType: valueType,
    Value: value,
  }));
  return encode(melBlob, { MELEntries });
}

/** The entries of a log that fills `bytes`; a MELIndex that does not ascend is a fault. */
export function decodeLog(bytes: Uint8Array): readonly ExtensionLogEntry[] | PeerFault {
  const decoded = decode(melBlob, bytes);
  if (!decoded.ok) return peerFault('EXTENSION_LOG_ENCODING', refusalText(decoded));
  const entries = decoded.value.MELEntries.map((entry) => ({
    melIndex: entry.MELIndex,
    measIndex: entry.MeasIndex,
    valueType: entry.ValueType,
    value: entry.Value,
  }));
  const astray = entries.find((entry, i) => i > 0 && entry.melIndex <= entries[i - 1]!.melIndex);
  if (astray === undefined) return entries;
  return peerFault('EXTENSION_LOG_ORDER', `MELIndex ${astray.melIndex} does not ascend`);
}

/**
 * The value of the HashExtend measurement `index` after `entries`: from zeros, for each of its entries
 * the hash of the value so far and the whole entry. That the whole entry is hashed, not its value alone,
 * is what the DMTF reference does [unverified against the specification].
 */
export function replay(
  crypto: CryptoProvider,
  hash: HashName,
  entries: readonly ExtensionLogEntry[],
  index: number,
): Uint8Array {
  let value: Uint8Array = new Uint8Array(hashSizes[hash]);
  for (const entry of entries)
    if (entry.measIndex === index) value = crypto.hash(hash, concat(value, encodeEntry(entry)));
  return value;
}

/** A HashExtend measurement of `log`; its value follows from the entries and the hash agreed on. */
export function extendedMeasurement(
  index: number,
  log: readonly LogEntry[],
  tcb: boolean,
): Measured {
  const content = concat(...log.map((entry) => encodeEntry({ ...entry, measIndex: index })));
  return { index, type: MeasurementTypes.HashExtend, raw: false, content, tcb, log };
}

/** What is wrong between a log and the HashExtend measurements reported with it; undefined: nothing. */
export function logFault(
  crypto: CryptoProvider,
  hash: HashName,
  entries: readonly ExtensionLogEntry[],
  blocks: readonly MeasurementBlockValue[],
): PeerFault | undefined {
  const extended = blocks.filter(({ ValueType }) => ValueType === MeasurementTypes.HashExtend);
  const stray = entries.find((entry) => !extended.some(({ Index }) => Index === entry.measIndex));
  if (stray !== undefined)
    return peerFault('EXTENSION_LOG_INDEX', `no HashExtend measurement ${stray.measIndex}`);
  const wrong = extended.find(
    ({ Index, Value }) => !equal(Value, replay(crypto, hash, entries, Index)),
  );
  if (wrong === undefined) return undefined;
  return peerFault('EXTENSION_LOG_REPLAY', `measurement ${wrong.Index} is not what the log gives`);
}
