/**
 * A passive listener: given the messages of one connection in order, and what secrets there are, it
 * names and decodes each, follows the transcripts, opens secured records and checks every signature
 * and HMAC it can. It trusts nothing it hears.
 */

import { concat } from '../../codec/bytes.ts';
import { describe } from '../../codec/describe.ts';
import type { Facts } from '../../codec/field.ts';
import { isPeerFault, RefusalCodes, refuse } from '../../codec/refusal.ts';
import type { SignatureName } from '../../crypto/algorithms.ts';
import { type Negotiated, type Suite, suiteOf } from '../algorithms.ts';
import {
  capability,
  codeNames,
  isRequest,
  RequestCodes,
  ResponseCodes,
  SpdmVersions,
} from '../codes.ts';
import {
  connectionFacts,
  decodeMessage,
  type KnownCode,
  layoutOf,
  type MessageValue,
} from '../messages/registry.ts';
import { negotiatedOf, requesterAsymOf, summaryPresent } from '../negotiate.ts';
import { recordSessionId } from '../secured-message.ts';
import { type SigningContext, SigningContexts, verifyTranscript } from '../signing.ts';
import { ConnectionTranscript, l1l2, type MessageLog } from '../transcript.ts';
import { ObservedEncapsulation } from './encapsulated.ts';
import { ObservedSessions } from './sessions.ts';
import type { Check, ObservedMessage, ObserverOptions, VendorDescription } from './types.ts';

export type {
  Check,
  LeafKey,
  ObservedMessage,
  ObserverOptions,
  OtherDescriber,
  VendorDescriber,
  VendorDescription,
} from './types.ts';

type Value<C extends number> = MessageValue<C & KnownCode>;

/** On MCTP a sealed message keeps its message type byte in front (DSP0276). */
const MCTP_SPDM = 0x05;

const MULTI_KEY_ONLY = 1;
const MULTI_KEY_NEGOTIABLE = 2;
const OTHER_PARAMS_OFFSET = 7;
const MULTI_KEY_CONN = 0x10;

/** Whether the responder's slots have key pairs of their own, by NEGOTIATE_ALGORITHMS (DSP0274 1.3, 10.4). */
function isMultiKey(
  { version, responderFlags }: { version: number; responderFlags: number },
  negotiate: Uint8Array,
): boolean {
  if (version < SpdmVersions.V1_3) return false;
  const cap = capability(responderFlags, 'MULTI_KEY_CAP');
  const asked = ((negotiate[OTHER_PARAMS_OFFSET] ?? 0) & MULTI_KEY_CONN) !== 0;
  return cap === MULTI_KEY_ONLY || (cap === MULTI_KEY_NEGOTIABLE && asked);
}

export class SpdmObserver {
  readonly options: ObserverOptions;
  readonly transcript = new ConnectionTranscript();
  readonly sessions: ObservedSessions;
  readonly encapsulation: ObservedEncapsulation;
  negotiated: Negotiated | undefined;
  private flags = { version: 0x10, requesterFlags: 0, responderFlags: 0 };
  private readonly chains = new Map<number, Uint8Array>();
  private readonly digests = new Map<number, Uint8Array>();
  private pending: { code: number; param1: number; param2: number; bytes: Uint8Array } | undefined;
  private checks: Check[] = [];
  private authenticated = false;
  /** DIGESTS say which key pair a slot uses, and are part of TH (1.3) */
  private multiKey = false;
  private lastDigests: Uint8Array | undefined;

  constructor(options: ObserverOptions) {
    this.options = options;
    this.sessions = new ObservedSessions(this);
    this.encapsulation = new ObservedEncapsulation(this);
  }

  /** A message outside the record layer; zero bytes after it are padding. */
  plain(bytes: Uint8Array): ObservedMessage {
    return this.message(bytes, undefined, 'leave');
  }

