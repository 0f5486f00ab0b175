/** A capture decoded message by message: the data that `dump` prints as text or JSON. */

import { type DescribedField, describe } from '../../protocols/codec/describe.ts';
import { decode } from '../../protocols/codec/layout.ts';
import { type Refusal, refusalText } from '../../protocols/codec/refusal.ts';
import type { CryptoProvider } from '../../protocols/crypto/provider.ts';
import { discoveryRequest, discoveryResponse } from '../../protocols/doe/object.ts';
import { isRequest } from '../../protocols/spdm/codes.ts';
import { leafKeyOfChain } from '../../protocols/spdm/leaf-key.ts';
import {
  type CarriedMessage,
  type Check,
  type ChunkPlace,
  type ObservedMessage,
  type ObserverOptions,
  SpdmObserver,
} from '../../protocols/spdm/observer/observer.ts';
import { describeOther, describeVendor } from '../../protocols/vendor/describe.ts';
import { type PcapFile, type PcapRecord, pcapFaultText } from '../sinks/pcap.ts';
import { type Frame, type LinkLayer, linkLayer } from './dump-frames.ts';

/** What `dump` was given besides the capture. */
export type DumpSecrets = Pick<
  ObserverOptions,
  'dheSecrets' | 'psks' | 'keyLog' | 'chains' | 'publicKeys'
>;

/** A session whose records stay sealed, and why. */
export interface SealedSession {
  readonly sessionId: number | undefined;
  readonly why: string;
  records: number;
}

export interface DumpMessage {
  /** counts messages from 1 */
  readonly index: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly layer: 'DOE' | 'MCTP' | 'SPDM';
  readonly direction: 'request' | 'response' | undefined;
  readonly secured: boolean;
  readonly sessionId: number | undefined;
  readonly name: string;
  /** SPDM bytes; undefined outside SPDM and in records that could not be opened */
  readonly version: number | undefined;
  readonly code: number | undefined;
  readonly fields: readonly DescribedField[];
  readonly vendor:
    | {
        readonly protocol: string;
        readonly name: string;
        readonly fields: readonly DescribedField[];
      }
    | undefined;
  /** a piece of a large message */
  readonly chunk: ChunkPlace | undefined;
  /** the message that this one brings to its end */
  readonly carried: CarriedMessage | undefined;
  readonly checks: readonly Check[];
  readonly undecrypted: boolean;
  /** why the message, or the rest of it, could not be read */
  readonly refusal: string | undefined;
  /** the message as it was read, or the sealed record */
  readonly bytes: Uint8Array;
}

export interface DumpTotals {
  messages: number;
  undecoded: number;
  undecrypted: number;
  verified: number;
  failed: number;
  unverifiable: number;
}

export interface Dump {
  readonly messages: readonly DumpMessage[];
  readonly totals: DumpTotals;
  readonly sealed: readonly SealedSession[];
  /** messages in pieces whose end was not captured; counted as undecoded */
  readonly unfinished: number;
  /** what ended the capture early, in words */
  readonly fault: string | undefined;
}

type Draft = Omit<DumpMessage, 'index' | 'seconds' | 'nanoseconds'>;

const nothing = {
  secured: false,
  sessionId: undefined,
  version: undefined,
  code: undefined,
  fields: [],
  vendor: undefined,
  chunk: undefined,
  carried: undefined,
  checks: [],
  undecrypted: false,
  refusal: undefined,
} as const;

const textOf = (refusal: Refusal | undefined) =>
  refusal === undefined ? undefined : refusalText(refusal);

/** Sessions named as sealed, at most. */
const SEALED_SHOWN_MAX = 64;

/** The decoding state of one capture. */
class Reader {
  private readonly layer: LinkLayer;
  private readonly options: Omit<ObserverOptions, 'binding'>;
  /** one for each two endpoints that talk */
  private readonly observers = new Map<string, SpdmObserver>();
  private readonly sealed = new Map<string, SealedSession>();
  /** a Discovery request stands unanswered: request and response look alike by themselves */
  private discovering = false;

  constructor(layer: LinkLayer, crypto: CryptoProvider, secrets: DumpSecrets) {
    this.layer = layer;
    const describers = { describeVendor, describeOther, leafKey: leafKeyOfChain };
    this.options = { crypto, ...secrets, ...describers };
  }

  get sealedSessions(): readonly SealedSession[] {
    return [...this.sealed.values()];
  }

  private observerOf(between: string): SpdmObserver {
    const known = this.observers.get(between);
    if (known !== undefined) return known;
    const fresh = new SpdmObserver({ ...this.options, binding: this.layer.binding });
    this.observers.set(between, fresh);
    return fresh;
  }

  private noteSealed(sessionId: number | undefined, why: string): void {
    const key = `${sessionId} ${why}`;
    const known = this.sealed.get(key) ?? { sessionId, why, records: 0 };
    known.records++;
    if (this.sealed.size < SEALED_SHOWN_MAX || this.sealed.has(key)) this.sealed.set(key, known);
  }

