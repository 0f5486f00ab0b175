/**
 * The other direction a passive listener follows: requests of the responder that travel encapsulated
 * (DSP0274 10.17), and from them the requester's certificate chains, its signatures and key updates.
 */

import { describe } from '../../codec/describe.ts';
import type { Facts } from '../../codec/field.ts';
import { codeNames, RequestCodes, ResponseCodes } from '../codes.ts';
import { il1il2 } from '../endpoint-info.ts';
import { EncapsulatedPayloads } from '../messages/encapsulation.ts';
import {
  connectionFacts,
  decodeMessage,
  encapsulatedFacts,
  type KnownCode,
  layoutOf,
  type MessageValue,
} from '../messages/registry.ts';
import { KeyUpdateOps } from '../messages/session.ts';
import { SigningContexts } from '../signing.ts';
import type { ObservedConnection } from './connection.ts';
import { contentsOf } from './contents.ts';
import { type Asked, type Conversation, signatureAsked } from './conversation.ts';
import type { VendorDescription } from './types.ts';

type Value<C extends number> = MessageValue<C & KnownCode>;

/** The inner message of an outer one; undefined: there is none. */
function innerOf(code: number, value: Record<string, unknown>): Uint8Array | undefined {
  if (code === ResponseCodes.ENCAPSULATED_REQUEST)
    return (value as Value<0x6a>).EncapsulatedRequest;
  if (code === RequestCodes.DELIVER_ENCAPSULATED_RESPONSE)
    return (value as Value<0xeb>).EncapsulatedResponse;
  if (code !== ResponseCodes.ENCAPSULATED_RESPONSE_ACK) return undefined;
  const ack = value as Value<0x6b>;
  return ack.Param2 === EncapsulatedPayloads.Present ? ack.EncapsulatedRequest : undefined;
}

export class ObservedEncapsulation {
  private readonly connection: ObservedConnection;

  constructor(connection: ObservedConnection) {
    this.connection = connection;
  }

  /** Looks into an outer message; what it finds stands below the outer one's fields. */
  look(
    code: number,
    value: Record<string, unknown>,
    conversation: Conversation,
  ): VendorDescription | undefined {
    const padded = innerOf(code, value);
    if (padded === undefined) return undefined;
    const isAnswer = code === RequestCodes.DELIVER_ENCAPSULATED_RESPONSE;
    const facts = this.facts(padded, isAnswer, conversation.encapsulated);
    const decoded = decodeMessage(padded, facts, 'leave');
    const innerCode = padded[1] ?? 0;
    const name = codeNames[innerCode] ?? `code 0x${innerCode.toString(16)}`;
    const protocol = 'encapsulated';
    if (!decoded.ok) return { protocol, name, fields: [], refusal: decoded };
    const inner = padded.slice(0, decoded.size);
    if (isAnswer) this.answer(innerCode, inner, decoded.value, conversation);
    else this.request(innerCode, inner, conversation);
    const { fields } = describe(layoutOf(innerCode)!, inner, facts);
    const { negotiated } = this.connection;
    return {
      protocol,
      name,
      fields: [...fields, ...contentsOf(innerCode, decoded.value, fields, negotiated)],
    };
  }

  private facts(inner: Uint8Array, isAnswer: boolean, asked: Asked | undefined): Facts {
    const version = inner[0] ?? 0;
    const { negotiated } = this.connection;
    const base =
      negotiated === undefined ? connectionFacts(version) : encapsulatedFacts(version, negotiated);
    // A requester measures nothing: its CHALLENGE_AUTH has no summary.
    return isAnswer ? { ...base, summary: 0, signed: signatureAsked(asked) } : base;
  }

  private request(code: number, inner: Uint8Array, conversation: Conversation): void {
    const { transcript, sessions } = this.connection;
    conversation.encapsulated = { code, bytes: inner };
    if (code === RequestCodes.GET_DIGESTS) transcript.mutB.clear();
    if (code === RequestCodes.CHALLENGE) transcript.mutC.clear();
    if (code === RequestCodes.KEY_UPDATE && inner[2] !== KeyUpdateOps.VerifyNewKey)
      sessions.responderMayUpdate(conversation.sessionId);
  }

  private answer(
    code: number,
    inner: Uint8Array,
    value: Record<string, unknown>,
    conversation: Conversation,
  ): void {
    const { connection } = this;
    const { transcript, requester, sessions } = connection;
    const asked = conversation.encapsulated;
    conversation.encapsulated = undefined;
    const isPlain = conversation.sessionId === undefined;
    if (code === ResponseCodes.DIGESTS) {
      // GET_DIGESTS may be implied by KEY_EXCHANGE_RSP.
      if (isPlain) transcript.mutB.add(asked?.bytes ?? new Uint8Array(0), inner);
      requester.heardDigests(value as Value<0x01>, connection.suite()?.hash);
      sessions.heardRequesterDigests(inner, conversation.sessionId);
    }
    if (asked === undefined) return;
    if (code === ResponseCodes.CERTIFICATE && asked.code === RequestCodes.GET_CERTIFICATE) {
      if (isPlain) transcript.mutB.add(asked.bytes, inner);
      const portion = connection.decode(asked.bytes);
      if (portion !== undefined)
        requester.heardPortion(portion as Value<0x82>, value as Value<0x02>);
    }
    if (code === ResponseCodes.CHALLENGE_AUTH)
      this.challengeAuth(asked.bytes, inner, value as Value<0x03>);
    if (code === ResponseCodes.ENDPOINT_INFO)
      this.endpointInfo(asked.bytes, inner, value as Value<0x07>);
  }

  private challengeAuth(asked: Uint8Array, inner: Uint8Array, value: Value<0x03>): void {
    const { Signature: signature } = value;
    const { transcript, requester } = this.connection;
    transcript.mutC.add(asked, inner.subarray(0, inner.length - signature.length));
    this.connection.checkSignature({
      what: 'requester CHALLENGE_AUTH Signature',
      signer: requester,
      slot: value.Param1 & 15,
      context: SigningContexts.MUTUAL_CHALLENGE_AUTH,
      transcript: transcript.mutualM1m2(inner[0]!),
      signature,
    });
  }

  private endpointInfo(asked: Uint8Array, inner: Uint8Array, value: Value<0x07>): void {
    const { Signature: signature } = value;
    if (signature === undefined) return;
    const { transcript, requester } = this.connection;
    const unsigned = inner.subarray(0, inner.length - signature.length);
    this.connection.checkSignature({
      what: 'requester ENDPOINT_INFO Signature',
      signer: requester,
      slot: value.Param2 & 15,
      context: SigningContexts.REQUESTER_ENDPOINT_INFO,
      transcript: il1il2(transcript.a.bytes(), asked, unsigned),
      signature,
    });
  }
}
