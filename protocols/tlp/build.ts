/**
 * Builders of request TLPs: values in, bytes out (PCIe Base 6.x clauses 2.2.5 to 2.2.8, non-flit).
 * They write the bytes directly, being on the path of every DMA; the bit-field tables of `fields.ts`
 * say the same in readable form. All throw `LocalError` naming the argument that does not fit.
 */

import { writeDwBE, writeDwLE } from '../codec/bytes.ts';
import { LocalError } from '../codec/refusal.ts';
import { MESSAGE_ROUTING_MAX, MessageRoutings } from './codes.ts';

/** What every request may say. */
export interface RequestOptions {
  /** bus 15:8, device 7:3, function 2:0 */
  readonly requesterId: number;
  /** 10 bits; 0 unless given */
  readonly tag?: number;
  /** traffic class 0..7 */
  readonly tc?: number;
  /** Attr[2:0]: 4 IDO, 2 relaxed ordering, 1 no snoop */
  readonly attr?: number;
  /** EP */
  readonly poisoned?: boolean;
}

export interface MemoryOptions extends RequestOptions {
  /** byte address, below 2^53; the 64-bit form is used from 4 GiB on */
  readonly address: number;
  /** AT: 0 untranslated, 1 translation request, 2 translated */
  readonly at?: number;
}

const FOUR_GIB = 2 ** 32;
const BOUNDARY_BYTES = 4096;
export const PAYLOAD_BYTES_MAX = 4096;

export function inRange(name: string, value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max)
    throw new LocalError(`${name}: expected an integer 0..${max}, got ${value}`);
  return value;
}

function checkSpan(address: number, length: number): void {
  inRange('address', address, Number.MAX_SAFE_INTEGER - length);
  const first = Math.floor(address / BOUNDARY_BYTES);
  if (length > 0 && Math.floor((address + length - 1) / BOUNDARY_BYTES) !== first)
    throw new LocalError(`address: ${length} bytes at ${address} cross a 4 KiB boundary`);
}

/** Writes DW0: type, TC, Attr, Tag[9:8], EP, AT and Length (1024 as 0). */
export function writeDw0(
  out: Uint8Array,
  byte0: number,
  options: Omit<RequestOptions, 'requesterId'>,
  tag: number,
  at: number,
  dws: number,
): void {
  const attr = inRange('attr', options.attr ?? 0, 7);
  out[0] = byte0;
  out[1] =
    ((tag & 0x200) >> 2) |
    (inRange('tc', options.tc ?? 0, 7) << 4) |
    ((tag & 0x100) >> 5) |
    (attr & 4);
  out[2] =
    (options.poisoned === true ? 0x40 : 0) |
    ((attr & 3) << 4) |
    (inRange('at', at, 3) << 2) |
    ((dws >> 8) & 3);
  out[3] = dws;
}

function writeDw1(out: Uint8Array, requesterId: number, tag: number, low: number): void {
  inRange('requesterId', requesterId, 0xffff);
  out[4] = requesterId >> 8;
  out[5] = requesterId;
  out[6] = tag;
  out[7] = low;
}

/**
 * A memory request with room for its data. The byte enables follow from `address` and `length` in
 * bytes; a length of 0 is one DW with no byte enabled.
 */
function memoryRequest(options: MemoryOptions, length: number, data: boolean): Uint8Array {
  const { address } = options;
  checkSpan(address, length);
  const start = address % 4;
  const end = start + length;
  const dws = length === 0 ? 1 : (end + 3) >> 2;
  const wide = address >= FOUR_GIB;
  const header = wide ? 16 : 12;
  const out = new Uint8Array(header + (data ? dws * 4 : 0));
  const tag = inRange('tag', options.tag ?? 0, 1023);
  writeDw0(out, (data ? 0x40 : 0) | (wide ? 0x20 : 0), options, tag, options.at ?? 0, dws);
  const firstBE = dws === 1 ? ((1 << length) - 1) << start : (0xf << start) & 0xf;
  const lastBE = dws === 1 ? 0 : 0xf >> (-end & 3);
  writeDw1(out, options.requesterId, tag, (lastBE << 4) | firstBE);
  if (wide) writeDwBE(out, 8, Math.floor(address / FOUR_GIB));
  writeDwBE(out, header - 4, ((address % FOUR_GIB) & ~3) >>> 0);
  return out;
}

/**
 * MRd32 or MRd64 for `length` bytes at `address` (0: the zero-length read of 2.2.5, a flush). The
 * bytes must lie within one 4 KiB page: see `splitRequest`.
 */
export function memoryRead(options: MemoryOptions & { readonly length: number }): Uint8Array {
  inRange('length', options.length, PAYLOAD_BYTES_MAX);
  return memoryRequest(options, options.length, false);
}

/** MWr32 or MWr64 of `data` at `address`; the bytes of the outer DWs that are not written are 0. */
export function memoryWrite(options: MemoryOptions & { readonly data: Uint8Array }): Uint8Array {
  const { data, address } = options;
  inRange('data.length', data.length, PAYLOAD_BYTES_MAX);
  const out = memoryRequest(options, data.length, true);
  out.set(data, (address >= FOUR_GIB ? 16 : 12) + (address % 4));
  return out;
}

