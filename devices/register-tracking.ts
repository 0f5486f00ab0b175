/**
 * Which configuration register of a locked TDI matters, as a table from register name to TDISP event
 * (PCIe Base 6.x 11.2.6). What is not listed is not tracked.
 */

import type { TdiEventName } from '../protocols/tdisp/index.ts';

interface Tracked {
  readonly register: RegExp;
  /** undefined: this direction of the change does not matter */
  readonly event: (from: number, to: number) => TdiEventName | undefined;
}

const always = (event: TdiEventName) => () => event;
const POWER_STATE_D3HOT = 3;

const trackedRegisters: readonly Tracked[] = [
  {
    register: /^Command\.MSE$/,
    event: (_from, to) => (to === 0 ? 'memory-space-disabled' : 'memory-space-enabled'),
  },
  {
    register: /^Command\.BME$/,
    event: (_from, to) => (to === 0 ? 'bus-master-disabled' : 'bus-master-enabled'),
  },
  { register: /^BAR[0-5]/, event: always('bar-changed') },
  { register: /^Expansion ROM/, event: always('expansion-rom-changed') },
  {
    register: /^MSI-X Message Control\.(Enable|Function_Mask)$/,
    event: always('msix-changed-while-locked'),
  },
  {
    register: /^Device Control\.Max_Payload_Size$/,
    event: always('max-payload-size-changed'),
  },
  {
    register: /^Device Control\.Max_Read_Request_Size$/,
    event: always('max-read-request-size-changed'),
  },
  {
    register: /^Device Control\.Extended_Tag_Field_Enable$/,
    event: always('extended-tag-changed'),
  },
  {
    register: /^Device Control\.Enable_Relaxed_Ordering$/,
    event: always('relaxed-ordering-changed'),
  },
  { register: /^Device Control\.Enable_No_Snoop$/, event: always('no-snoop-changed') },
  {
    register: /^PMCSR\.PowerState$/,
    event: (_from, to) => (to === POWER_STATE_D3HOT ? 'power-state-lost' : undefined),
  },
];

/** The event a change of `register` is to a TDI, if it is one. */
export function registerEvent(
  register: string,
  from: number,
  to: number,
): TdiEventName | undefined {
  return trackedRegisters.find((row) => row.register.test(register))?.event(from, to);
}
