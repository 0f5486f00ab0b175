/**
 * The other direction a passive listener follows: requests of the responder that travel encapsulated
 * (DSP0274 10.17), and from them the requester's certificate chain, its CHALLENGE_AUTH and key updates.
 */

import { concat } from '../../codec/bytes.ts';
import { describe } from '../../codec/describe.ts';
import type { Facts } from '../../codec/field.ts';
import type { SignatureName } from '../../crypto/algorithms.ts';
import { codeNames, RequestCodes, ResponseCodes } from '../codes.ts';
import {
  decodeMessage,
  type KnownCode,
  layoutOf,
  type MessageValue,
} from '../messages/registry.ts';
import { KeyUpdateOps } from '../messages/session.ts';
import { SigningContexts } from '../signing.ts';
import { MessageLog } from '../transcript.ts';
import type { SpdmObserver } from './observer.ts';
import type { VendorDescription } from './types.ts';

type Value<C extends number> = MessageValue<C & KnownCode>;

/** Where the inner message starts, by the code outside and the version; undefined: there is none. */
function innerOffset(outer: Uint8Array): number | undefined {
  const code = outer[1];
  if (code === ResponseCodes.ENCAPSULATED_REQUEST) return 4;
  if (code === RequestCodes.DELIVER_ENCAPSULATED_RESPONSE) return 4;
  if (code !== ResponseCodes.ENCAPSULATED_RESPONSE_ACK || outer[3] !== 1) return undefined;
  return outer[0]! >= 0x12 ? 8 : 4;
}

export class ObservedEncapsulation {
  private readonly observer: SpdmObserver;
  private readonly mutB = new MessageLog();
  private readonly mutC = new MessageLog();
  private asked: Uint8Array | undefined;
  private chain = new Uint8Array(0);
  private requesterAsym: SignatureName | undefined;
  private signatureSize = 0;

  constructor(observer: SpdmObserver) {
    this.observer = observer;
  }

  clear(): void {
    this.mutB.clear();
    this.mutC.clear();
    this.asked = undefined;
    this.chain = new Uint8Array(0);
  }

  /** What ALGORITHMS chose for the requester's signatures. */
  negotiated(algorithm: SignatureName | undefined, signatureSize: number): void {
    this.requesterAsym = algorithm;
    this.signatureSize = signatureSize;
  }

  /** For layouts: the size of the requester's signature in FINISH. */
  facts(): Facts {
    return { requesterSignatureSize: this.signatureSize };
  }

  /** Hash of the requester's chain, as FINISH's transcript has it; undefined before the chain was seen. */
  chainHash(): Uint8Array | undefined {
    const hash = this.observer.suite()?.hash;
    if (this.chain.length === 0 || hash === undefined) return undefined;
    return this.observer.options.crypto.hash(hash, this.chain);
  }

  /** Notes the outcome of a signature of the requester. */
  checkSignature(
    what: string,
    context: (typeof SigningContexts)[keyof typeof SigningContexts],
    transcript: Uint8Array,
    signature: Uint8Array,
  ): void {
    const { chain, requesterAsym: algorithm } = this;
    this.observer.checkWith(what, chain, algorithm, context, transcript, signature);
  }

  /** Looks into an outer message; what it finds stands below the outer one's fields. */
  look(outer: Uint8Array, sessionId: number | undefined): VendorDescription | undefined {
    const at = innerOffset(outer);
    if (at === undefined) return undefined;
    const padded = outer.subarray(at);
    const isAnswer = outer[1] === RequestCodes.DELIVER_ENCAPSULATED_RESPONSE;
    const facts = this.innerFacts(padded, isAnswer);
    const decoded = decodeMessage(padded, facts, 'leave');
    const code = padded[1] ?? 0;
    const name = codeNames[code] ?? `code 0x${code.toString(16)}`;
    const protocol = 'encapsulated';
    if (!decoded.ok) return { protocol, name, fields: [], refusal: decoded };
    const inner = padded.slice(0, decoded.size);
    if (isAnswer) this.answer(code, inner, decoded.value, sessionId);
    else this.request(code, inner, sessionId);
    const table = layoutOf(code);
    return { protocol, name, fields: table ? describe(table, inner, facts).fields : [] };
  }

  private innerFacts(inner: Uint8Array, isAnswer: boolean): Facts {
    const base = { ...this.observer.baseFacts(inner), signatureSize: this.signatureSize };
    // A requester measures nothing: its CHALLENGE_AUTH has no summary.
    return isAnswer ? { ...base, summary: 0 } : base;
  }

  private request(code: number, inner: Uint8Array, sessionId: number | undefined): void {
    this.asked = inner;
    if (code === RequestCodes.GET_DIGESTS) this.mutB.clear();
    if (code === RequestCodes.CHALLENGE) this.mutC.clear();
    if (code === RequestCodes.KEY_UPDATE && inner[2] !== KeyUpdateOps.VerifyNewKey)
      this.observer.sessions.updateResponseKeys(sessionId);
  }

  private answer(
    code: number,
    inner: Uint8Array,
    value: Record<string, unknown>,
    sessionId: number | undefined,
  ): void {
    const { asked } = this;
    this.asked = undefined;
    const plain = sessionId === undefined;
    if (code === ResponseCodes.DIGESTS && plain) this.mutB.add(asked ?? new Uint8Array(0), inner);
    if (code === ResponseCodes.CERTIFICATE && asked !== undefined) {
      if (plain) this.mutB.add(asked, inner);
      const offset = asked[4]! | (asked[5]! << 8);
      const { CertChain } = value as Value<0x02>;
      const known = offset === 0 ? new Uint8Array(0) : this.chain;
      if (known.length === offset) this.chain = new Uint8Array(concat(known, CertChain));
    }
    if (code === ResponseCodes.CHALLENGE_AUTH && asked !== undefined)
      this.challengeAuth(asked, inner, value as Value<0x03>);
  }

  /** Mutual M1/M2: VCA in front from 1.2 on (DSP0274 10.7). */
  private challengeAuth(asked: Uint8Array, inner: Uint8Array, value: Value<0x03>): void {
    const { Signature } = value;
    this.mutC.add(asked, inner.subarray(0, inner.length - Signature.length));
    const vca = inner[0]! >= 0x12 ? this.observer.transcript.a.bytes() : new Uint8Array(0);
    const transcript = concat(vca, this.mutB.bytes(), this.mutC.bytes());
    const { MUTUAL_CHALLENGE_AUTH } = SigningContexts;
    const what = 'requester CHALLENGE_AUTH Signature';
    this.checkSignature(what, MUTUAL_CHALLENGE_AUTH, transcript, Signature);
  }
}
