/**
 * The receive side of an IDE port (PCIe Base 6.x clauses 6.33.4 to 6.33.7). Anything wrong with a TLP
 * of a Secure stream is an IDE Check Failed: the TLP is dropped, the stream becomes Insecure, its keys
 * are destroyed, the partner is told by IDE_Fail. The bytes are a peer's: nothing here throws on them.
 *
 * Choices: a malformed TLP that names a Secure stream counts as a failed check; a Stream ID no enabled
 * stream has is a Misrouted IDE TLP; the TC is compared after the MAC; completions are held to the
 * stream and T of their request here, at the port, so that a TDI need not look at them again.
 */

import { refusalText } from '../codec/refusal.ts';
import { FlowClasses } from '../tlp/codes.ts';
import { IDE_PREFIX, type IdePrefix, readIdePrefix } from '../tlp/ide-prefix.ts';
import {
  checkTlp,
  flowClass,
  hasDigest,
  idePrefixOffset,
  payloadOffset,
  prefixOffset,
  requesterId,
  trafficClass,
} from '../tlp/view.ts';
import type { PrCounterFault } from './counters.ts';
import type { IdeEffect } from './effects.ts';
import { isSubStream, type KeySet, type SubStream, SubStreams } from './idekm.ts';
import type { KeyChannel } from './keys.ts';
import { ideFail, ideMessage } from './messages.ts';
import { MAC_BYTES } from './seal.ts';
import { allowedOnStream } from './select.ts';
import type { IdeStream } from './stream.ts';
import type { PortState } from './transmit.ts';

/** Why an IDE Check failed. */
export type CheckCode =
  | 'MALFORMED_TLP'
  | 'DISALLOWED_TLP'
  | 'UNSUPPORTED_SUB_STREAM'
  | 'SUB_STREAM_MISMATCH'
  | 'AGGREGATION_NOT_SUPPORTED'
  | 'PCRC_NOT_ENABLED'
  | 'KEY_SET_NOT_VALID'
  | 'INVOCATION_EXHAUSTED'
  | 'MAC_FAILED'
  | 'TC_MISMATCH'
  | 'TEE_LIMITED'
  | 'BAD_IDE_MESSAGE'
  | 'COMPLETION_MISMATCH'
  | PrCounterFault;

export type ReceiveCode =
  | CheckCode
  | 'MISPLACED_IDE_PREFIX'
  | 'MISROUTED_IDE_TLP'
  | 'STREAM_NOT_SECURE'
  | 'PLAINTEXT_ON_SECURE_STREAM'
  | 'PLAINTEXT_IDE_SYNC';

export type Received =
  | {
      readonly kind: 'ide';
      /** without IDE prefix and MAC, payload decrypted */
      readonly tlp: Uint8Array;
      readonly streamId: number;
      readonly tee: boolean;
      readonly subStream: SubStream;
      readonly k: KeySet;
      readonly effects: readonly IdeEffect[];
    }
  | { readonly kind: 'plain'; readonly tlp: Uint8Array; readonly effects: readonly IdeEffect[] }
  | {
      /** a message meant for the port itself */
      readonly kind: 'consumed';
      readonly message: 'IDE_Sync' | 'IDE_Fail';
      readonly effects: readonly IdeEffect[];
    }
  | {
      readonly kind: 'refused';
      readonly code: ReceiveCode;
      readonly reason: string;
      readonly effects: readonly IdeEffect[];
      /** TLPs to put on the wire as they are */
      readonly send: readonly Uint8Array[];
    };

export interface ReceivePolicy {
  /**
   * What becomes of requests without IDE from an ID in the RID association of a Secure stream, once
   * an IDE TLP of the same sub-stream has arrived on it. `refuse` drops them: right where the partner
   * protects all it sends, as an endpoint with a Default Stream does. `deliver` hands them up: right
   * for endpoints, as a root port sends what no address association covers without IDE, and a TDI
   * rejects what lacks T. Completions without IDE to an IDE request are never accepted.
   */
  readonly plaintext: 'refuse' | 'deliver';
}

function dropped(code: ReceiveCode, reason: string, effects: readonly IdeEffect[] = []): Received {
  return { kind: 'refused', code, reason, effects, send: [] };
}

/** IDE Check Failed: the stream's end, and a word to the partner. */
function checkFailed(
  port: PortState,
  stream: IdeStream,
  code: CheckCode,
  reason: string,
): Received {
  const { portIndex, streamId, tc } = stream;
  const route = { requesterId: port.rid, destinationId: stream.partnerId, tc };
  const effects: IdeEffect[] = [{ type: 'ide-check-failed', portIndex, streamId, code, reason }];
  effects.push(...stream.fire('IDE_CHECK_FAILED', `${code}: ${reason}`));
  return { kind: 'refused', code, reason, effects, send: [ideFail(route, streamId)] };
}

