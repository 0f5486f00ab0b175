/**
 * What measurement values say where DSP0274 10.11.1 gives them a form: Version, SecureVersionNumber and
 * DeviceMode as raw bit streams. A digest, and a value of another form, says nothing but itself.
 */

import { readLE, toHex } from '../../codec/bytes.ts';
import type { Bits } from '../../codec/field.ts';
import { layout, u32 } from '../../codec/field.ts';
import { decode } from '../../codec/layout.ts';
import { MeasurementTypes, measurementTypeNames } from '../codes.ts';
import type { MeasurementBlockValue } from '../measurements.ts';

const RAW_BIT = 0x80;
const TYPE_MASK = 0x7f;

/** A `MeasurementTypes` code; undefined where the value is none of DMTF's. */
export const typeOf = ({ ValueType }: MeasurementBlockValue): number | undefined =>
  ValueType === undefined ? undefined : ValueType & TYPE_MASK;

export const isRaw = ({ ValueType }: MeasurementBlockValue): boolean =>
  ((ValueType ?? 0) & RAW_BIT) !== 0;

/** `MutableFirmware`, `Version (raw)`, or the specification's number where the value is none of DMTF's. */
export function typeText(block: MeasurementBlockValue): string {
  const type = typeOf(block);
  if (type === undefined) return `specification ${block.MeasurementSpecification}`;
  const name = measurementTypeNames[type] ?? `type ${type}`;
  return isRaw(block) ? `${name} (raw)` : name;
}

/** Operational modes: what the device may be in, and the one it is in. */
export const operationalModeBits = {
  Manufacturing: [0],
  Validation: [1],
  Normal: [2],
  Recovery: [3],
  RMA: [4],
  Decommissioned: [5],
} as const satisfies Bits;
export type OperationalMode = keyof typeof operationalModeBits;

/** Debug modes: active now, since the last reset, and ever since manufacturing. */
export const debugModeBits = {
  NonInvasiveDebugActive: [0],
  InvasiveDebugActive: [1],
  NonInvasiveDebugWasActive: [2],
  InvasiveDebugWasActive: [3],
  InvasiveDebugWasActiveAfterManufacturing: [4],
} as const satisfies Bits;
export type DebugMode = keyof typeof debugModeBits;

export const deviceMode = layout('DeviceMode', 'DSP0274 10.11.1', {
  OperationalModeCapabilities: u32({ bits: operationalModeBits }),
  OperationalModeState: u32({ bits: operationalModeBits }),
  DeviceModeCapabilities: u32({ bits: debugModeBits }),
  DeviceModeState: u32({ bits: debugModeBits }),
});

export interface DeviceMode {
  /** names of the bits set; `bit 7` for one without a name */
  readonly operational: readonly string[];
  readonly operationalCapabilities: readonly string[];
  readonly debug: readonly string[];
  readonly debugCapabilities: readonly string[];
}

function namesOf(table: Bits, mask: number): string[] {
  const names: string[] = [];
  for (let bit = 0; bit < 32; bit++) {
    if (((mask >>> bit) & 1) === 0) continue;
    const named = Object.entries(table).find(([, [lsb]]) => lsb === bit);
    names.push(named?.[0] ?? `bit ${bit}`);
  }
  return names;
}

export type MeaningOfValue =
  | { readonly kind: 'version'; readonly text: string }
  | { readonly kind: 'svn'; readonly svn: bigint }
  | { readonly kind: 'deviceMode'; readonly mode: DeviceMode };

const PRINTABLE = /^[\x20-\x7e]+$/;
const SVN_BYTES = 8;

/** A version is a text of the vendor's, perhaps with zero padding; else its bytes stand for it. */
function versionText(value: Uint8Array): string {
  const text = String.fromCharCode(...value.subarray(0, 256)).replace(/\0+$/, '');
  return PRINTABLE.test(text) ? text : toHex(value);
}

function svnOf(value: Uint8Array): bigint | undefined {
  if (value.length !== SVN_BYTES) return undefined;
  return (BigInt(readLE(value, 4, 4)) << 32n) | BigInt(readLE(value, 0, 4));
}

function modeOf(value: Uint8Array): DeviceMode | undefined {
  const read = decode(deviceMode, value);
  if (!read.ok) return undefined;
  const { OperationalModeState, OperationalModeCapabilities } = read.value;
  const { DeviceModeState, DeviceModeCapabilities } = read.value;
  return {
    operational: namesOf(operationalModeBits, OperationalModeState),
    operationalCapabilities: namesOf(operationalModeBits, OperationalModeCapabilities),
    debug: namesOf(debugModeBits, DeviceModeState),
    debugCapabilities: namesOf(debugModeBits, DeviceModeCapabilities),
  };
}

/** What a raw value says; undefined: a digest, a type without a form, or not of its type's size. */
export function meaningOf(block: MeasurementBlockValue): MeaningOfValue | undefined {
  if (!isRaw(block)) return undefined;
  const { Value } = block;
  switch (typeOf(block)) {
    case MeasurementTypes.Version:
      return { kind: 'version', text: versionText(Value) };
    case MeasurementTypes.SecureVersionNumber: {
      const svn = svnOf(Value);
      return svn === undefined ? undefined : { kind: 'svn', svn };
    }
    case MeasurementTypes.DeviceMode: {
      const mode = modeOf(Value);
      return mode && { kind: 'deviceMode', mode };
    }
    default:
      return undefined;
  }
}

/** The value for people: what it says, else its bytes. */
export function valueText(block: MeasurementBlockValue): string {
  const meaning = meaningOf(block);
  if (meaning === undefined) return toHex(block.Value);
  if (meaning.kind === 'version') return meaning.text;
  if (meaning.kind === 'svn') return `SVN ${meaning.svn}`;
  const { operational, debug } = meaning.mode;
  const list = (names: readonly string[], none: string) => names.join(', ') || none;
  return `operational ${list(operational, 'none')}; debug ${list(debug, 'off')}`;
}
