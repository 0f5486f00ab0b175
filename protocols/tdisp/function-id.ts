/**
 * FUNCTION_ID of an INTERFACE_ID (PCIe Base 6.x 11.3): which function a TDISP message is about.
 * Bits 15:0 Requester ID, 23:16 Requester Segment, 24 Requester Segment Valid, 31:25 reserved.
 */

import { type Decoded, LocalError, RefusalCodes, refuse } from '../codec/refusal.ts';

export interface FunctionId {
  /** bus 15:8, device 7:3, function 2:0 (or bus and ARI function) */
  readonly requesterId: number;
  /** absent: Requester Segment Valid is clear */
  readonly segment?: number;
}

const SEGMENT_VALID = 1 << 24;
const RESERVED = 0xfe000000;
const FUNCTION_ID_SIZE = 4;

/**
 * FUNCTION_ID as the 32-bit word of the wire.
 * @throws LocalError on a Requester ID above 16 bits or a segment above 8.
 */
export function functionId(id: FunctionId): number {
  if (!Number.isInteger(id.requesterId) || id.requesterId < 0 || id.requesterId > 0xffff)
    throw new LocalError(`requesterId: expected 16 bits, got ${id.requesterId}`);
  if (id.segment === undefined) return id.requesterId;
  if (!Number.isInteger(id.segment) || id.segment < 0 || id.segment > 0xff)
    throw new LocalError(`segment: expected 8 bits, got ${id.segment}`);
  return SEGMENT_VALID + id.segment * 0x10000 + id.requesterId;
}

/** What a peer's FUNCTION_ID names; refused if reserved bits or a segment without its valid bit are set. */
export function parseFunctionId(word: number): Decoded<FunctionId> {
  if ((word & RESERVED) !== 0)
    return refuse(RefusalCodes.BAD_VALUE, 'FUNCTION_ID', 0, 'reserved bits 31:25 are set');
  const requesterId = word & 0xffff;
  const segment = (word >>> 16) & 0xff;
  if ((word & SEGMENT_VALID) !== 0)
    return { ok: true, value: { requesterId, segment }, size: FUNCTION_ID_SIZE };
  if (segment !== 0)
    return refuse(RefusalCodes.BAD_VALUE, 'FUNCTION_ID', 0, 'segment without its valid bit');
  return { ok: true, value: { requesterId }, size: FUNCTION_ID_SIZE };
}

/**
 * One key per function, or undefined for a word that names none. A function without a segment and
 * the same function in segment 0 are one: the specification leaves this open, and a device that never
 * learnt its segment must still be found by a requester that always fills the field in.
 */
export function functionKey(word: number): number | undefined {
  if ((word & RESERVED) !== 0) return undefined;
  const key = word & 0xffffff;
  return (word & SEGMENT_VALID) === 0 && key > 0xffff ? undefined : key;
}

/** `SSSS:BB:DD.F`, the segment only where it is valid. */
export function functionIdText(word: number): string {
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  const parsed = parseFunctionId(word);
  if (!parsed.ok) return `0x${hex(word >>> 0, 8)}`;
  const { requesterId: rid, segment } = parsed.value;
  const bdf = `${hex(rid >>> 8, 2)}:${hex((rid >>> 3) & 31, 2)}.${rid & 7}`;
  return segment === undefined ? bdf : `${hex(segment, 4)}:${bdf}`;
}
