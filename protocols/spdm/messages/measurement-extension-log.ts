/**
 * Layouts of GET_MEASUREMENT_EXTENSION_LOG and its response, and of the DMTF log they carry in portions
 * (DSP0274 clause "Measurement extension log mechanism", from 1.3).
 */

import {
  bytes,
  countOf,
  layout,
  lengthOf,
  list,
  reserved,
  struct,
  u8,
  u32,
} from '../../codec/field.ts';
import { valueTypeNames } from './auth.ts';
import { header } from './header.ts';

const CLAUSE = 'DSP0274 MEASUREMENT_EXTENSION_LOG';

export const getMeasurementExtensionLog = layout('GET_MEASUREMENT_EXTENSION_LOG', CLAUSE, {
  ...header,
  Offset: u32(),
  Length: u32(),
});

export const measurementExtensionLog = layout('MEASUREMENT_EXTENSION_LOG', CLAUSE, {
  ...header,
  PortionLength: lengthOf('MEL', 4),
  RemainderLength: u32(),
  MEL: bytes((v) => v.PortionLength),
});

/** One entry; MeasIndex is the index of the measurement block that it went into. */
export const melEntry = layout('MELEntry', CLAUSE, {
  MELIndex: u32(),
  MeasIndex: u8(),
  Reserved: reserved(3),
  ValueType: u8({ names: valueTypeNames }),
  ValueSize: lengthOf('Value', 2),
  Value: bytes((v) => v.ValueSize),
});

/** The whole log of MELspecification DMTF. */
export const melBlob = layout(
  'MeasurementExtensionLog',
  CLAUSE,
  {
    NumberOfEntries: countOf('MELEntries', 4),
    MELEntriesLength: lengthOf('MELEntries', 4),
    Reserved: reserved(8),
    MELEntries: list(struct(melEntry), { bytes: (v) => v.MELEntriesLength }),
  },
  (v) =>
    v.NumberOfEntries !== v.MELEntries.length
      ? `NumberOfEntries ${v.NumberOfEntries}, but the log holds ${v.MELEntries.length}`
      : undefined,
);
