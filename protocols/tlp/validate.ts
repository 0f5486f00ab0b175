/**
 * The rules a well-shaped TLP may still break, each refused by its own name (PCIe Base 6.x clauses
 * 2.2.2 to 2.2.10 and 2.3.1.1, non-flit). A receiver calls the breach of one a Malformed TLP, or may.
 */

import { type Refusal, type RefusalCode, RefusalCodes } from '../codec/refusal.ts';
import {
  bdf,
  COMPLETION_STATUS_NAMES,
  CompletionStatuses,
  MESSAGE_ROUTING_MAX,
  messageByCode,
  PREFIX_BYTES,
  prefixByByte0,
  TLP_TYPES,
  type TlpType,
  TYPE_INDEX,
} from './codes.ts';
import { IDE_PREFIX } from './ide-prefix.ts';
import { isAtomic, isMemoryTransfer, operandBytes } from './transfer.ts';
import {
  address,
  addressType,
  attributes,
  byteCount,
  checkTlp,
  completerId,
  completionStatus,
  firstBE,
  hasData,
  headerOffset,
  headerSize,
  lastBE,
  lengthDw,
  lowerAddress,
  messageCode,
  messageRouting,
  payloadSize,
  trafficClass,
} from './view.ts';

/** Names of the rules. */
export const TlpRules = {
  /** `checkTlp` refused */
  SHAPE: 'SHAPE',
  /** an end-end prefix nobody defined, or an IDE prefix that is not the first */
  PREFIX: 'PREFIX',
  /** payload above Max_Payload_Size */
  MAX_PAYLOAD: 'MAX_PAYLOAD',
  /** read above Max_Read_Request_Size */
  MAX_READ_REQUEST: 'MAX_READ_REQUEST',
  /** address and length cross a 4 KiB boundary */
  FOUR_KIB_CROSSING: 'FOUR_KIB_CROSSING',
  /** byte enables contradict Length, or leave holes where none may be */
  BYTE_ENABLES: 'BYTE_ENABLES',
  /** 4 DW header for an address below 4 GiB */
  ADDRESS_FORM: 'ADDRESS_FORM',
  /** AtomicOp operand of a size, or at an address, that is not allowed */
  ATOMIC_OPERAND: 'ATOMIC_OPERAND',
  /** configuration or I/O request that is not one DW in TC0 with Attr and AT 0 */
  ONE_DW: 'ONE_DW',
  /** reserved message routing, or one the message may not use; data where none belongs */
  MESSAGE: 'MESSAGE',
  /** reserved completion status, data without success, or more data than Byte Count */
  COMPLETION: 'COMPLETION',
} as const;
export type TlpRule = (typeof TlpRules)[keyof typeof TlpRules];

export interface TlpFault extends Refusal {
  readonly rule: TlpRule;
}

/** Limits of the receiving port; those left out are not checked. Bytes. */
export interface TlpLimits {
  readonly maxPayload?: number;
  readonly maxReadRequest?: number;
  /** bytes after the payload that the caller accounts for, as in `checkTlp` */
  readonly trailer?: number;
}

function fault(
  rule: TlpRule,
  path: string,
  offset: number,
  detail: string,
  code: RefusalCode = RefusalCodes.BAD_VALUE,
): TlpFault {
  return { ok: false, code, path, offset, detail, rule };
}

function prefixes(tlp: Uint8Array): TlpFault | undefined {
  const end = headerOffset(tlp);
  for (let at = 0; at < end; at += PREFIX_BYTES) {
    const path = `Prefix[${at / PREFIX_BYTES}]`;
    if (prefixByByte0(tlp[at]!) === undefined) {
      const text = `prefix 0x${tlp[at]!.toString(16)} is not defined`;
      return fault(TlpRules.PREFIX, path, at, text, RefusalCodes.UNKNOWN_CODE);
    }
    if (at > 0 && tlp[at] === IDE_PREFIX)
      return fault(TlpRules.PREFIX, path, at, 'IDE prefix after another end-end prefix');
  }
  return undefined;
}

