/**
 * One connection as a listener follows it: what GET_VERSION to ALGORITHMS agreed on, the transcripts, and
 * what each answer means together with its request. A new GET_VERSION starts another one.
 */

import { isPeerFault } from '../../codec/refusal.ts';
import { type Negotiated, type Suite, suiteOf } from '../algorithms.ts';
import { ErrorCodes, RequestCodes, ResponseCodes } from '../codes.ts';
import { il1il2 } from '../endpoint-info.ts';
import {
  connectionFacts,
  decodeMessage,
  type KnownCode,
  type MessageValue,
} from '../messages/registry.ts';
import { negotiatedOf } from '../negotiate.ts';
import { SigningContexts } from '../signing.ts';
import { ConnectionTranscript, isCarrier, l1l2, type MessageLog } from '../transcript.ts';
import { type Asked, Conversation } from './conversation.ts';
import { ObservedEncapsulation } from './encapsulated.ts';
import type { ObservedIdentity } from './identity.ts';
import type { SecretStore } from './secrets.ts';
import { ObservedSessions } from './sessions.ts';
import { checkSignature, type Note, type Signed } from './signatures.ts';
import type { ObserverOptions } from './types.ts';

type Value<C extends number> = MessageValue<C & KnownCode>;

/** What connections of one device have in common. */
export interface Surroundings {
  readonly options: ObserverOptions;
  readonly responder: ObservedIdentity;
  readonly requester: ObservedIdentity;
  readonly secrets: SecretStore;
  readonly note: Note;
}

const vcaStages: Readonly<Record<number, number>> = {
  [ResponseCodes.VERSION]: 0,
  [ResponseCodes.CAPABILITIES]: 1,
  [ResponseCodes.ALGORITHMS]: 2,
};
const VCA_DONE = 3;
const OTHER_PARAMS_OFFSET = 7;
const VERSION_1_0 = 0x10;

/** ERRORs after which the same request still gets its answer. */
const notFinal: readonly number[] = [ErrorCodes.ResponseNotReady, ErrorCodes.LargeResponse];

export class ObservedConnection {
  readonly options: ObserverOptions;
  readonly responder: ObservedIdentity;
  readonly requester: ObservedIdentity;
  readonly note: Note;
  readonly transcript = new ConnectionTranscript();
  readonly sessions: ObservedSessions;
  readonly encapsulation: ObservedEncapsulation;
  /** what is said outside sessions */
  readonly plain = new Conversation(undefined);
  negotiated: Negotiated | undefined;
  private known: Suite | undefined;
  /** VERSION, CAPABILITIES, ALGORITHMS heard, in this order */
  private vcaStage = 0;
  private flags = { version: VERSION_1_0, requesterFlags: 0, responderFlags: 0 };
  private authenticated = false;

  constructor({ options, responder, requester, secrets, note }: Surroundings) {
    this.options = options;
    this.responder = responder;
    this.requester = requester;
    this.note = note;
    this.sessions = new ObservedSessions(this, secrets);
    this.encapsulation = new ObservedEncapsulation(this);
  }

  /** Where a message belongs; undefined: its session is not known. */
  conversation(sessionId: number | undefined): Conversation | undefined {
    return sessionId === undefined ? this.plain : this.sessions.get(sessionId)?.conversation;
  }

  /** The negotiated algorithms as far as they are ours to compute. */
  suite(): Suite | undefined {
    return this.known;
  }

  /** Why nothing of this connection can be computed; undefined: it can. */
  get vcaGap(): string | undefined {
    if (this.vcaStage < VCA_DONE || this.negotiated === undefined)
      return 'the connection started before the capture: no ALGORITHMS was heard';
    return this.known === undefined
      ? `nobody here computes ${this.negotiated.baseHash}`
      : undefined;
  }

  /** MEAS_CAP and others of the responder. */
  get responderFlags(): number {
    return this.flags.responderFlags;
  }

  /** A message that was decoded before, for what it said. */
  decode(bytes: Uint8Array): Record<string, unknown> | undefined {
    const facts = connectionFacts(bytes[0] ?? VERSION_1_0, this.negotiated);
    const decoded = decodeMessage(bytes, facts, 'leave');
    return decoded.ok ? decoded.value : undefined;
  }

  /** What stands for a side's slot in TH, or why that is not known. */
  identityHash(side: ObservedIdentity, slot: number) {
    const hash = this.known && side.hash(slot, this.known.hash);
    if (hash !== undefined) return { hash, gap: undefined };
    const isKey = slot > 7;
    const what = isKey ? 'public key (slot 0xff) is given' : `slot ${slot} was heard`;
    const gap = isKey
      ? `no ${what} for the ${side.party}`
      : `neither chain nor digest of the ${side.party}'s ${what}`;
    return { hash: undefined, gap };
  }

  checkSignature(signed: Signed): void {
    const { signer, slot, context, transcript, signature, gap } = signed;
    const { party } = signer;
    const chain = signer.chain(slot);
    const vca = this.transcript.a.bytes();
    if (gap === undefined)
      this.options.onSigned?.({ party, slot, context, vca, transcript, signature, chain });
    checkSignature(this.options, this.negotiated, this.known, signed, this.note);
  }

