/**
 * A passive listener: given the messages of a device in order, and what secrets there are, it names and
 * decodes each, puts chunks together, follows the transcripts, opens secured records and checks every
 * signature and HMAC it can. It trusts nothing it hears.
 */

import { describe } from '../../codec/describe.ts';
import type { Facts } from '../../codec/field.ts';
import { type Refusal, RefusalCodes, refuse } from '../../codec/refusal.ts';
import { codeNames, ErrorCodes, isRequest, RequestCodes, ResponseCodes } from '../codes.ts';
import {
  connectionFacts,
  decodeMessage,
  type KnownCode,
  layoutOf,
  type MessageValue,
} from '../messages/registry.ts';
import { summaryPresent } from '../negotiate.ts';
import { recordSessionId } from '../secured-message.ts';
import { ObservedConnection, type Surroundings } from './connection.ts';
import { contentsOf } from './contents.ts';
import { type Chunk, type Conversation, signatureAsked, summaryAsked } from './conversation.ts';
import { ObservedIdentity } from './identity.ts';
import { SecretStore } from './secrets.ts';
import type {
  CarriedMessage,
  Check,
  ChunkPlace,
  ObservedContent,
  ObservedMessage,
  ObserverOptions,
  VendorDescription,
} from './types.ts';

export type {
  CarriedMessage,
  Check,
  ChunkPlace,
  LeafKey,
  ObservedContent,
  ObservedMessage,
  ObservedSignature,
  ObserverOptions,
  OtherDescriber,
  Party,
  VendorDescriber,
  VendorDescription,
} from './types.ts';

type Value<C extends number> = MessageValue<C & KnownCode>;
type Trailing = 'leave' | 'refuse';

/** On MCTP a sealed message keeps its message type byte in front (DSP0276). */
const MCTP_SPDM = 0x05;
/** A message inside CHUNK_SEND_ACK needs a header; fewer bytes are padding. */
const HEADER_SIZE = 4;

interface Carrying {
  readonly chunk?: ChunkPlace;
  readonly carried?: CarriedMessage;
  readonly refusal?: Refusal;
}

export class SpdmObserver {
  private readonly options: ObserverOptions;
  private readonly surroundings: Surroundings;
  private readonly secrets: SecretStore;
  private connection: ObservedConnection;
  /** the connection before a GET_VERSION that is not yet answered */
  private before: ObservedConnection | undefined;
  private checks: Check[] = [];

  constructor(options: ObserverOptions) {
    this.options = options;
    this.secrets = new SecretStore(options);
    this.surroundings = {
      options,
      secrets: this.secrets,
      responder: new ObservedIdentity('responder', options),
      requester: new ObservedIdentity('requester', options),
      note: (what, result, detail) => this.checks.push({ what, result, detail }),
    };
    this.connection = new ObservedConnection(this.surroundings);
  }

  /** A message outside the record layer; zero bytes after it are padding. */
  plain(bytes: Uint8Array): ObservedMessage {
    this.checks = [];
    return this.message(bytes, this.connection.plain, 'leave');
  }

  /** A secured record; its content if a key fits. */
  secured(record: Uint8Array): ObservedMessage {
    this.checks = [];
    const sessionId = recordSessionId(record);
    const opened = this.connection.sessions.open(sessionId, record);
    const conversation = this.connection.conversation(sessionId);
    if (!opened.ok || conversation === undefined) {
      const version = this.connection.negotiated?.version ?? 0;
      const nothing = { bytes: undefined, code: 0, name: 'undecrypted record', fields: [] };
      const refusal = opened.ok ? undefined : opened;
      const rest = { vendor: undefined, checks: this.checks, refusal };
      return { secured: true, sessionId, version, ...nothing, ...rest };
    }
    const { binding } = this.options;
    if (binding.name !== 'MCTP') return this.message(opened.value, conversation, 'refuse');
    const [messageType = -1] = opened.value;
    const inner = opened.value.subarray(1);
    if (messageType === MCTP_SPDM) return this.message(inner, conversation, 'refuse');
    return this.notSpdm(sessionId, messageType, inner);
  }