  /** A secured record; its content if a key fits. */
  secured(record: Uint8Array): ObservedMessage {
    const sessionId = recordSessionId(record);
    const opened = this.sessions.open(sessionId, record);
    if (!opened.ok) {
      const { version } = this.flags;
      const nothing = { bytes: undefined, code: 0, name: 'undecrypted record', fields: [] };
      const rest = { vendor: undefined, checks: [], refusal: opened };
      return { secured: true, sessionId, version, ...nothing, ...rest };
    }
    const { binding } = this.options;
    if (binding.name !== 'MCTP') return this.message(opened.value, sessionId, 'refuse');
    const [messageType = -1] = opened.value;
    const inner = opened.value.subarray(1);
    if (messageType === MCTP_SPDM) return this.message(inner, sessionId, 'refuse');
    return this.notSpdm(sessionId, messageType, inner);
  }

  /** Another protocol of the transport, in a session of ours. */
  private notSpdm(sessionId: number | undefined, messageType: number, bytes: Uint8Array) {
    const described = this.options.describeOther?.(messageType, bytes);
    const { name = `message type ${messageType}`, fields = [] } = described ?? {};
    const unknown = refuse(RefusalCodes.UNKNOWN_CODE, 'MessageType', 0, 'not SPDM');
    const refusal = described === undefined ? unknown : described.refusal;
    const other = { messageType, request: described?.request };
    const rest = { vendor: undefined, checks: [], refusal, other };
    return { secured: true, sessionId, bytes, version: 0, code: 0, name, fields, ...rest };
  }

  note(what: string, result: Check['result'], detail = ''): void {
    this.checks.push({ what, result, detail });
  }

  /** The negotiated algorithms as far as they are ours to compute. */
  suite(): Suite | undefined {
    return this.negotiated && suiteOf(this.negotiated);
  }

  /** Facts of the connection, whoever sent the message. */
  baseFacts(bytes: Uint8Array): Facts {
    const known = connectionFacts(bytes[0] ?? 0x10, this.negotiated);
    return { ...known, ...this.encapsulation.facts(), multiKey: this.multiKey ? 1 : 0 };
  }

  /** Facts for the message in hand: what was asked decides what the answer holds. */
  private facts(bytes: Uint8Array): Facts {
    const base = this.baseFacts(bytes);
    const asked = this.pending;
    if (asked === undefined || isRequest(bytes[1] ?? 0)) return base;
    const viaParam2 = asked.code === RequestCodes.CHALLENGE;
    const summaryType = viaParam2 ? asked.param2 : asked.param1;
    const summary = summaryPresent(summaryType, this.flags.responderFlags);
    return { ...base, summary, signed: asked.param1 & 1 };
  }

  private message(
    bytes: Uint8Array,
    sessionId: number | undefined,
    trailing: 'leave' | 'refuse',
  ): ObservedMessage {
    this.checks = [];
    const facts = this.facts(bytes);
    const decoded = decodeMessage(bytes, facts, trailing);
    const code = bytes[1] ?? 0;
    const exact = decoded.ok ? bytes.slice(0, decoded.size) : bytes;
    const table = layoutOf(code);
    const fields = table === undefined ? [] : describe(table, exact, facts).fields;
    let vendor: VendorDescription | undefined;
    if (decoded.ok) {
      vendor = this.encapsulation.look(exact, sessionId) ?? this.vendor(code, decoded.value);
      if (isRequest(code)) this.request(code, exact, sessionId);
      else this.response(code, exact, decoded.value, sessionId);
    }
    return {
      secured: sessionId !== undefined,
      sessionId,
      bytes: exact,
      version: bytes[0] ?? 0,
      code,
      name: codeNames[code] ?? `code 0x${code.toString(16)}`,
      fields,
      vendor,
      refusal: decoded.ok ? vendor?.refusal : decoded,
      checks: this.checks,
    };
  }