type Fault = readonly [CheckCode, string];

/** What can be told before the MAC is looked at. */
function prefixFault(tlp: Uint8Array, prefix: IdePrefix, stream: IdeStream): Fault | undefined {
  const { subStream } = prefix;
  // Without aggregation and PCRC every IDE TLP ends in exactly one MAC.
  if (!prefix.mac) return ['AGGREGATION_NOT_SUPPORTED', 'M=0'];
  if (prefix.pcrc) return ['PCRC_NOT_ENABLED', 'P=1'];
  const refusal = checkTlp(tlp, MAC_BYTES);
  if (refusal !== undefined) return ['MALFORMED_TLP', refusalText(refusal)];
  if (prefixOffset(tlp.subarray(4), IDE_PREFIX) >= 0) return ['MALFORMED_TLP', 'second IDE prefix'];
  if (hasDigest(tlp)) return ['MALFORMED_TLP', 'TD=1'];
  if (!allowedOnStream(tlp, stream.kind)) return ['DISALLOWED_TLP', 'type or routing'];
  if (!isSubStream(subStream)) return ['UNSUPPORTED_SUB_STREAM', `sub-stream ${subStream}`];
  if (subStream !== flowClass(tlp))
    return ['SUB_STREAM_MISMATCH', `sub-stream ${subStream}, class ${flowClass(tlp)}`];
  return undefined;
}

/** Counters, after the MAC has vouched for the prefix. */
function counterFault(
  stream: IdeStream,
  prefix: IdePrefix,
  sync: { readonly npr: number; readonly cpl: number } | undefined,
): Fault | undefined {
  const { prReceived } = stream;
  const claimed = prefix.prSentCounter;
  let fault: PrCounterFault | undefined;
  if (sync !== undefined) fault = prReceived.sync(sync);
  else if (prefix.subStream === SubStreams.NPR) fault = prReceived.nonPosted(claimed);
  else if (prefix.subStream === SubStreams.CPL) fault = prReceived.completion(claimed);
  else fault = prReceived.posted();
  return fault && [fault, `PR_Sent_Counter ${sync === undefined ? claimed : 'in IDE_Sync'}`];
}

/** What only the opened TLP can tell, counters aside. */
function contentFault(
  port: PortState,
  stream: IdeStream,
  prefix: IdePrefix,
  tlp: Uint8Array,
): Fault | undefined {
  if (trafficClass(tlp) !== stream.tc) return ['TC_MISMATCH', `TC ${trafficClass(tlp)}`];
  if (flowClass(tlp) !== FlowClasses.COMPLETION) return undefined;
  const request = port.outstanding.of(tlp);
  if (request === undefined) return undefined;
  if (request.streamId !== stream.streamId)
    return ['COMPLETION_MISMATCH', `request went out on stream ${request.streamId ?? 'none'}`];
  if (request.tee !== prefix.tee)
    return ['COMPLETION_MISMATCH', `request had T=${request.tee ? 1 : 0}`];
  return undefined;
}

function opened(
  port: PortState,
  stream: IdeStream,
  channel: KeyChannel,
  prefix: IdePrefix,
  tlp: Uint8Array,
): Received {
  const { portIndex, streamId } = stream;
  const subStream = prefix.subStream as SubStream;
  const { keySet, tee } = prefix;
  const note = ideMessage(tlp, port.rid);
  const sync = note?.name === 'IDE_Sync' ? note : undefined;
  const fault =
    contentFault(port, stream, prefix, tlp) ??
    (note !== undefined && note.streamId !== streamId
      ? (['BAD_IDE_MESSAGE', `names stream ${note.streamId}`] as const)
      : undefined) ??
    (stream.teeLimited && !tee && sync === undefined
      ? (['TEE_LIMITED', 'T=0 on a TEE-Limited stream'] as const)
      : undefined) ??
    counterFault(stream, prefix, sync);
  if (fault !== undefined) return checkFailed(port, stream, ...fault);
  stream.received[subStream] = true;
  const effects: IdeEffect[] = [];
  if (channel.verified(keySet)) {
    const keyId = channel.slot(keySet)!.keyId;
    const of = { portIndex, streamId, direction: 'RX', subStream, keySet, keyId } as const;
    effects.push({ type: 'ide-key-switched', ...of });
  }
  if (note?.name === 'IDE_Fail') return failReceived(stream, effects);
  if (sync !== undefined) return { kind: 'consumed', message: 'IDE_Sync', effects };
  if (subStream === SubStreams.CPL) port.outstanding.completed(tlp);
  return { kind: 'ide', tlp, streamId, tee, subStream, k: keySet, effects };
}