  /** Another protocol of the transport, in a session of ours. */
  private notSpdm(sessionId: number | undefined, messageType: number, bytes: Uint8Array) {
    const described = this.options.describeOther?.(messageType, bytes);
    const { name = `message type ${messageType}`, fields = [] } = described ?? {};
    const unknown = refuse(RefusalCodes.UNKNOWN_CODE, 'MessageType', 0, 'not SPDM');
    const refusal = described === undefined ? unknown : described.refusal;
    const other = { messageType, request: described?.request };
    const rest = { vendor: undefined, checks: this.checks, refusal, other };
    return { secured: true, sessionId, bytes, version: 0, code: 0, name, fields, ...rest };
  }

  private message(
    bytes: Uint8Array,
    conversation: Conversation,
    trailing: Trailing,
  ): ObservedMessage {
    const { exact, content } = this.read(bytes, conversation, trailing);
    const { sessionId } = conversation;
    const { checks } = this;
    return { secured: sessionId !== undefined, sessionId, bytes: exact, checks, ...content };
  }

  /** Decodes, describes and follows one message, be it on the wire or inside others. */
  private read(
    bytes: Uint8Array,
    conversation: Conversation,
    trailing: Trailing,
  ): { readonly exact: Uint8Array; readonly content: ObservedContent } {
    const facts = this.facts(bytes, conversation);
    const decoded = decodeMessage(bytes, facts, trailing);
    const code = bytes[1] ?? 0;
    const exact = decoded.ok ? bytes.slice(0, decoded.size) : bytes;
    const table = layoutOf(code);
    const { fields } = table === undefined ? { fields: [] } : describe(table, exact, facts);
    const base = {
      version: bytes[0] ?? 0,
      code,
      name: codeNames[code] ?? `code 0x${code.toString(16)}`,
    };
    if (!decoded.ok)
      return { exact, content: { ...base, fields, vendor: undefined, refusal: decoded } };
    const { value } = decoded;
    const { negotiated, encapsulation } = this.connection;
    const { crypto } = this.options;
    const all = [...fields, ...contentsOf(code, value, fields, negotiated, crypto)];
    const vendor = encapsulation.look(code, value, conversation) ?? this.vendor(code, value);
    const { refusal, ...carrying } = this.carrier(code, value, conversation, trailing);
    if (isRequest(code)) this.request(code, exact, value, conversation);
    else this.response(code, exact, value, conversation);
    const own = refusal ?? vendor?.refusal ?? carrying.carried?.message.refusal;
    return { exact, content: { ...base, fields: all, vendor, refusal: own, ...carrying } };
  }

  /** Facts for the message in hand: what was asked decides what the answer holds. */
  private facts(bytes: Uint8Array, { pending }: Conversation): Facts {
    const { negotiated, responderFlags } = this.connection;
    const base = connectionFacts(bytes[0] ?? 0, negotiated);
    if (pending === undefined || isRequest(bytes[1] ?? 0)) return base;
    const summary = summaryPresent(summaryAsked(pending), responderFlags);
    return { ...base, summary, signed: signatureAsked(pending) };
  }

  private vendor(code: number, value: Record<string, unknown>): VendorDescription | undefined {
    if (
      code !== RequestCodes.VENDOR_DEFINED_REQUEST &&
      code !== ResponseCodes.VENDOR_DEFINED_RESPONSE
    )
      return undefined;
    const v = value as Value<0xfe>;
    const described = this.options.describeVendor?.(v.StandardID, v.VendorID, v.Payload);
    for (const { psk } of described?.psks ?? []) this.secrets.learnPsk(psk);
    if (described !== undefined) return described;
    const refusal = refuse(RefusalCodes.UNKNOWN_CODE, 'Payload', 0, 'unknown vendor protocol');
    return { protocol: 'vendor', name: 'unknown', fields: [], refusal };
  }

