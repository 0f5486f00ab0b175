/**
 * Which bytes a request means: the byte enables worked out (PCIe Base 6.x clauses 2.2.5 and 2.3.1.1,
 * Table 2-40 for the byte count of a completion). For checked memory, AtomicOp, I/O and configuration
 * requests; every value is finite whatever the byte enables say.
 */

import { byte0Of, TLP_TYPES } from './codes.ts';
import {
  address,
  firstBE,
  hasData,
  headerOffset,
  lastBE,
  lengthDw,
  payload,
  payloadOffset,
} from './view.ts';

const MEMORY = 1;
const ATOMIC = 2;
const CAS = 4;
/** header byte 0 -> which of the above it is */
const KIND_BY_BYTE0 = new Uint8Array(256);
for (const type of TLP_TYPES) {
  const byte0 = byte0Of(type);
  if (/^(MRd|MRdLk|MWr|DMWr)(32|64)$/.test(type.name)) KIND_BY_BYTE0[byte0] = MEMORY;
  if (/^(FetchAdd|Swap|CAS)(32|64)$/.test(type.name)) KIND_BY_BYTE0[byte0] = ATOMIC;
  if (type.name.startsWith('CAS')) KIND_BY_BYTE0[byte0]! |= CAS;
}
const kindOf = (tlp: Uint8Array): number => KIND_BY_BYTE0[tlp[headerOffset(tlp)]!]!;

/** Memory reads and writes: the requests whose byte enables shape the transfer. */
export function isMemoryTransfer(tlp: Uint8Array): boolean {
  return kindOf(tlp) === MEMORY;
}

export function isAtomic(tlp: Uint8Array): boolean {
  return (kindOf(tlp) & ATOMIC) !== 0;
}

/** Bytes of one AtomicOp operand, which is also what its completion returns; CAS carries two. */
export function operandBytes(tlp: Uint8Array): number {
  return (lengthDw(tlp) * 4) / ((kindOf(tlp) & CAS) === 0 ? 1 : 2);
}

/** A memory read with TH set carries a steering tag for byte enables, and means all bytes. */
function enables(tlp: Uint8Array): { first: number; last: number } {
  const steered = (tlp[headerOffset(tlp) + 1]! & 1) !== 0 && !hasData(tlp);
  if (!steered) return { first: firstBE(tlp), last: lastBE(tlp) };
  return { first: 0xf, last: lengthDw(tlp) === 1 ? 0 : 0xf };
}

/** Disabled bytes before the first enabled one of a DW; 0 if none is enabled. */
function leading(be: number): number {
  return be === 0 ? 0 : 31 - Math.clz32(be & -be);
}
/** Disabled bytes after the last enabled one of a DW; 0 if none is enabled. */
function trailing(be: number): number {
  return be === 0 ? 0 : Math.clz32(be) - 28;
}

/**
 * Byte address of the first enabled byte of a memory request, of the operand of an AtomicOp and of the
 * DW of an I/O request; as exact as `address`.
 */
export function transferAddress(tlp: Uint8Array): number {
  return address(tlp) + (isMemoryTransfer(tlp) ? leading(enables(tlp).first) : 0);
}

/** Low seven bits of `transferAddress`, exact for every address. */
export function transferLowerAddress(tlp: Uint8Array): number {
  const low = tlp[payloadOffset(tlp) - 1]! & 0x7c;
  return low + (isMemoryTransfer(tlp) ? leading(enables(tlp).first) : 0);
}

/**
 * Bytes from the first to the last enabled one of a memory request, holes included; 0 if none is
 * enabled. An AtomicOp: its operand. Configuration and I/O: one DW.
 */
export function transferBytes(tlp: Uint8Array): number {
  if (isAtomic(tlp)) return operandBytes(tlp);
  if (!isMemoryTransfer(tlp)) return 4;
  const { first, last } = enables(tlp);
  const dws = lengthDw(tlp);
  if (dws === 1) return first === 0 ? 0 : 4 - leading(first) - trailing(first);
  return dws * 4 - leading(first) - trailing(last);
}

/** What a memory write or deferrable memory write puts at `transferAddress`, shared with `tlp`. */
export function transferData(tlp: Uint8Array): Uint8Array {
  const start = leading(enables(tlp).first);
  return payload(tlp).subarray(start, start + transferBytes(tlp));
}

/** Whether byte `index` of a request's payload is enabled: writes may have holes. */
export function byteEnabled(tlp: Uint8Array, index: number): boolean {
  const dw = index >> 2;
  const { first, last } = enables(tlp);
  if (dw === 0) return ((first >> (index & 3)) & 1) === 1;
  if (dw < lengthDw(tlp) - 1) return true;
  return dw === lengthDw(tlp) - 1 && ((last >> (index & 3)) & 1) === 1;
}