  read(bytes: Uint8Array): Draft | undefined {
    const frame = this.layer.frame(bytes);
    if (frame.kind === 'piece') return undefined;
    if (frame.kind === 'discovery') return this.discovery(frame.payload);
    this.discovering = false;
    return frame.kind === 'other' ? this.other(frame, bytes) : this.spdm(frame);
  }

  private other(frame: Frame & { kind: 'other' }, bytes: Uint8Array): Draft {
    const { name, refusal } = frame;
    const direction = undefined;
    return { ...nothing, layer: this.layer.name, direction, name, refusal: textOf(refusal), bytes };
  }

  private discovery(bytes: Uint8Array): Draft {
    this.discovering = !this.discovering;
    const table = this.discovering ? discoveryRequest : discoveryResponse;
    const { fields } = describe(table, bytes);
    const decoded = decode(table, bytes);
    return {
      ...nothing,
      layer: 'DOE',
      direction: this.discovering ? 'request' : 'response',
      name: table.name,
      fields,
      refusal: decoded.ok ? undefined : textOf(decoded),
      bytes,
    };
  }

  private spdm(frame: Frame & { kind: 'spdm' | 'secured' }): Draft {
    const { kind, payload, between } = frame;
    const observer = this.observerOf(between);
    const message = kind === 'spdm' ? observer.plain(payload) : observer.secured(payload);
    const undecrypted = message.bytes === undefined;
    const isSpdm = !undecrypted && message.other === undefined;
    const { secured, sessionId, name, fields, vendor, checks, refusal, chunk, carried } = message;
    if (undecrypted) this.noteSealed(sessionId, refusal?.detail ?? '');
    return {
      layer: message.other === undefined ? 'SPDM' : this.layer.name,
      direction: undecrypted ? undefined : directionOf(message),
      secured,
      sessionId,
      name,
      version: isSpdm ? message.version : undefined,
      code: isSpdm ? message.code : undefined,
      fields,
      vendor:
        vendor === undefined
          ? undefined
          : { protocol: vendor.protocol, name: vendor.name, fields: vendor.fields },
      chunk,
      carried,
      checks,
      undecrypted,
      refusal: textOf(refusal),
      bytes: message.bytes ?? payload,
    };
  }
}

function directionOf({ code, other }: ObservedMessage): DumpMessage['direction'] {
  const request = other === undefined ? isRequest(code) : other.request;
  return request === undefined ? undefined : request ? 'request' : 'response';
}

function count(totals: DumpTotals, message: DumpMessage): void {
  totals.messages++;
  if (message.undecrypted) totals.undecrypted++;
  else if (message.refusal !== undefined) totals.undecoded++;
  for (const { result } of message.checks) totals[result]++;
}

function atTime(record: PcapRecord, index: number, draft: Draft): DumpMessage {
  const { seconds, nanoseconds } = record;
  return { index, seconds, nanoseconds, ...draft };
}

/** A record the capture cut short holds no whole message; what is there is still shown. */
function cutNote(record: PcapRecord, draft: Draft): Draft {
  if (record.originalLength === record.bytes.length) return draft;
  const cut = `the capture kept ${record.bytes.length} of ${record.originalLength} bytes`;
  return { ...draft, refusal: draft.refusal === undefined ? cut : `${draft.refusal}; ${cut}` };
}

/**
 * Decodes a capture that was read from `file`. Bytes never make it throw.
 * @throws UsageError on a link type nobody here knows
 */
export function readDump(
  pcap: PcapFile,
  file: string,
  crypto: CryptoProvider,
  secrets: DumpSecrets,
): Dump {
  const totals: DumpTotals = {
    messages: 0,
    undecoded: 0,
    undecrypted: 0,
    verified: 0,
    failed: 0,
    unverifiable: 0,
  };
  const fault = pcap.fault === undefined ? undefined : pcapFaultText(pcap.fault);
  if (pcap.header === undefined) return { messages: [], totals, sealed: [], unfinished: 0, fault };
  const layer = linkLayer(pcap.header.linkType, file);
  const reader = new Reader(layer, crypto, secrets);
  const messages: DumpMessage[] = [];
  for (const record of pcap.records) {
    const draft = reader.read(record.bytes);
    if (draft === undefined) continue;
    const message = atTime(record, messages.length + 1, cutNote(record, draft));
    count(totals, message);
    messages.push(message);
  }
  const unfinished = layer.unfinished();
  totals.undecoded += unfinished;
  return { messages, totals, sealed: reader.sealedSessions, unfinished, fault };
}

/** Something is wrong with the traffic, or could not be read. */
export function hasFindings({ undecoded, undecrypted, failed }: DumpTotals): boolean {
  return undecoded + undecrypted + failed > 0;
}
