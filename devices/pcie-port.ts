/**
 * The transaction layer of one port (PCIe Base 6.x chapter 2): tags, outstanding requests, completion
 * timeout, and IDE on the way out and in. What stands above it sees plain TLPs with their T bit.
 */

import type { Effect } from '../protocols/engine.ts';
import type { IdePort } from '../protocols/ide/port.ts';
import type { ReplyTo } from '../protocols/ide/transmit.ts';
import {
  byteCount,
  CompletionStatuses,
  checkTlp,
  completionStatus,
  FlowClasses,
  flowClass,
  lowerAddress,
  payload,
  poisoned,
  requesterId,
  returnsData,
  tag,
  transferBytes,
  validate,
} from '../protocols/tlp/index.ts';
import {
  anyOf,
  type EventHandle,
  type Kernel,
  Resource,
  Signal,
  type Task,
  timeout,
} from '../sim/kernel/index.ts';
import type { SimRecords } from './records.ts';

/** A TLP as it came in: in the clear, with what IDE said of it. */
export interface Received {
  readonly tlp: Uint8Array;
  readonly tee: boolean;
  /** undefined: outside any stream */
  readonly streamId: number | undefined;
}

export type Completed =
  | { readonly status: 'SC'; readonly data: Uint8Array }
  | {
      readonly status: 'UR' | 'RRS' | 'CA' | 'poisoned' | 'timeout' | 'blocked';
      readonly reason: string;
    };

interface Outstanding {
  readonly requesterId: number;
  readonly signal: Signal<Completed>;
  readonly data: Uint8Array;
  filled: number;
  /** whoever asked was cancelled: what comes until then is discarded, and frees the tag */
  abandoned: EventHandle | undefined;
}

export interface PciePortOptions {
  readonly name: string;
  readonly ide: IdePort;
  /** puts bytes on the link */
  readonly send: (bytes: Uint8Array) => void;
  /** a request or message for what stands above */
  readonly onRequest: (request: Received) => void;
  /** what the IDE engine wants known */
  readonly onEffects: (effects: readonly Effect[]) => void;
  readonly idePs: number;
  readonly completionTimeoutPs: number;
}

/** Tags of 8 bits; a tag whose completion never came is not used again (CVE-2025-9613). */
const TAGS = 256;
const statusNames: Readonly<Record<number, 'UR' | 'RRS' | 'CA'>> = {
  [CompletionStatuses.UR]: 'UR',
  [CompletionStatuses.RRS]: 'RRS',
  [CompletionStatuses.CA]: 'CA',
};

export class PciePort {
  readonly options: PciePortOptions;
  private readonly kernel: Kernel<SimRecords>;
  private readonly outstanding = new Map<number, Outstanding>();
  private readonly freeTags: number[] = Array.from({ length: TAGS }, (_, i) => i);
  private readonly tagsLeft = new Resource(TAGS);
  private tagsRetired = 0;
  private readonly tagsGone = new Signal({ once: true });
  private departs = 0;
  private arrives = 0;

  constructor(kernel: Kernel<SimRecords>, options: PciePortOptions) {
    this.kernel = kernel;
    this.options = options;
  }

  /** Sends a posted request; false if IDE holds it back. */
  post(tlp: Uint8Array, tee: boolean): { sent: boolean; reason: string } {
    return this.transmit(tlp, tee, undefined);
  }

  /** Sends a completion on the stream, and with the T, of its request. */
  complete(request: Received, completion: Uint8Array): void {
    const { streamId, tee } = request;
    this.transmit(completion, tee, streamId === undefined ? 'plain' : { streamId, tee });
  }

  /** Sends a non-posted request and waits for its completion, at most the completion timeout. */
  *request(build: (tag: number) => Uint8Array, tee: boolean): Task<Completed> {
    const granted = yield* anyOf(this.tagsLeft.acquire(), this.tagsGone.wait());
    if (granted.index === 1)
      return { status: 'blocked', reason: 'every tag is lost to a completion timeout' };
    const number = this.freeTags.shift()!;
    const tlp = build(number);
    const size = returnsData(tlp) ? transferBytes(tlp) : 0;
    const signal = new Signal<Completed>({ once: true });
    const entry: Outstanding = {
      ...{ requesterId: requesterId(tlp), signal },
      ...{ data: new Uint8Array(size), filled: 0, abandoned: undefined },
    };
    this.outstanding.set(number, entry);
    const sent = this.transmit(tlp, tee, undefined);
    if (!sent.sent) {
      this.release(number);
      return { status: 'blocked', reason: sent.reason };
    }
    let over = false;
    try {
      const result = yield* timeout(signal.wait(), this.options.completionTimeoutPs);
      over = true;
      if (!result.timedOut) {
        this.release(number);
        return result.value;
      }
      this.retire(number);
      return { status: 'timeout', reason: 'completion timeout' };
    } finally {
      if (!over) this.abandon(number, entry);
    }
  }

  /** The process that asked is gone. The tag stays taken as long as a completion may come. */
  private abandon(number: number, entry: Outstanding): void {
    if (entry.signal.hasFired) {
      this.release(number);
      return;
    }
    const { completionTimeoutPs } = this.options;
    entry.abandoned = this.kernel.schedule(completionTimeoutPs, () => this.retire(number));
  }

  /** No completion came: the tag is out of use, since a late one could meet its next request. */
  private retire(number: number): void {
    this.outstanding.delete(number);
    this.tagsRetired++;
    if (this.tagsRetired === TAGS) this.tagsGone.fire();
  }