function limits(tlp: Uint8Array, type: TlpType, most: TlpLimits): TlpFault | undefined {
  const at = headerOffset(tlp) + 2;
  const { maxPayload, maxReadRequest } = most;
  if (maxPayload !== undefined && payloadSize(tlp) > maxPayload) {
    const text = `${payloadSize(tlp)} bytes of payload, ${maxPayload} allowed`;
    return fault(TlpRules.MAX_PAYLOAD, 'Length', at, text, RefusalCodes.OVER_LIMIT);
  }
  const read = type.name.startsWith('MRd');
  if (read && maxReadRequest !== undefined && lengthDw(tlp) * 4 > maxReadRequest) {
    const text = `${lengthDw(tlp) * 4} bytes requested, ${maxReadRequest} allowed`;
    return fault(TlpRules.MAX_READ_REQUEST, 'Length', at, text, RefusalCodes.OVER_LIMIT);
  }
  return undefined;
}

const CONTIGUOUS_FIRST: readonly number[] = [0x8, 0xc, 0xe, 0xf];
const CONTIGUOUS_LAST: readonly number[] = [0x1, 0x3, 0x7, 0xf];

/** Byte enable rules of 2.2.5 for memory reads and writes. */
function byteEnables(tlp: Uint8Array): TlpFault | undefined {
  const at = headerOffset(tlp);
  const [first, last, dws] = [firstBE(tlp), lastBE(tlp), lengthDw(tlp)];
  const bad = (path: string, text: string) => fault(TlpRules.BYTE_ENABLES, path, at + 7, text);
  // TH in a read: the byte enables carry a steering tag
  if ((tlp[at + 1]! & 1) !== 0 && !hasData(tlp)) return undefined;
  if (dws === 1)
    return last === 0 ? undefined : bad('Last DW BE', `${last} with a Length of one DW`);
  if (first === 0) return bad('First DW BE', '0 with a Length above one DW');
  if (last === 0) return bad('Last DW BE', '0 with a Length above one DW');
  const quad = dws === 2 && (tlp[at + headerSize(tlp) - 1]! & 4) === 0;
  if (quad) return undefined;
  if (!CONTIGUOUS_FIRST.includes(first)) return bad('First DW BE', `${first} leaves a hole`);
  if (!CONTIGUOUS_LAST.includes(last)) return bad('Last DW BE', `${last} leaves a hole`);
  return undefined;
}

function atomicOperand(tlp: Uint8Array, type: TlpType): TlpFault | undefined {
  const at = headerOffset(tlp);
  const size = operandBytes(tlp);
  const allowed = type.name.startsWith('CAS') ? [4, 8, 16] : [4, 8];
  if (!allowed.includes(size))
    return fault(TlpRules.ATOMIC_OPERAND, 'Length', at + 2, `operand of ${size} bytes`);
  const last = at + headerSize(tlp) - 1;
  if ((tlp[last]! & 0xfc) % size !== 0)
    return fault(TlpRules.ATOMIC_OPERAND, 'Address[31:2]', last, 'operand not aligned to its size');
  return undefined;
}

function addressed(tlp: Uint8Array, type: TlpType): TlpFault | undefined {
  const at = headerOffset(tlp);
  if (type.header === 'memory64' && address(tlp) < 2 ** 32)
    return fault(TlpRules.ADDRESS_FORM, 'Fmt', at, '4 DW header for an address below 4 GiB');
  if (isAtomic(tlp)) return atomicOperand(tlp, type);
  if (!isMemoryTransfer(tlp)) return undefined;
  const last = at + headerSize(tlp) - 2;
  const inPage = ((tlp[last]! & 0xf) << 8) | (tlp[last + 1]! & 0xfc);
  if (inPage + lengthDw(tlp) * 4 > 4096) {
    const text = `${lengthDw(tlp)} DW at 0x${inPage.toString(16)} of a 4 KiB page`;
    return fault(TlpRules.FOUR_KIB_CROSSING, 'Length', at + 2, text);
  }
  return byteEnables(tlp);
}

