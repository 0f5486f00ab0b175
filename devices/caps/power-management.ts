/**
 * The Power Management capability (PCIe Base 6.x clause 7.5.2): D-states and PME. A write of a state the
 * function does not have completes and changes nothing. What leaving D3hot resets is its owner's to do.
 */

import { LocalError } from '../../protocols/codec/refusal.ts';
import { CapabilityIds } from './names.ts';
import { type Changed, RegisterCapability } from './register-block.ts';

const CAPABILITY_BYTES = 0x08;
const VERSION = 3;
const POWER_STATE = 'PMCSR.PowerState';
export const PowerStates = { D0: 0, D1: 1, D2: 2, D3HOT: 3 } as const;
export type PowerState = (typeof PowerStates)[keyof typeof PowerStates];

export interface PowerManagementOptions {
  readonly d1?: boolean;
  readonly d2?: boolean;
  /** No_Soft_Reset: the way from D3hot to D0 keeps the context; default true */
  readonly noSoftReset?: boolean;
  /** the states PME can come from: bit 0 D0 ... bit 3 D3hot, bit 4 D3cold */
  readonly pmeSupport?: number;
  /** software moved the function; `softReset` where the way out of D3hot resets it */
  readonly onPowerState?: (from: PowerState, to: PowerState, softReset: boolean) => void;
}

export class PowerManagementCapability extends RegisterCapability {
  readonly #options: PowerManagementOptions;

  /** @throws LocalError on a `pmeSupport` beyond 5 bits. */
  constructor(options: PowerManagementOptions = {}) {
    const { d1 = false, d2 = false, noSoftReset = true, pmeSupport = 0 } = options;
    if (!Number.isInteger(pmeSupport) || pmeSupport < 0 || pmeSupport > 0x1f)
      throw new LocalError(`pmeSupport: expected 0..31, got ${pmeSupport}`);
    const pme = pmeSupport !== 0;
    super(CapabilityIds.POWER_MANAGEMENT, CAPABILITY_BYTES, [
      {
        name: 'PMC',
        offset: 0x02,
        bytes: 2,
        fields: [
          { name: 'Version', lsb: 0, width: 3, access: 'HwInit', reset: VERSION },
          { name: 'D1_Support', lsb: 9, access: 'HwInit', reset: d1 ? 1 : 0 },
          { name: 'D2_Support', lsb: 10, access: 'HwInit', reset: d2 ? 1 : 0 },
          { name: 'PME_Support', lsb: 11, width: 5, access: 'HwInit', reset: pmeSupport },
        ],
      },
      {
        name: 'PMCSR',
        offset: 0x04,
        bytes: 2,
        fields: [
          {
            name: 'PowerState',
            lsb: 0,
            width: 2,
            access: 'RW',
            accept: (state) => (state !== PowerStates.D1 || d1) && (state !== PowerStates.D2 || d2),
          },
          { name: 'No_Soft_Reset', lsb: 3, access: 'HwInit', reset: noSoftReset ? 1 : 0 },
          { name: 'PME_En', lsb: 8, access: pme ? 'RW' : 'RO', survives: 'sticky' },
          { name: 'PME_Status', lsb: 15, access: pme ? 'RW1C' : 'RO', survives: 'sticky' },
        ],
      },
    ]);
    this.#options = options;
  }

  get powerState(): PowerState {
    return this.registers.get(POWER_STATE) as PowerState;
  }

  override write(offset: number, value: number, byteEnable: number, changed: Changed): void {
    const from = this.powerState;
    super.write(offset, value, byteEnable, changed);
    const to = this.powerState;
    if (from === to) return;
    const softReset =
      from === PowerStates.D3HOT &&
      to === PowerStates.D0 &&
      this.registers.get('PMCSR.No_Soft_Reset') === 0;
    this.#options.onPowerState?.(from, to, softReset);
  }
}