export interface ConfigOptions {
  readonly requesterId: number;
  readonly tag?: number;
  /** 0 on the bus of the target, 1 while it still has bridges to pass */
  readonly type: 0 | 1;
  readonly destinationId: number;
  /** byte offset 0..4095 of the register, a multiple of 4 */
  readonly register: number;
  /** First DW BE, 15 unless given */
  readonly byteEnable?: number;
}

function configRequest(options: ConfigOptions, data: boolean): Uint8Array {
  const { register } = options;
  if (inRange('register', register, 4095) % 4 !== 0)
    throw new LocalError(`register: expected a multiple of 4, got ${register}`);
  const out = new Uint8Array(data ? 16 : 12);
  const tag = inRange('tag', options.tag ?? 0, 1023);
  writeDw0(out, (data ? 0x44 : 0x04) | inRange('type', options.type, 1), {}, tag, 0, 1);
  writeDw1(out, options.requesterId, tag, inRange('byteEnable', options.byteEnable ?? 15, 15));
  const destination = inRange('destinationId', options.destinationId, 0xffff);
  writeDwBE(out, 8, ((destination << 16) | register) >>> 0);
  return out;
}

/** CfgRd0 or CfgRd1 of one DW. */
export function cfgRead(options: ConfigOptions): Uint8Array {
  return configRequest(options, false);
}

/** CfgWr0 or CfgWr1; `data` is the 32-bit register value, sent least significant byte first. */
export function cfgWrite(options: ConfigOptions & { readonly data: number }): Uint8Array {
  const out = configRequest(options, true);
  writeDwLE(out, 12, inRange('data', options.data, 0xffffffff));
  return out;
}

export interface MessageOptions extends RequestOptions {
  /** message code, header byte 7 */
  readonly code: number;
  /** payload in whole DWs; a Msg without, a MsgD with */
  readonly data?: Uint8Array;
}

function messageRequest(options: MessageOptions, routing: number): Uint8Array {
  const size = options.data?.length ?? 0;
  if (inRange('data.length', size, PAYLOAD_BYTES_MAX) % 4 !== 0)
    throw new LocalError(`data: expected whole DWs, got ${size} bytes`);
  const out = new Uint8Array(16 + size);
  const tag = inRange('tag', options.tag ?? 0, 1023);
  writeDw0(out, (size > 0 ? 0x70 : 0x30) | routing, options, tag, 0, size >> 2);
  writeDw1(out, options.requesterId, tag, inRange('code', options.code, 0xff));
  if (options.data !== undefined) out.set(options.data, 16);
  return out;
}

function setBody(out: Uint8Array, body: Uint8Array | undefined, size: number): Uint8Array {
  if (body === undefined) return out;
  if (body.length !== size)
    throw new LocalError(`body: expected ${size} bytes, got ${body.length}`);
  out.set(body, 16 - size);
  return out;
}

/**
 * Msg or MsgD with an implicit routing (to Root Complex, broadcast, local, gathered) or by address;
 * `body` is DW2 and DW3, 8 bytes, zero unless given.
 */
export function message(
  options: MessageOptions & { readonly routing: number; readonly body?: Uint8Array },
): Uint8Array {
  const routing = inRange('routing', options.routing, MESSAGE_ROUTING_MAX);
  if (routing === MessageRoutings.BY_ID)
    throw new LocalError('routing: a message by ID is built by messageById');
  return setBody(messageRequest(options, routing), options.body, 8);
}

/**
 * Msg or MsgD routed by ID; `body` is what follows the destination ID in DW2 and DW3, 6 bytes, zero
 * unless given.
 */
export function messageById(
  options: MessageOptions & { readonly destinationId: number; readonly body?: Uint8Array },
): Uint8Array {
  const out = messageRequest(options, MessageRoutings.BY_ID);
  const destination = inRange('destinationId', options.destinationId, 0xffff);
  out[8] = destination >> 8;
  out[9] = destination;
  return setBody(out, options.body, 6);
}

export interface RequestSpan {
  readonly address: number;
  /** bytes */
  readonly length: number;
}

/**
 * Cuts `length` bytes at `address` into requests that no 4 KiB boundary and no limit forbids: `max` is
 * the payload limit (MPS) for writes or Max_Read_Request_Size for reads, in bytes, counted in whole DWs
 * as the Length field counts. The fewest requests that do it; one of length 0 for a length of 0.
 */
export function splitRequest(address: number, length: number, max: number): RequestSpan[] {
  inRange('length', length, Number.MAX_SAFE_INTEGER);
  inRange('address', address, Number.MAX_SAFE_INTEGER - length);
  if (!Number.isInteger(max) || max < 4 || max > BOUNDARY_BYTES || max % 4 !== 0)
    throw new LocalError(`max: expected a multiple of 4 in 4..4096, got ${max}`);
  if (length === 0) return [{ address, length: 0 }];
  const spans: RequestSpan[] = [];
  const end = address + length;
  for (let at = address; at < end; ) {
    const byLimit = at - (at % 4) + max;
    const byPage = at - (at % BOUNDARY_BYTES) + BOUNDARY_BYTES;
    const next = Math.min(end, byLimit, byPage);
    spans.push({ address: at, length: next - at });
    at = next;
  }
  return spans;
}