/** Configuration and I/O requests (2.2.7). */
function oneDw(tlp: Uint8Array): TlpFault | undefined {
  const at = headerOffset(tlp);
  const bad = (path: string, offset: number, text: string) =>
    fault(TlpRules.ONE_DW, path, at + offset, text);
  if (lengthDw(tlp) !== 1) return bad('Length', 2, `${lengthDw(tlp)} DW`);
  if (trafficClass(tlp) !== 0) return bad('TC', 1, `TC${trafficClass(tlp)}`);
  if (attributes(tlp) !== 0) return bad('Attr', 1, `Attr ${attributes(tlp)}`);
  if (addressType(tlp) !== 0) return bad('AT', 2, `AT ${addressType(tlp)}`);
  if (lastBE(tlp) !== 0) return bad('Last DW BE', 7, `${lastBE(tlp)} with a Length of one DW`);
  return undefined;
}

/** Messages (2.2.8); a code nobody here knows is an Unsupported Request, not malformed. */
function messageRules(tlp: Uint8Array): TlpFault | undefined {
  const at = headerOffset(tlp);
  const routing = messageRouting(tlp);
  const bad = (path: string, offset: number, text: string) =>
    fault(TlpRules.MESSAGE, path, at + offset, text);
  if (routing > MESSAGE_ROUTING_MAX) return bad('Type', 0, `reserved routing ${routing}`);
  const known = messageByCode(messageCode(tlp));
  if (known === undefined) return undefined;
  if (!known.routings.includes(routing))
    return bad('Type', 0, `${known.name} may not use routing ${routing}`);
  if (known.data !== 'either' && (known.data === 'yes') !== hasData(tlp))
    return bad('Fmt', 0, `${known.name} ${known.data === 'yes' ? 'needs' : 'has no'} data`);
  return undefined;
}

function completionRules(tlp: Uint8Array): TlpFault | undefined {
  const at = headerOffset(tlp);
  const status = completionStatus(tlp);
  const bad = (path: string, offset: number, text: string) =>
    fault(TlpRules.COMPLETION, path, at + offset, text);
  if (COMPLETION_STATUS_NAMES[status] === undefined)
    return bad('Completion Status', 6, `${status} from ${bdf(completerId(tlp))} is reserved`);
  if (!hasData(tlp)) return undefined;
  if (status !== CompletionStatuses.SC) return bad('Completion Status', 6, `${status} with data`);
  const needed = ((lowerAddress(tlp) & 3) + byteCount(tlp) + 3) >> 2;
  if (lengthDw(tlp) > needed)
    return bad('Length', 2, `${lengthDw(tlp)} DW where ${needed} are left to come`);
  return undefined;
}

/**
 * The first rule `tlp` breaks, or undefined. `checkTlp` comes first, so any bytes may be given.
 * Byte enables of AtomicOps are taken as reserved; those of deferrable memory writes follow the rules
 * of memory writes (a choice).
 */
export function validate(tlp: Uint8Array, most: TlpLimits = {}): TlpFault | undefined {
  const shape = checkTlp(tlp, most.trailer ?? 0);
  if (shape !== undefined) return { ...shape, rule: TlpRules.SHAPE };
  const type: TlpType = TLP_TYPES[TYPE_INDEX[tlp[headerOffset(tlp)]!]!]!;
  const general = prefixes(tlp) ?? limits(tlp, type, most);
  if (general !== undefined) return general;
  switch (type.header) {
    case 'message':
      return messageRules(tlp);
    case 'completion':
      return completionRules(tlp);
    case 'config':
      return oneDw(tlp);
    default:
      return type.name === 'IORd' || type.name === 'IOWr' ? oneDw(tlp) : addressed(tlp, type);
  }
}