  onRequest(asked: Asked, value: unknown, sessionId: number | undefined): void {
    const { code, bytes } = asked;
    if (isCarrier(code)) return;
    if (sessionId === undefined) this.transcript.onRequest(code, this.authenticated);
    else this.transcript.closesDigestsWindow(code);
    this.sessions.onRequest(code, bytes, value, sessionId);
  }

  onError(asked: Asked, errorCode: number, sessionId: number | undefined): void {
    if (notFinal.includes(errorCode)) return;
    if (asked.code === RequestCodes.GET_MEASUREMENTS) this.measurementLog(sessionId).clear();
  }

  /** The answer to `asked`, ERROR excepted. */
  onResponse(
    asked: Asked,
    code: number,
    bytes: Uint8Array,
    value: Record<string, unknown>,
    sessionId: number | undefined,
  ): void {
    const request = asked.bytes;
    switch (code) {
      case ResponseCodes.VERSION:
      case ResponseCodes.CAPABILITIES:
      case ResponseCodes.ALGORITHMS:
        return sessionId === undefined ? this.vca(code, request, bytes, value) : undefined;
      case ResponseCodes.DIGESTS:
        if (sessionId === undefined) {
          this.transcript.b.add(request, bytes);
          this.transcript.addDigests(bytes);
        }
        return this.responder.heardDigests(value as Value<0x01>, this.known?.hash);
      case ResponseCodes.CERTIFICATE: {
        if (sessionId === undefined) this.transcript.b.add(request, bytes);
        const portion = this.decode(request);
        if (asked.code === RequestCodes.GET_CERTIFICATE && portion !== undefined)
          this.responder.heardPortion(portion as Value<0x82>, value as Value<0x02>);
        return;
      }
      case ResponseCodes.CHALLENGE_AUTH:
        return this.challengeAuth(request, bytes, value as Value<0x03>);
      case ResponseCodes.MEASUREMENTS:
        return this.measurements(request, bytes, value as Value<0x60>, sessionId);
      case ResponseCodes.ENDPOINT_INFO:
        return this.endpointInfo(request, bytes, value as Value<0x07>);
      default:
        this.sessions.onResponse(code, request, bytes, value, sessionId);
    }
  }

  /** A repetition changes nothing: the first answer of its kind counts. */
  private vca(
    code: number,
    request: Uint8Array,
    bytes: Uint8Array,
    value: Record<string, unknown>,
  ): void {
    if (vcaStages[code] !== this.vcaStage) return;
    this.vcaStage++;
    this.transcript.a.add(request, bytes);
    if (code === ResponseCodes.CAPABILITIES) {
      const asked = this.decode(request) as Value<0xe1> | undefined;
      const requesterFlags = (asked?.Flags ?? 0) >>> 0;
      const responderFlags = (value as Value<0x61>).Flags;
      this.flags = { version: bytes[0]!, requesterFlags, responderFlags };
    }
    if (code === ResponseCodes.ALGORITHMS) {
      const otherParams = request[OTHER_PARAMS_OFFSET] ?? 0;
      const negotiated = negotiatedOf({ ...this.flags, otherParams }, value as Value<0x63>);
      if (isPeerFault(negotiated)) return this.note('ALGORITHMS', 'failed', negotiated.detail);
      this.negotiated = negotiated;
      this.known = suiteOf(negotiated);
      this.transcript.negotiated();
    }
  }

  private challengeAuth(request: Uint8Array, bytes: Uint8Array, value: Value<0x03>): void {
    const { Signature: signature } = value;
    this.transcript.c.add(request, bytes.subarray(0, bytes.length - signature.length));
    this.checkSignature({
      what: 'CHALLENGE_AUTH Signature',
      signer: this.responder,
      slot: value.Param1 & 15,
      context: SigningContexts.CHALLENGE_AUTH,
      transcript: this.transcript.m1m2(),
      signature,
    });
    this.transcript.challenged();
    this.authenticated = true;
  }

  private measurementLog(sessionId: number | undefined): MessageLog {
    return this.sessions.get(sessionId)?.transcript.l ?? this.transcript.l;
  }

  private measurements(
    request: Uint8Array,
    bytes: Uint8Array,
    value: Value<0x60>,
    sessionId: number | undefined,
  ): void {
    const log = this.measurementLog(sessionId);
    const { Signature: signature } = value;
    log.add(request, bytes.subarray(0, bytes.length - (signature?.length ?? 0)));
    if (signature === undefined) return;
    this.checkSignature({
      what: 'MEASUREMENTS Signature',
      signer: this.responder,
      slot: value.Param2 & 15,
      context: SigningContexts.MEASUREMENTS,
      transcript: l1l2(bytes[0]!, this.transcript.a.bytes(), log),
      signature,
    });
    log.clear();
  }

  /** IL1/IL2: VCA and this one pair (1.3). */
  private endpointInfo(request: Uint8Array, bytes: Uint8Array, value: Value<0x07>): void {
    const { Signature: signature } = value;
    if (signature === undefined) return;
    const end = bytes.length - signature.length;
    this.checkSignature({
      what: 'ENDPOINT_INFO Signature',
      signer: this.responder,
      slot: value.Param2 & 15,
      context: SigningContexts.ENDPOINT_INFO,
      transcript: il1il2(this.transcript.a.bytes(), request, bytes.subarray(0, end)),
      signature,
    });
  }
}
