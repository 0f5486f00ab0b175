/**
 * The transmit side of an IDE port (PCIe Base 6.x clauses 6.33.4 and 6.33.5): choose the stream, write
 * the prefix, count, seal. A TLP that a stream should protect and cannot is held back, never sent
 * without IDE. The port does not aggregate: every IDE TLP has its own MAC.
 */

import { toHex } from '../codec/bytes.ts';
import { LocalError, refusalText } from '../codec/refusal.ts';
import { FlowClasses, PREFIX_BYTES } from '../tlp/codes.ts';
import { IDE_PREFIX, writeIdePrefix } from '../tlp/ide-prefix.ts';
import {
  checkTlp,
  flowClass,
  hasDigest,
  headerOffset,
  payloadOffset,
  prefixOffset,
} from '../tlp/view.ts';
import type { IdeEffect } from './effects.ts';
import { type KeySet, type SubStream, SubStreams } from './idekm.ts';
import type { KeySlot } from './keys.ts';
import { ideSync } from './messages.ts';
import type { OutstandingRequests } from './outstanding.ts';
import { ivOf } from './seal.ts';
import { selectStream } from './select.ts';
import type { IdeStream } from './stream.ts';

/** How the request of a completion arrived. */
export type ReplyTo = { readonly streamId: number; readonly tee: boolean } | 'plain';

export interface TransmitOptions {
  /** T: the TLP originates in a TEE. A completion takes it from `replyTo` instead. */
  readonly tee: boolean;
  /** for completions, and only for these */
  readonly replyTo?: ReplyTo;
}

/** Which key and IV one TLP was sealed with. */
export interface SealRecord {
  readonly streamId: number;
  readonly subStream: SubStream;
  readonly keySet: KeySet;
  /** first 8 hex digits of SHA-256 of the key */
  readonly keyId: string;
  /** 12 bytes in hex */
  readonly iv: string;
}

export type BlockCode = 'STREAM_NOT_SECURE' | 'NO_SECURE_STREAM' | 'INVOCATION_EXHAUSTED';

export type Transmitted =
  | {
      readonly kind: 'plain' | 'ide';
      /** in wire order; an IDE_Sync may come before the TLP */
      readonly tlps: readonly Uint8Array[];
      readonly seals: readonly SealRecord[];
      readonly effects: readonly IdeEffect[];
    }
  | {
      readonly kind: 'blocked';
      readonly tlps: readonly [];
      readonly seals: readonly [];
      readonly code: BlockCode;
      readonly reason: string;
      readonly effects: readonly IdeEffect[];
    };

/** What transmit and receive need of a port. */
export interface PortState {
  readonly portIndex: number;
  readonly rid: number;
  readonly streams: readonly IdeStream[];
  readonly outstanding: OutstandingRequests;
}

function blocked(code: BlockCode, reason: string): Transmitted {
  return { kind: 'blocked', tlps: [], seals: [], code, reason, effects: [] };
}

function checkArguments(tlp: Uint8Array, options: TransmitOptions): void {
  const refusal = checkTlp(tlp);
  if (refusal !== undefined) throw new LocalError(`tlp: ${refusalText(refusal)}`);
  if (prefixOffset(tlp, IDE_PREFIX) >= 0) throw new LocalError('tlp: has an IDE prefix already');
  const completion = flowClass(tlp) === FlowClasses.COMPLETION;
  if (completion && options.replyTo === undefined)
    throw new LocalError('replyTo: a completion needs the stream and T of its request');
  if (!completion && options.replyTo !== undefined)
    throw new LocalError('replyTo: only completions reply to something');
}

/** Room for the IDE prefix. @throws LocalError on a TLP that cannot become an IDE TLP. */
function withPrefixSpace(tlp: Uint8Array): Uint8Array {
  if (hasDigest(tlp)) throw new LocalError('tlp: an IDE TLP has no ECRC, TD must be 0');
  if (headerOffset(tlp) >= 4 * PREFIX_BYTES)
    throw new LocalError('tlp: four end-end prefixes leave no room for the IDE prefix');
  const out = new Uint8Array(PREFIX_BYTES + tlp.length);
  out.set(tlp, PREFIX_BYTES);
  return out;
}

interface Sealing {
  readonly streamId: number;
  readonly subStream: SubStream;
  readonly keySet: KeySet;
  readonly slot: KeySlot;
  readonly tee: boolean;
  readonly prSentCounter: number;
}

/** Seals one TLP that has room for the prefix in front; advances the invocation field. */
function seal(tlp: Uint8Array, s: Sealing): { wire: Uint8Array; record: SealRecord } {
  writeIdePrefix(tlp, 0, {
    prSentCounter: s.prSentCounter,
    streamId: s.streamId,
    subStream: s.subStream,
    pcrc: false,
    mac: true,
    keySet: s.keySet,
    tee: s.tee,
  });
  const iv = toHex(ivOf(s.subStream, s.slot.counter));
  const wire = s.slot.sealer.seal(s.subStream, s.slot.counter, tlp, payloadOffset(tlp));
  s.slot.counter.advance();
  const { streamId, subStream, keySet } = s;
  return { wire, record: { streamId, subStream, keySet, keyId: s.slot.keyId, iv } };
}

