/**
 * The DOE extended capability's registers, as offsets from the capability and bits (PCIe Base 6.x clause
 * 7.9.24). Capability version 2 asks for Discovery Version 2 in discovery requests.
 */

export const DOE_CAPABILITY_BYTES = 0x18;

export const DoeRegisters = {
  CAPABILITIES: 0x04,
  CONTROL: 0x08,
  STATUS: 0x0c,
  WRITE_MAILBOX: 0x10,
  READ_MAILBOX: 0x14,
} as const;

/** DOE Capabilities */
export const INTERRUPT_SUPPORT = 0x1;
export const INTERRUPT_MESSAGE_LSB = 1;
export const INTERRUPT_MESSAGE_MAX = 0x7ff;

/** DOE Control */
export const CONTROL_ABORT = 0x1;
export const CONTROL_INTERRUPT_ENABLE = 0x2;
export const CONTROL_GO = 0x80000000;

/** DOE Status */
export const STATUS_BUSY = 0x1;
export const STATUS_INTERRUPT = 0x2;
export const STATUS_ERROR = 0x4;
export const STATUS_READY = 0x80000000;

/** Tests one bit of a register, bit 31 included. */
export function has(register: number, bit: number): boolean {
  return (register & bit) !== 0;
}

/** DOE Status as lspci prints it: `Busy- IntSta- Error- ObjectReady+`. */
export function statusText(status: number): string {
  const flag = (name: string, bit: number) => `${name}${has(status, bit) ? '+' : '-'}`;
  return [
    flag('Busy', STATUS_BUSY),
    flag('IntSta', STATUS_INTERRUPT),
    flag('Error', STATUS_ERROR),
    flag('ObjectReady', STATUS_READY),
  ].join(' ');
}
