/**
 * Transaction layer packets, data link layer packets and the link's time budget (PCIe Base 6.x,
 * non-flit): the public names.
 */

export {
  type ConfigOptions,
  cfgRead,
  cfgWrite,
  type MemoryOptions,
  type MessageOptions,
  memoryRead,
  memoryWrite,
  message,
  messageById,
  PAYLOAD_BYTES_MAX,
  type RequestOptions,
  type RequestSpan,
  splitRequest,
} from './build.ts';
export * from './codes.ts';
export * from './complete.ts';
export * from './crc.ts';
export { describeTlp } from './describe.ts';
export * from './dllp.ts';
export * from './fields.ts';
export * from './header-codec.ts';
export * from './ide-prefix.ts';
export * from './link-budget.ts';
export * from './transfer.ts';
export * from './validate.ts';
export * from './view.ts';