  private vendor(code: number, value: Record<string, unknown>): VendorDescription | undefined {
    if (
      code !== RequestCodes.VENDOR_DEFINED_REQUEST &&
      code !== ResponseCodes.VENDOR_DEFINED_RESPONSE
    )
      return undefined;
    const v = value as Value<0xfe>;
    const described = this.options.describeVendor?.(v.StandardID, v.VendorID, v.Payload);
    for (const { hint, psk } of described?.psks ?? []) this.sessions.learnPsk(hint, psk);
    if (described !== undefined) return described;
    const refusal = refuse(RefusalCodes.UNKNOWN_CODE, 'Payload', 0, 'unknown vendor protocol');
    return { protocol: 'vendor', name: 'unknown', fields: [], refusal };
  }

  private request(code: number, bytes: Uint8Array, sessionId: number | undefined): void {
    this.pending = { code, param1: bytes[2]!, param2: bytes[3]!, bytes };
    if (sessionId === undefined) this.transcript.onRequest(code, this.authenticated);
    if (code === RequestCodes.GET_VERSION) {
      this.sessions.clear();
      this.encapsulation.clear();
      this.negotiated = undefined;
      this.authenticated = false;
      this.multiKey = false;
      this.lastDigests = undefined;
    }
    this.sessions.onRequest(code, bytes, sessionId);
  }

  private response(
    code: number,
    bytes: Uint8Array,
    value: Record<string, unknown>,
    sessionId: number | undefined,
  ): void {
    const asked = this.pending;
    if (asked === undefined) return;
    // An ERROR ends the exchange: neither it nor its request enters a transcript.
    if (code === ResponseCodes.ERROR) {
      if (asked.code === RequestCodes.GET_MEASUREMENTS) this.measurementLog(sessionId).clear();
      return this.sessions.onError(asked.code, sessionId);
    }
    switch (code) {
      case ResponseCodes.VERSION:
      case ResponseCodes.CAPABILITIES:
      case ResponseCodes.ALGORITHMS:
        return this.vca(code, asked.bytes, bytes, value);
      case ResponseCodes.DIGESTS:
      case ResponseCodes.CERTIFICATE:
        if (sessionId === undefined) this.transcript.b.add(asked.bytes, bytes);
        if (code === ResponseCodes.DIGESTS) this.lastDigests = bytes;
        return this.identity(code, asked.bytes, value);
      case ResponseCodes.CHALLENGE_AUTH:
        return this.challengeAuth(asked.bytes, bytes, value as Value<0x03>);
      case ResponseCodes.MEASUREMENTS:
        return this.measurements(asked.bytes, bytes, value as Value<0x60>, sessionId);
      default:
        this.sessions.onResponse(code, asked.bytes, bytes, value, sessionId);
    }
  }

  private vca(
    code: number,
    request: Uint8Array,
    bytes: Uint8Array,
    value: Record<string, unknown>,
  ) {
    this.transcript.a.add(request, bytes);
    if (code === ResponseCodes.CAPABILITIES) {
      const asked = decodeMessage(request, { version: request[0]! }, 'leave');
      const requesterFlags = asked.ok ? ((asked.value as Value<0xe1>).Flags ?? 0) >>> 0 : 0;
      const responderFlags = (value as Value<0x61>).Flags;
      this.flags = { version: bytes[0]!, requesterFlags, responderFlags };
    }
    if (code === ResponseCodes.ALGORITHMS) {
      const negotiated = negotiatedOf(this.flags, value as Value<0x63>);
      if (isPeerFault(negotiated)) this.note('ALGORITHMS', 'failed', negotiated.detail);
      else this.negotiated = negotiated;
      this.multiKey = isMultiKey(this.flags, request);
      const requester = requesterAsymOf(value as Value<0x63>);
      this.encapsulation.negotiated(requester.algorithm, requester.signatureSize);
    }
  }

  private identity(code: number, request: Uint8Array, value: Record<string, unknown>): void {
    if (code === ResponseCodes.DIGESTS) {
      const { Param2, Digest } = value as Value<0x01>;
      let at = 0;
      for (let slot = 0; slot < 8; slot++)
        if (((Param2 >> slot) & 1) === 1) this.digests.set(slot, Digest[at++]!);
      return;
    }
    const { Param1, CertChain } = value as Value<0x02>;
    const slot = Param1 & 15;
    const offset = request[4]! | (request[5]! << 8);
    const known = offset === 0 ? new Uint8Array(0) : (this.chains.get(slot) ?? new Uint8Array(0));
    if (known.length !== offset) return;
    this.chains.set(slot, concat(known, CertChain));
  }

