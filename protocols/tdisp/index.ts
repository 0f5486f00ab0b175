/** TDISP 1.0 (PCIe Base 6.x chapter 11): codec, state machine, responder, requester, interface report. */

export * from './codes.ts';
export * from './describe.ts';
export * from './device.ts';
export * from './function-id.ts';
export {
  decodeTdisp,
  encodeTdisp,
  type InterfaceReport,
  interfaceReport,
  type MmioRange,
  mmioRange,
  TDISP_HEADER_SIZE,
  type TdispBody,
  type TdispCode,
  type TdispHeader,
  type TdispMessage,
  type TdispValue,
  tdispHeader,
  tdispLayout,
  tdispLayouts,
} from './messages.ts';
export * from './report.ts';
export * from './report-check.ts';
export * from './requester.ts';
export * from './responder.ts';
export * from './state-table.ts';
export type { Lock, TdiView } from './tdi.ts';