  /** Messages that carry others: chunks and what they end. */
  private carrier(
    code: number,
    value: Record<string, unknown>,
    conversation: Conversation,
    trailing: Trailing,
  ): Carrying {
    if (code === RequestCodes.CHUNK_SEND)
      return this.chunk('sent', value as Value<0x85>, conversation);
    if (code === ResponseCodes.CHUNK_RESPONSE)
      return this.chunk('fetched', value as Value<0x06>, conversation);
    if (code === RequestCodes.CHUNK_GET) {
      const { Param2, ChunkSeqNo: sequence } = value as Value<0x86>;
      return { chunk: { sequence, largeMessageSize: conversation.sizeOf('fetched', Param2) } };
    }
    if (code !== ResponseCodes.CHUNK_SEND_ACK) return {};
    const { Param1, ResponseToLargeRequest: answer } = value as Value<0x05>;
    if (!conversation.takesAnswer((Param1 & 1) === 1) || answer.length < HEADER_SIZE) return {};
    const { content } = this.read(answer, conversation, trailing);
    return { carried: { how: 'answer to the large message', message: content } };
  }

  private chunk(
    way: 'sent' | 'fetched',
    value: Value<0x85> & Value<0x06>,
    conversation: Conversation,
  ): Carrying {
    const chunk: Chunk = {
      handle: value.Param2,
      sequence: value.ChunkSeqNo,
      isLast: (value.Param1 & 1) === 1,
      size: value.LargeMessageSize,
      bytes: value.SPDMchunk,
    };
    const known = chunk.size ?? conversation.sizeOf(way, chunk.handle);
    const place = { sequence: chunk.sequence, largeMessageSize: known };
    const whole = conversation.chunk(way, chunk, value.SPDMVersion);
    if (whole === undefined) return { chunk: place };
    if (!(whole instanceof Uint8Array)) return { chunk: place, refusal: whole };
    const how = `large message of ${whole.length} bytes`;
    const nests = whole[1] === RequestCodes.CHUNK_SEND || whole[1] === ResponseCodes.CHUNK_RESPONSE;
    if (nests) {
      const refusal = refuse(RefusalCodes.BAD_VALUE, 'SPDMchunk', 0, 'a chunk inside chunks');
      return { chunk: place, refusal };
    }
    const { content } = this.read(whole, conversation, 'refuse');
    return { chunk: place, carried: { how, message: content } };
  }

  private request(
    code: number,
    bytes: Uint8Array,
    value: Record<string, unknown>,
    conversation: Conversation,
  ): void {
    if (code === RequestCodes.CHUNK_SEND || code === RequestCodes.CHUNK_GET) return;
    if (code === RequestCodes.RESPOND_IF_READY) return conversation.resume(bytes[2]!, bytes[3]!);
    const asked = { code, bytes };
    if (code === RequestCodes.GET_VERSION && conversation.sessionId === undefined) {
      this.before ??= this.connection;
      this.connection = new ObservedConnection(this.surroundings);
      this.connection.plain.asks(code, bytes);
      return this.connection.onRequest(asked, value, undefined);
    }
    conversation.asks(code, bytes);
    this.connection.onRequest(asked, value, conversation.sessionId);
  }

  private response(
    code: number,
    bytes: Uint8Array,
    value: Record<string, unknown>,
    conversation: Conversation,
  ): void {
    if (code === ResponseCodes.CHUNK_SEND_ACK || code === ResponseCodes.CHUNK_RESPONSE) return;
    const { pending: asked, sessionId } = conversation;
    if (asked === undefined) return;
    if (code === ResponseCodes.ERROR) return this.error(asked, value as Value<0x7f>, conversation);
    conversation.pending = undefined;
    if (asked.code === RequestCodes.GET_VERSION) this.before = undefined;
    if ((asked.code & 0x7f) === code)
      this.connection.onResponse(asked, code, bytes, value, sessionId);
  }

  /** ERROR: neither it nor its request enters a transcript; some only put the answer off. */
  private error(
    asked: { readonly code: number; readonly bytes: Uint8Array },
    { Param1: errorCode, Token }: Value<0x7f>,
    conversation: Conversation,
  ): void {
    this.connection.onError(asked, errorCode, conversation.sessionId);
    if (errorCode === ErrorCodes.ResponseNotReady) return conversation.defer(Token ?? 0);
    if (errorCode === ErrorCodes.LargeResponse) return;
    conversation.pending = undefined;
    // GET_VERSION was not taken: what there was goes on.
    if (asked.code === RequestCodes.GET_VERSION && this.before !== undefined)
      this.connection = this.before;
    this.before = undefined;
  }
}