  /** What a session's TH starts with: VCA, and DIGESTS where slots have key pairs of their own. */
  handshakeStart(): Uint8Array {
    const digests = this.multiKey ? this.lastDigests : undefined;
    return concat(this.transcript.a.bytes(), digests ?? new Uint8Array(0));
  }

  /** Hash of the responder's chain in `slot`, out of its bytes or, failing these, out of DIGESTS. */
  chainHash(slot: number): Uint8Array | undefined {
    const chain = this.chains.get(slot);
    const suite = this.suite();
    if (chain !== undefined && suite !== undefined)
      return this.options.crypto.hash(suite.hash, chain);
    return this.digests.get(slot);
  }

  /** Checks a responder signature over `transcript` with the leaf key of `slot`. */
  checkSignature(
    what: string,
    slot: number,
    context: SigningContext,
    transcript: Uint8Array,
    signature: Uint8Array,
  ): void {
    const algorithm = this.suite()?.signature;
    this.checkWith(what, this.chains.get(slot), algorithm, context, transcript, signature);
  }

  /** Checks a signature with the leaf key of a chain, which must be of the negotiated `algorithm`. */
  checkWith(
    what: string,
    chain: Uint8Array | undefined,
    algorithm: SignatureName | undefined,
    context: SigningContext,
    transcript: Uint8Array,
    signature: Uint8Array,
  ): void {
    const { negotiated } = this;
    const hash = this.suite()?.hash;
    if (negotiated === undefined || hash === undefined || algorithm === undefined)
      return this.note(what, 'unverifiable', 'an algorithm nobody here computes');
    if (chain === undefined || chain.length === 0)
      return this.note(what, 'unverifiable', 'no certificate chain');
    const leaf = this.options.leafKey(chain, negotiated.hashSize);
    if (leaf?.algorithm !== algorithm)
      return this.note(what, 'unverifiable', 'the leaf certificate has no key of that algorithm');
    const scope = { crypto: this.options.crypto, hash, version: negotiated.version };
    const { publicKey } = leaf;
    const good = verifyTranscript(scope, algorithm, publicKey, context, transcript, signature);
    this.note(what, good ? 'verified' : 'failed', algorithm);
  }

  private challengeAuth(request: Uint8Array, bytes: Uint8Array, value: Value<0x03>): void {
    const unsigned = bytes.subarray(0, bytes.length - value.Signature.length);
    this.transcript.c.add(request, unsigned);
    const { CHALLENGE_AUTH } = SigningContexts;
    const transcript = this.transcript.m1m2();
    this.checkSignature(
      'CHALLENGE_AUTH Signature',
      value.Param1 & 15,
      CHALLENGE_AUTH,
      transcript,
      value.Signature,
    );
    this.authenticated = this.checks.at(-1)?.result !== 'failed';
  }

  private measurementLog(sessionId: number | undefined): MessageLog {
    return this.sessions.measurementLog(sessionId) ?? this.transcript.l;
  }

  private measurements(
    request: Uint8Array,
    bytes: Uint8Array,
    value: Value<0x60>,
    sessionId: number | undefined,
  ): void {
    const log = this.measurementLog(sessionId);
    const signature = value.Signature;
    const size = signature?.length ?? 0;
    log.add(request, bytes.subarray(0, bytes.length - size));
    if (signature === undefined) return;
    const transcript = l1l2(bytes[0]!, this.transcript.a.bytes(), log);
    const { MEASUREMENTS } = SigningContexts;
    this.checkSignature(
      'MEASUREMENTS Signature',
      value.Param2 & 15,
      MEASUREMENTS,
      transcript,
      signature,
    );
    log.clear();
  }
}