function ideTlp(port: PortState, bytes: Uint8Array): Received {
  if (bytes.length < 4) return dropped('MALFORMED_TLP', 'IDE prefix cut short');
  const prefix = readIdePrefix(bytes);
  const { streamId, keySet } = prefix;
  const stream = port.streams.find((s) => s.enabled && s.streamId === streamId);
  if (stream === undefined) {
    const reason = `no enabled stream ${streamId}`;
    const { portIndex } = port;
    const effect = { type: 'ide-misrouted', portIndex, streamId, reason } as const;
    return dropped('MISROUTED_IDE_TLP', reason, [effect]);
  }
  if (!stream.secure) return dropped('STREAM_NOT_SECURE', `stream ${streamId} is ${stream.state}`);
  const fault = prefixFault(bytes, prefix, stream);
  if (fault !== undefined) return checkFailed(port, stream, ...fault);
  const channel = stream.keys.channel('RX', prefix.subStream as SubStream);
  const slot = channel.accepts(keySet) ? channel.slot(keySet) : undefined;
  if (slot === undefined)
    return checkFailed(port, stream, 'KEY_SET_NOT_VALID', `K=${keySet} was not started`);
  if (slot.counter.exhausted)
    return checkFailed(port, stream, 'INVOCATION_EXHAUSTED', 'no invocation field left');
  const subStream = prefix.subStream as SubStream;
  const open = slot.sealer.open(subStream, slot.counter, bytes, payloadOffset(bytes));
  if (open === undefined) return checkFailed(port, stream, 'MAC_FAILED', 'MAC does not fit');
  slot.counter.advance();
  return opened(port, stream, channel, prefix, open.subarray(4));
}

function failReceived(stream: IdeStream, before: readonly IdeEffect[] = []): Received {
  const { portIndex, streamId } = stream;
  stream.failMessageReceived = true;
  const effects: IdeEffect[] = [...before, { type: 'ide-fail-received', portIndex, streamId }];
  effects.push(...stream.fire('IDE_FAIL_RECEIVED', 'IDE_Fail received'));
  return { kind: 'consumed', message: 'IDE_Fail', effects };
}

function plaintextRefused(stream: IdeStream, reason: string): Received {
  const { portIndex, streamId } = stream;
  const effect = { type: 'ide-plaintext-dropped', portIndex, streamId, reason } as const;
  return dropped('PLAINTEXT_ON_SECURE_STREAM', reason, [effect]);
}

function plainCompletion(port: PortState, tlp: Uint8Array): Received {
  const streamId = port.outstanding.of(tlp)?.streamId;
  if (streamId !== undefined) {
    const reason = `completion without IDE to a request on stream ${streamId}`;
    const stream = port.streams.find((s) => s.enabled && s.streamId === streamId);
    if (stream?.secure === true) return checkFailed(port, stream, 'COMPLETION_MISMATCH', reason);
    return dropped('STREAM_NOT_SECURE', reason);
  }
  port.outstanding.completed(tlp);
  return { kind: 'plain', tlp, effects: [] };
}

function plainTlp(port: PortState, policy: ReceivePolicy, bytes: Uint8Array): Received {
  const refusal = checkTlp(bytes);
  if (refusal !== undefined) return dropped('MALFORMED_TLP', refusalText(refusal));
  if (prefixOffset(bytes, IDE_PREFIX) >= 0)
    return dropped('MISPLACED_IDE_PREFIX', 'the IDE prefix must be the first end-end prefix');
  const note = ideMessage(bytes, port.rid);
  if (note?.name === 'IDE_Sync') return dropped('PLAINTEXT_IDE_SYNC', 'IDE_Sync without IDE');
  if (note?.name === 'IDE_Fail') {
    const stream = port.streams.find((s) => s.enabled && s.streamId === note.streamId);
    return stream === undefined
      ? dropped('MISROUTED_IDE_TLP', `IDE_Fail for stream ${note.streamId}`)
      : failReceived(stream);
  }
  if (flowClass(bytes) === FlowClasses.COMPLETION) return plainCompletion(port, bytes);
  if (policy.plaintext === 'refuse') {
    const stream = port.streams.find(
      (s) =>
        s.secure &&
        s.kind === 'selective' &&
        s.received[flowClass(bytes)] &&
        s.tc === trafficClass(bytes) &&
        allowedOnStream(bytes, s.kind) &&
        s.coversId(requesterId(bytes)),
    );
    if (stream !== undefined)
      return plaintextRefused(stream, `request without IDE from ${requesterId(bytes)}`);
  }
  return { kind: 'plain', tlp: bytes, effects: [] };
}

/** Takes one TLP off the wire; local prefixes, sequence number and LCRC are the link's. Never throws. */
export function receive(port: PortState, policy: ReceivePolicy, bytes: Uint8Array): Received {
  return idePrefixOffset(bytes) === 0 ? ideTlp(port, bytes) : plainTlp(port, policy, bytes);
}
