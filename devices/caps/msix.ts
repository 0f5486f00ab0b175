/**
 * The MSI-X capability (PCIe Base 6.x clause 7.7.2): where table and PBA are, and the two bits that
 * switch them. The table itself stands in the memory space the BIR names.
 */

import { LocalError } from '../../protocols/codec/refusal.ts';
import { CapabilityIds } from './names.ts';
import { RegisterCapability, type RegisterSpec } from './register-block.ts';

const CAPABILITY_BYTES = 0x0c;
const VECTORS_MAX = 2048;
export const MSIX_ENTRY_BYTES = 16;

/** A place in the memory a BAR decodes; the offset is a multiple of 8 bytes. */
export interface BarPlace {
  readonly bir: number;
  readonly offset: number;
}

export interface MsixOptions {
  /** 1 to 2048 */
  readonly vectors: number;
  readonly table: BarPlace;
  readonly pba: BarPlace;
}

function checkPlace(name: string, { bir, offset }: BarPlace): void {
  if (!Number.isInteger(bir) || bir < 0 || bir > 5)
    throw new LocalError(`${name}.bir: expected 0..5, got ${bir}`);
  if (!Number.isInteger(offset) || offset < 0 || offset > 0xfffffff8 || offset % 8 !== 0)
    throw new LocalError(`${name}.offset: expected a multiple of 8 below 2^32, got ${offset}`);
}

function place(name: string, offset: number, at: BarPlace): RegisterSpec {
  return {
    name,
    offset,
    bytes: 4,
    fields: [
      { name: 'BIR', lsb: 0, width: 3, access: 'HwInit', reset: at.bir },
      { name: 'Offset', lsb: 3, width: 29, access: 'HwInit', reset: at.offset / 8 },
    ],
  };
}

export class MsixCapability extends RegisterCapability {
  readonly vectors: number;
  readonly table: BarPlace;
  readonly pba: BarPlace;

  /** @throws LocalError on a number of vectors or a place out of range. */
  constructor({ vectors, table, pba }: MsixOptions) {
    if (!Number.isInteger(vectors) || vectors < 1 || vectors > VECTORS_MAX)
      throw new LocalError(`vectors: expected 1..${VECTORS_MAX}, got ${vectors}`);
    checkPlace('table', table);
    checkPlace('pba', pba);
    super(CapabilityIds.MSIX, CAPABILITY_BYTES, [
      {
        name: 'MSI-X Message Control',
        offset: 0x02,
        bytes: 2,
        fields: [
          { name: 'Table_Size', lsb: 0, width: 11, access: 'HwInit', reset: vectors - 1 },
          { name: 'Function_Mask', lsb: 14, access: 'RW' },
          { name: 'Enable', lsb: 15, access: 'RW' },
        ],
      },
      place('MSI-X Table', 0x04, table),
      place('MSI-X PBA', 0x08, pba),
    ]);
    this.vectors = vectors;
    this.table = table;
    this.pba = pba;
  }

  get enabled(): boolean {
    return this.registers.get('MSI-X Message Control.Enable') === 1;
  }

  get functionMask(): boolean {
    return this.registers.get('MSI-X Message Control.Function_Mask') === 1;
  }
}
