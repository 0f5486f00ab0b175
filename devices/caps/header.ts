/**
 * The 64-byte configuration header: what both types have in common, and type 0 (PCIe Base 6.x clauses
 * 7.5.1.1 and 7.5.1.2). Type 1 stands in `type1-bridge.ts`.
 */

import { type BarSpec, barRegisters, romRegister } from './bar.ts';
import { type FieldSpec, type RegisterSpec, whole } from './register-block.ts';

export const HEADER_BYTES = 0x40;
export const CAPABILITIES_POINTER = 0x34;

/** What every function says of itself. */
export interface IdentityOptions {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revisionId?: number;
  /** base class, sub-class, programming interface: 24 bits */
  readonly classCode: number;
  readonly multiFunction?: boolean;
  /** INTA..INTD as 1..4; 0 for none */
  readonly interruptPin?: number;
  readonly bars?: readonly BarSpec[];
  readonly expansionRomBytes?: number;
}

export interface Type0Options extends IdentityOptions {
  readonly type: 0;
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
}

const error = (name: string, lsb: number): FieldSpec => ({ name, lsb, access: 'RW1C' });

/** Status, and Secondary Status, bits that record errors. */
export const errorStatusFields: readonly FieldSpec[] = [
  error('Master_Data_Parity_Error', 8),
  error('Signaled_Target_Abort', 11),
  error('Received_Target_Abort', 12),
  error('Received_Master_Abort', 13),
  error('Signaled_System_Error', 14),
  error('Detected_Parity_Error', 15),
];

function commandFields(hasIo: boolean): FieldSpec[] {
  return [
    { name: 'IOSE', lsb: 0, access: hasIo ? 'RW' : 'RO' },
    { name: 'MSE', lsb: 1, access: 'RW' },
    { name: 'BME', lsb: 2, access: 'RW' },
    { name: 'Parity_Error_Response', lsb: 6, access: 'RW' },
    { name: 'SERR_Enable', lsb: 8, access: 'RW' },
    { name: 'Interrupt_Disable', lsb: 10, access: 'RW' },
  ];
}

/** Registers 00h-0Fh, 34h and 3Ch-3Dh, the same in both header types. */
export function commonRegisters(options: IdentityOptions, type: 0 | 1): RegisterSpec[] {
  const layoutByte = type | (options.multiFunction === true ? 0x80 : 0);
  const hasIo = (options.bars ?? []).some((bar) => bar.kind === 'io');
  return [
    whole('Vendor ID', 0x00, 2, 'HwInit', options.vendorId),
    whole('Device ID', 0x02, 2, 'HwInit', options.deviceId),
    { name: 'Command', offset: 0x04, bytes: 2, fields: commandFields(hasIo) },
    {
      name: 'Status',
      offset: 0x06,
      bytes: 2,
      fields: [
        { name: 'Interrupt_Status', lsb: 3, access: 'RO' },
        { name: 'Capabilities_List', lsb: 4, access: 'HwInit' },
        ...errorStatusFields,
      ],
    },
    whole('Revision ID', 0x08, 1, 'HwInit', options.revisionId ?? 0),
    whole('Class Code', 0x09, 3, 'HwInit', options.classCode),
    whole('Cache Line Size', 0x0c, 1, 'RW'),
    whole('Header Type', 0x0e, 1, 'HwInit', layoutByte),
    whole('Capabilities Pointer', CAPABILITIES_POINTER, 1, 'HwInit'),
    whole('Interrupt Line', 0x3c, 1, 'RW'),
    whole('Interrupt Pin', 0x3d, 1, 'HwInit', options.interruptPin ?? 0),
  ];
}

/** All registers of a type 0 header. */
export function type0Registers(options: Type0Options): RegisterSpec[] {
  const rom = options.expansionRomBytes;
  return [
    ...commonRegisters(options, 0),
    ...barRegisters(options.bars ?? [], 6),
    whole('Subsystem Vendor ID', 0x2c, 2, 'HwInit', options.subsystemVendorId ?? 0),
    whole('Subsystem ID', 0x2e, 2, 'HwInit', options.subsystemId ?? 0),
    ...(rom === undefined ? [] : [romRegister(0x30, rom)]),
  ];
}
