/**
 * Builders of completion TLPs (PCIe Base 6.x clauses 2.2.9 and 2.3.1.1, non-flit): Byte Count, Lower
 * Address and the split of a read's data at the Read Completion Boundary. All throw `LocalError`
 * naming the argument that does not fit.
 */

import { LocalError } from '../codec/refusal.ts';
import { inRange, PAYLOAD_BYTES_MAX, writeDw0 } from './build.ts';
import { CompletionStatuses, FlowClasses } from './codes.ts';
import { isAtomic, isMemoryTransfer, transferBytes, transferLowerAddress } from './transfer.ts';
import { attributes, flowClass, hasData, requesterId, tag, trafficClass, typeOf } from './view.ts';

export interface CompletionOptions {
  readonly completerId: number;
  readonly requesterId: number;
  /** 10 bits, the request's */
  readonly tag: number;
  /** 0 SC unless given */
  readonly status?: number;
  /** bytes left, this completion's included, 1..4096 */
  readonly byteCount: number;
  /** low seven bits of the byte address `data` starts at; 0 unless given */
  readonly lowerAddress?: number;
  /** the bytes from Lower Address on, padded here to whole DWs; a Cpl without, a CplD with */
  readonly data?: Uint8Array;
  readonly tc?: number;
  readonly attr?: number;
  readonly poisoned?: boolean;
  /** answers a locked read: CplLk, CplDLk */
  readonly locked?: boolean;
}

/** Cpl, CplD, CplLk or CplDLk from its values. Empty `data` is one DW, as a zero-length read gets. */
export function completion(options: CompletionOptions): Uint8Array {
  const { data } = options;
  const lower = inRange('lowerAddress', options.lowerAddress ?? 0, 0x7f);
  const count = inRange('byteCount', options.byteCount, PAYLOAD_BYTES_MAX);
  if (count === 0) throw new LocalError('byteCount: expected an integer 1..4096, got 0');
  const start = lower & 3;
  const dws = data === undefined ? 0 : Math.max(1, (start + data.length + 3) >> 2);
  inRange('data.length', dws * 4, PAYLOAD_BYTES_MAX);
  const out = new Uint8Array(12 + 4 * dws);
  const whole = inRange('tag', options.tag, 1023);
  const byte0 = (data === undefined ? 0x0a : 0x4a) | (options.locked === true ? 1 : 0);
  writeDw0(out, byte0, options, whole, 0, dws);
  inRange('completerId', options.completerId, 0xffff);
  inRange('requesterId', options.requesterId, 0xffff);
  out[4] = options.completerId >> 8;
  out[5] = options.completerId;
  out[6] = (inRange('status', options.status ?? 0, 7) << 5) | ((count >> 8) & 0xf);
  out[7] = count;
  out[8] = options.requesterId >> 8;
  out[9] = options.requesterId;
  out[10] = whole;
  out[11] = lower;
  if (data !== undefined) out.set(data, 12 + start);
  return out;
}

function echoOf(request: Uint8Array) {
  if (flowClass(request) !== FlowClasses.NON_POSTED)
    throw new LocalError(`request: a ${typeOf(request)} gets no completion`);
  return {
    requesterId: requesterId(request),
    tag: tag(request),
    tc: trafficClass(request),
    attr: attributes(request),
    locked: typeOf(request).startsWith('MRdLk'),
  };
}

/** Whether a successful completion of the request carries data: reads and AtomicOps. */
export function returnsData(request: Uint8Array): boolean {
  return (!hasData(request) && flowClass(request) === FlowClasses.NON_POSTED) || isAtomic(request);
}

export interface Answer {
  readonly completerId: number;
  /** SC unless given */
  readonly status?: number;
  /**
   * With SC, for reads and AtomicOps: the `transferBytes` bytes from `transferAddress` on (memory),
   * the register or operand bytes (all others).
   */
  readonly data?: Uint8Array;
  readonly poisoned?: boolean;
}

const isRead = (request: Uint8Array) => isMemoryTransfer(request) && !hasData(request);

/**
 * The one completion of `request`, a checked non-posted TLP: Requester ID, Tag, TC and Attr are the
 * request's, Byte Count and Lower Address follow from its byte enables. A read larger than the payload
 * limit needs `splitCompletions`.
 */
export function completionFor(request: Uint8Array, answer: Answer): Uint8Array {
  const echo = echoOf(request);
  const status = answer.status ?? CompletionStatuses.SC;
  const wanted = transferBytes(request);
  const memoryRead = isRead(request);
  const withData = returnsData(request) && status === CompletionStatuses.SC;
  if (withData !== (answer.data !== undefined))
    throw new LocalError(
      `data: ${withData ? 'expected' : 'not allowed'} with status ${status} to ${typeOf(request)}`,
    );
  if (answer.data !== undefined && answer.data.length !== wanted)
    throw new LocalError(`data: expected ${wanted} bytes, got ${answer.data.length}`);
  return completion({
    ...echo,
    completerId: answer.completerId,
    status,
    byteCount: memoryRead || withData ? Math.max(1, wanted) : 4,
    lowerAddress: memoryRead ? transferLowerAddress(request) : 0,
    ...(answer.data === undefined ? {} : { data: answer.data }),
    ...(answer.poisoned === undefined ? {} : { poisoned: answer.poisoned }),
  });
}

export interface SplitAnswer {
  readonly completerId: number;
  /** all `transferBytes` bytes of the read */
  readonly data: Uint8Array;
  /** Read Completion Boundary, 64 or 128 bytes */
  readonly rcb: number;
  /** Max_Payload_Size in bytes; RCB here gives one completion per boundary */
  readonly maxPayload: number;
}

/**
 * The completions of a memory read, in address order: each as long as `maxPayload` allows, all but the
 * last ending at a multiple of the RCB.
 */
export function splitCompletions(request: Uint8Array, answer: SplitAnswer): Uint8Array[] {
  const { data, rcb, maxPayload } = answer;
  if (rcb !== 64 && rcb !== 128) throw new LocalError(`rcb: expected 64 or 128, got ${rcb}`);
  if (inRange('maxPayload', maxPayload, PAYLOAD_BYTES_MAX) % rcb !== 0 || maxPayload === 0)
    throw new LocalError(`maxPayload: expected a multiple of the RCB, got ${maxPayload}`);
  if (!isRead(request)) throw new LocalError(`request: ${typeOf(request)} is no memory read`);
  const echo = echoOf(request);
  const first = transferLowerAddress(request);
  const wanted = transferBytes(request);
  if (data.length !== wanted)
    throw new LocalError(`data: expected ${wanted} bytes, got ${data.length}`);
  // Positions count from the RCB-aligned address below, so that they stay small and exact.
  const skew = first % rcb;
  const out: Uint8Array[] = [];
  let done = 0;
  do {
    const at = skew + done;
    const reach = at - (at % 4) + maxPayload;
    const take = Math.min(wanted - done, reach - (reach % rcb) - at);
    out.push(
      completion({
        ...echo,
        completerId: answer.completerId,
        byteCount: Math.max(1, wanted - done),
        lowerAddress: (first + done) % 128,
        data: data.subarray(done, done + take),
      }),
    );
    done += take;
  } while (done < wanted);
  return out;
}