  private release(number: number): void {
    this.outstanding.delete(number);
    this.freeTags.push(number);
    this.tagsLeft.release();
  }

  private transmit(
    tlp: Uint8Array,
    tee: boolean,
    replyTo: ReplyTo | undefined,
  ): { sent: boolean; reason: string } {
    const { ide, name, idePs, send } = this.options;
    const { bus } = this.kernel;
    const out = ide.transmit(tlp, replyTo === undefined ? { tee } : { tee, replyTo });
    if (out.kind === 'blocked') {
      bus.emit('tlp-blocked', name, { reason: out.reason, bytes: tlp });
      return { sent: false, reason: out.reason };
    }
    for (const [i, seal] of out.seals.entries()) {
      const wire = out.tlps[i]!;
      // An IDE_Sync that had to go first has no payload of its own.
      const clear = i === out.tlps.length - 1 ? payload(tlp) : new Uint8Array(0);
      bus.emit('ide-seal', name, { ...seal, payload: clear, wire });
    }
    this.options.onEffects(out.effects);
    // The AES pipe delays, and never reorders.
    const delayPs = out.kind === 'ide' ? idePs : 0;
    this.departs = Math.max(this.departs, this.kernel.now + delayPs);
    for (const bytes of out.tlps)
      this.kernel.schedule(this.departs - this.kernel.now, () => send(bytes));
    return { sent: true, reason: '' };
  }

  /** Bytes from the link. */
  receive(bytes: Uint8Array): void {
    const { ide, idePs } = this.options;
    const result = ide.receive(bytes);
    this.arrives = Math.max(this.arrives, this.kernel.now + (result.kind === 'plain' ? 0 : idePs));
    const wait = this.arrives - this.kernel.now;
    if (wait === 0) this.arrived(bytes, result);
    else this.kernel.schedule(wait, () => this.arrived(bytes, result));
  }

  private arrived(bytes: Uint8Array, result: ReturnType<IdePort['receive']>): void {
    const { name, onEffects, onRequest } = this.options;
    onEffects(result.effects);
    if (result.kind === 'refused') {
      const { code, reason } = result;
      this.kernel.bus.emit('tlp-dropped', name, { code, reason, bytes });
      for (const message of result.send) this.options.send(message);
      return;
    }
    if (result.kind === 'consumed') return;
    const { tlp } = result;
    // A completion's oddities are judged against its request; a request that crosses 4 KiB or has
    // impossible byte enables would be another one to whoever looks at its address alone.
    const completion = checkTlp(tlp) === undefined && flowClass(tlp) === FlowClasses.COMPLETION;
    const refusal = completion ? undefined : validate(tlp);
    if (refusal !== undefined) {
      this.drop('MALFORMED_TLP', refusal.detail, tlp);
      return;
    }
    const tee = result.kind === 'ide' && result.tee;
    const streamId = result.kind === 'ide' ? result.streamId : undefined;
    const received: Received = { tlp, tee, streamId };
    if (completion) this.completion(received);
    else onRequest(received);
  }

  private drop(code: string, reason: string, bytes: Uint8Array): void {
    this.kernel.bus.emit('tlp-dropped', this.options.name, { code, reason, bytes });
  }

  private completion(received: Received): void {
    const { tlp } = received;
    const number = tag(tlp);
    const entry = this.outstanding.get(number);
    // The transaction ID is Requester ID and tag together (PCIe Base 6.x 2.2.6.2).
    if (entry === undefined || entry.requesterId !== requesterId(tlp)) {
      this.drop('UNEXPECTED_COMPLETION', `no request of tag ${number} is outstanding`, tlp);
      return;
    }
    const status = completionStatus(tlp);
    if (status !== CompletionStatuses.SC) {
      const name = statusNames[status] ?? 'UR';
      this.finish(number, entry, { status: name, reason: `completion status ${name}` }, tlp);
      return;
    }
    if (poisoned(tlp)) {
      this.finish(number, entry, { status: 'poisoned', reason: 'poisoned completion' }, tlp);
      return;
    }
    const left = entry.data.length - entry.filled;
    if (left > 0 && byteCount(tlp) !== left) {
      this.drop('UNEXPECTED_COMPLETION', `byte count ${byteCount(tlp)}, ${left} are left`, tlp);
      return;
    }
    const part = payload(tlp);
    const skip = left === 0 ? 0 : lowerAddress(tlp) & 3;
    const take = Math.min(left, part.length - skip);
    if (left > 0 && take <= 0) {
      this.drop('UNEXPECTED_COMPLETION', `no data where ${left} bytes are left`, tlp);
      return;
    }
    entry.data.set(part.subarray(skip, skip + take), entry.filled);
    entry.filled += take;
    if (entry.filled < entry.data.length) return;
    this.finish(number, entry, { status: 'SC', data: entry.data }, tlp);
  }

  /** The last completion of a request: to whoever waits for it, if anybody still does. */
  private finish(number: number, entry: Outstanding, completed: Completed, tlp: Uint8Array): void {
    if (entry.abandoned === undefined) {
      entry.signal.fire(completed);
      return;
    }
    entry.abandoned.cancel();
    this.release(number);
    this.drop('UNEXPECTED_COMPLETION', 'its request was called off', tlp);
  }

  /** Every outstanding request ends: the link, or what stood behind it, is gone. */
  abort(reason: string): void {
    for (const entry of this.outstanding.values()) entry.signal.fire({ status: 'UR', reason });
  }

  /** For checkers: is a request of this requester outstanding? */
  get pending(): number {
    return this.outstanding.size;
  }
}