/** The IDE_Sync to send before one more posted request. */
function syncOf(port: PortState, stream: IdeStream): Uint8Array {
  const { npr, cpl } = stream.prSent.takeSync();
  const route = { requesterId: port.rid, destinationId: stream.partnerId, tc: stream.tc };
  const body = { StreamID: stream.streamId, PR_Sent_NPR: npr, PR_Sent_CPL: cpl };
  return withPrefixSpace(ideSync(route, body));
}

function takeCounter(stream: IdeStream, subStream: SubStream): number {
  if (subStream === SubStreams.NPR) return stream.prSent.takeNpr();
  if (subStream === SubStreams.CPL) return stream.prSent.takeCpl();
  stream.prSent.posted();
  return 0;
}

/** Sends on a Secure stream. */
function onStream(port: PortState, stream: IdeStream, tlp: Uint8Array, tee: boolean): Transmitted {
  const subStream = flowClass(tlp) as SubStream;
  const room = withPrefixSpace(tlp);
  const channel = stream.keys.channel('TX', subStream);
  const before = channel.current;
  const keySet = channel.next();
  const slot = keySet === undefined ? undefined : channel.slot(keySet);
  if (keySet === undefined || slot === undefined)
    return blocked('STREAM_NOT_SECURE', 'no key started for the sub-stream');
  const { streamId, portIndex } = stream;
  const tlps: Uint8Array[] = [];
  const seals: SealRecord[] = [];
  const push = (unsealed: Uint8Array, t: boolean, prSentCounter: number): void => {
    const how = { streamId, subStream, keySet, slot, tee: t, prSentCounter };
    const { wire, record } = seal(unsealed, how);
    tlps.push(wire);
    seals.push(record);
  };
  const syncDue = subStream === SubStreams.PR && stream.prSent.syncDue;
  if (slot.counter.exhausted || (syncDue && slot.counter.last))
    return blocked('INVOCATION_EXHAUSTED', 'the key has no invocation field left');
  if (syncDue) push(syncOf(port, stream), false, 0);
  push(room, tee, takeCounter(stream, subStream));
  const direction = 'TX';
  const effects: IdeEffect[] = [];
  if (before !== keySet) {
    const { keyId } = slot;
    const type = 'ide-key-switched';
    effects.push({ type, portIndex, streamId, direction, subStream, keySet, keyId });
  }
  return { kind: 'ide', tlps, seals, effects };
}

/** A completion goes the way its request came. */
function completion(port: PortState, tlp: Uint8Array, replyTo: ReplyTo): Transmitted {
  if (replyTo === 'plain') return { kind: 'plain', tlps: [tlp], seals: [], effects: [] };
  const { streamId, tee } = replyTo;
  const stream = port.streams.find((s) => s.enabled && s.streamId === streamId);
  if (stream?.secure === true) return onStream(port, stream, tlp, tee);
  const room = withPrefixSpace(tlp);
  for (const candidate of port.streams) {
    const last = candidate.takeLastCompletion(streamId);
    if (last === undefined) continue;
    const { slot, keySet } = last;
    const prSentCounter = candidate.prSent.takeCpl();
    const how = { streamId, subStream: SubStreams.CPL, keySet, slot, tee, prSentCounter };
    const usable = !slot.counter.exhausted;
    const sealed = usable ? seal(room, how) : undefined;
    slot.sealer.dispose();
    if (sealed !== undefined)
      return { kind: 'ide', tlps: [sealed.wire], seals: [sealed.record], effects: [] };
  }
  return blocked('STREAM_NOT_SECURE', `the request's stream ${streamId} is not Secure`);
}

/**
 * Sends one TLP [end-end prefixes][header][payload] without IDE prefix. Completions need `replyTo`.
 * @throws LocalError on a TLP that is not well-formed or cannot be an IDE TLP, and on a `replyTo` that
 * is missing or out of place.
 */
export function transmit(port: PortState, tlp: Uint8Array, options: TransmitOptions): Transmitted {
  checkArguments(tlp, options);
  if (options.replyTo !== undefined) return completion(port, tlp, options.replyTo);
  const { tee } = options;
  const stream = selectStream(port.streams, tlp, tee);
  if (stream === undefined && tee)
    return blocked('NO_SECURE_STREAM', 'T=1 and no Selective stream for the TLP');
  if (stream !== undefined && !stream.secure)
    return blocked('STREAM_NOT_SECURE', `stream ${stream.streamId} is enabled and not Secure`);
  const out: Transmitted =
    stream === undefined
      ? { kind: 'plain', tlps: [tlp], seals: [], effects: [] }
      : onStream(port, stream, tlp, tee);
  if (out.kind !== 'blocked' && flowClass(tlp) === FlowClasses.NON_POSTED)
    port.outstanding.sent(tlp, { streamId: stream?.streamId, tee });
  return out;
}
