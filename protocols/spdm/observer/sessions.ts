/** The sessions a passive listener follows: handshakes, whose secret fits, key updates, their end. */

import { concat, equal, readLE } from '../../codec/bytes.ts';
import { type Decoded, RefusalCodes, refuse } from '../../codec/refusal.ts';
import { capability, RequestCodes, ResponseCodes } from '../codes.ts';
import type { KnownCode, MessageValue } from '../messages/registry.ts';
import { KeyUpdateOps } from '../messages/session.ts';
import {
  AEAD_LIMIT_EXPONENT_MAX,
  readSupportedVersions,
  readVersionSelection,
  SECURED_MESSAGE_1_3,
} from '../opaque.ts';
import { opaqueFormat } from '../secured-versions.ts';
import { type Side, sessionScopes } from '../session-keys.ts';
import { SigningContexts } from '../signing.ts';
import { SessionTranscript } from '../transcript.ts';
import type { ObservedConnection } from './connection.ts';
import { Conversation } from './conversation.ts';
import { ObservedKeys } from './record-keys.ts';
import type { SecretStore } from './secrets.ts';

type Value<C extends number> = MessageValue<C & KnownCode>;

/** More than any responder holds; the oldest is given up for the next. */
const SESSIONS_MAX = 256;
const FINISH_SIGNED = 1;

export interface Session {
  readonly id: number;
  readonly isPsk: boolean;
  readonly transcript: SessionTranscript;
  readonly conversation: Conversation;
  /** why TH is not known, and with it nothing of the session */
  gap: string | undefined;
  /** hash of TH up to where the handshake keys come from */
  th1: Uint8Array;
  keys: ObservedKeys | undefined;
  next: Side;
  /** FINISH as it enters TH once it is answered well, and why that is not known */
  finish: { readonly parts: readonly Uint8Array[]; readonly gap?: string | undefined };
  /** the requester's encapsulated DIGESTS since KEY_EXCHANGE_RSP (multi-key) */
  requesterDigests: Uint8Array | undefined;
  /** sequence numbers stay below 2^this */
  readonly aeadLimitExponent: number;
}

const idText = (id: number | undefined): string => `0x${(id ?? 0).toString(16).padStart(8, '0')}`;

export class ObservedSessions {
  private readonly connection: ObservedConnection;
  private readonly secrets: SecretStore;
  private readonly byId = new Map<number, Session>();
  /** the handshake that plain FINISH messages belong to */
  private handshake: Session | undefined;

  constructor(connection: ObservedConnection, secrets: SecretStore) {
    this.connection = connection;
    this.secrets = secrets;
  }

  get(sessionId: number | undefined): Session | undefined {
    return sessionId === undefined ? undefined : this.byId.get(sessionId);
  }

  open(sessionId: number | undefined, record: Uint8Array): Decoded<Uint8Array> {
    const session = this.get(sessionId);
    const no = (why: string) =>
      refuse(RefusalCodes.BAD_VALUE, 'SessionID', 0, `session ${idText(sessionId)}: ${why}`);
    if (session === undefined) return no('its start was not heard');
    const { keys } = session;
    if (keys === undefined) return no(session.gap ?? 'no secret given fits');
    const other: Side = session.next === 'request' ? 'response' : 'request';
    const first = keys.open(session.next, record);
    const side = first.ok ? session.next : other;
    const opened = first.ok ? first : keys.open(other, record);
    if (!opened.ok) return first;
    session.next = side === 'request' ? 'response' : 'request';
    if (keys.sequence(side) > 2 ** session.aeadLimitExponent)
      this.connection.note('AEAD limit', 'failed', `2^${session.aeadLimitExponent} records passed`);
    return opened;
  }

  /** A request of the session it came in, or of the handshake in the clear. */
  onRequest(code: number, bytes: Uint8Array, value: unknown, sessionId: number | undefined): void {
    const session = this.of(sessionId);
    if (sessionId !== undefined && code !== RequestCodes.GET_MEASUREMENTS)
      session?.transcript.l.clear();
    if (session === undefined) return;
    if (code === RequestCodes.FINISH) this.finish(session, bytes, value as Value<0xe5>);
    if (code === RequestCodes.PSK_FINISH) this.pskFinish(session, bytes, value as Value<0xe7>);
    if (code === RequestCodes.KEY_UPDATE) {
      const op = bytes[2];
      if (op === KeyUpdateOps.UpdateKey || op === KeyUpdateOps.UpdateAllKeys)
        session.keys?.mayUpdate('request');
      if (op === KeyUpdateOps.UpdateAllKeys) session.keys?.mayUpdate('response');
    }
  }

  /** KEY_UPDATE that the responder asked for by an encapsulated request: its own direction. */
  responderMayUpdate(sessionId: number | undefined): void {
    this.get(sessionId)?.keys?.mayUpdate('response');
  }

  /** The requester's DIGESTS, encapsulated: part of TH if the handshake is under way. */
  heardRequesterDigests(digests: Uint8Array, sessionId: number | undefined): void {
    const session = this.of(sessionId);
    if (session !== undefined) session.requesterDigests = digests;
  }

  onResponse(
    code: number,
    request: Uint8Array,
    bytes: Uint8Array,
    value: unknown,
    sessionId: number | undefined,
  ): void {
    if (code === ResponseCodes.KEY_EXCHANGE_RSP)
      return this.keyExchange(request, bytes, value as Value<0x64>);
    if (code === ResponseCodes.PSK_EXCHANGE_RSP)
      return this.pskExchange(request, bytes, value as Value<0x66>);
    const session = this.of(sessionId);
    if (session === undefined) return;
    if (code === ResponseCodes.FINISH_RSP) this.finished(session, bytes, value as Value<0x65>);
    if (code === ResponseCodes.PSK_FINISH_RSP) this.finished(session, bytes, {});
    if (code === ResponseCodes.END_SESSION_ACK) this.byId.delete(session.id);
  }

  private of(sessionId: number | undefined): Session | undefined {
    return sessionId === undefined ? this.handshake : this.byId.get(sessionId);
  }

  private start(
    id: number,
    opaques: readonly [request: Uint8Array, response: Uint8Array],
    identity: { readonly hash: Uint8Array | undefined; readonly gap: string | undefined },
    isPsk: boolean,
  ): Session {
    const { connection } = this;
    const { vcaGap, negotiated, transcript } = connection;
    const multiKey = !isPsk && (negotiated?.multiKeyConn ?? false);
    const session: Session = {
      id,
      isPsk,
      transcript: new SessionTranscript(transcript.handshakeStart(multiKey), identity.hash),
      conversation: new Conversation(id),
      gap: vcaGap ?? identity.gap,
      th1: new Uint8Array(0),
      keys: undefined,
      next: 'request',
      finish: { parts: [] },
      requesterDigests: undefined,
      aeadLimitExponent: this.aeadLimit(...opaques),
    };
    this.byId.delete(id);
    this.byId.set(id, session);
    const [oldest] = this.byId.keys();
    if (this.byId.size > SESSIONS_MAX) this.byId.delete(oldest!);
    this.handshake = session;
    return session;
  }

  /** The lower of both sides' limits, where both say one (DSP0277 1.3). */
  private aeadLimit(request: Uint8Array, response: Uint8Array): number {
    const { negotiated } = this.connection;
    if (negotiated === undefined) return AEAD_LIMIT_EXPONENT_MAX;
    const format = opaqueFormat(negotiated);
    const offer = readSupportedVersions(request, format);
    const choice = readVersionSelection(response, format);
    if (!offer.ok || !choice.ok) return AEAD_LIMIT_EXPONENT_MAX;
    const { version = 0, aeadLimitExponent: theirs } = choice.value;
    // An older version was selected: what was offered for 1.3 means nothing.
    if (version < SECURED_MESSAGE_1_3) return AEAD_LIMIT_EXPONENT_MAX;
    const offered = offer.value.aeadLimitExponent ?? AEAD_LIMIT_EXPONENT_MAX;
    return Math.min(offered, theirs ?? AEAD_LIMIT_EXPONENT_MAX);
  }

  /** What HMAC the session's TH and `more` make; takes the secret that fits, if it is still open. */
  private checkHmac(
    session: Session,
    side: Side,
    what: string,
    hmac: Uint8Array,
    more: readonly Uint8Array[] = [],
    gap: string | undefined = session.gap,
  ): void {
    const { connection } = this;
    const { negotiated, options } = connection;
    const unverifiable = (why: string) => connection.note(what, 'unverifiable', why);
    if (gap !== undefined) return unverifiable(gap);
    const scopes = negotiated && sessionScopes(options.crypto, negotiated, options.binding);
    if (scopes === undefined)
      return unverifiable(`nobody here computes ${negotiated?.baseHash} with ${negotiated?.aead}`);
    const transcript = concat(session.transcript.bytes(), ...more);
    const fits = (keys: ObservedKeys) => equal(keys.verifyData(side, transcript), hmac);
    const name = `HMAC ${scopes.hash}`;
    if (session.keys !== undefined)
      return connection.note(what, fits(session.keys) ? 'verified' : 'failed', name);
    let tried = 0;
    for (const candidate of this.secrets.candidates(session.id, session.isPsk)) {
      const keys = new ObservedKeys(scopes, candidate.secret, session.th1, session.isPsk);
      if (fits(keys)) {
        session.keys = keys;
        candidate.isUsed = true;
        return connection.note(what, 'verified', name);
      }
      if (session.isPsk || !candidate.isUsed) tried++;
    }
    if (tried === 0) return unverifiable('no secret of this session is given');
    const secrets =
      tried === 1 ? 'the secret given does not make' : `none of ${tried} secrets makes`;
    connection.note(what, 'failed', `${secrets} this ${name}`);
  }

  private setTh1(session: Session): void {
    const hash = this.connection.suite()?.hash;
    if (hash !== undefined)
      session.th1 = this.connection.options.crypto.hash(hash, session.transcript.bytes());
  }

  private keyExchange(request: Uint8Array, bytes: Uint8Array, value: Value<0x64>): void {
    const { connection } = this;
    const slot = request[3]!;
    const id = readLE(request, 4, 2) + value.RspSessionID * 0x10000;
    const asked = connection.decode(request) as Value<0xe4> | undefined;
    const opaques = [asked?.OpaqueData ?? new Uint8Array(0), value.OpaqueData] as const;
    const identity = connection.identityHash(connection.responder, slot);
    const session = this.start(id, opaques, identity, false);
    const hmac = value.ResponderVerifyData;
    const signedEnd = bytes.length - (hmac?.length ?? 0);
    session.transcript.add(request, bytes.subarray(0, signedEnd - value.Signature.length));
    connection.checkSignature({
      what: 'KEY_EXCHANGE_RSP Signature',
      signer: connection.responder,
      slot,
      context: SigningContexts.KEY_EXCHANGE_RSP,
      transcript: session.transcript.bytes(),
      signature: value.Signature,
      gap: session.gap,
    });
    session.transcript.add(value.Signature);
    this.setTh1(session);
    if (hmac === undefined) return;
    this.checkHmac(session, 'response', 'KEY_EXCHANGE_RSP ResponderVerifyData', hmac);
    session.transcript.add(hmac);
  }

  private pskExchange(request: Uint8Array, bytes: Uint8Array, value: Value<0x66>): void {
    const { connection } = this;
    const id = readLE(request, 4, 2) + value.RspSessionID * 0x10000;
    const asked = connection.decode(request) as Value<0xe6> | undefined;
    const opaques = [asked?.OpaqueData ?? new Uint8Array(0), value.OpaqueData] as const;
    const session = this.start(id, opaques, { hash: undefined, gap: undefined }, true);
    const hmac = value.ResponderVerifyData;
    session.transcript.add(request, bytes.subarray(0, bytes.length - hmac.length));
    this.setTh1(session);
    this.checkHmac(session, 'response', 'PSK_EXCHANGE_RSP ResponderVerifyData', hmac);
    session.transcript.add(hmac);
    // Without responder context there is no PSK_FINISH: the session is up.
    const flags = connection.negotiated?.responderFlags ?? 0;
    if (capability(flags, 'PSK_CAP') === 1) this.enterData(session);
  }

  private finish(session: Session, bytes: Uint8Array, value: Value<0xe5>): void {
    const hmac = value.RequesterVerifyData;
    const parts: Uint8Array[] = [];
    let { gap } = session;
    const end = bytes.length - hmac.length;
    const { connection } = this;
    if ((value.Param1 & FINISH_SIGNED) !== 0) {
      const signature = value.Signature ?? new Uint8Array(0);
      const identity = connection.identityHash(connection.requester, value.Param2);
      gap ??= identity.gap;
      const multiKey = connection.negotiated?.requesterMultiKeyConn ?? false;
      if (multiKey && session.requesterDigests !== undefined) parts.push(session.requesterDigests);
      parts.push(identity.hash ?? new Uint8Array(0), bytes.subarray(0, end - signature.length));
      connection.checkSignature({
        what: 'FINISH Signature',
        signer: connection.requester,
        slot: value.Param2,
        context: SigningContexts.FINISH,
        transcript: concat(session.transcript.bytes(), ...parts),
        signature,
        gap,
      });
      parts.push(signature);
    } else parts.push(bytes.subarray(0, end));
    this.checkHmac(session, 'request', 'FINISH RequesterVerifyData', hmac, parts, gap);
    session.finish = { parts: [...parts, hmac], gap };
  }

  private pskFinish(session: Session, bytes: Uint8Array, value: Value<0xe7>): void {
    const hmac = value.RequesterVerifyData;
    const part = bytes.subarray(0, bytes.length - hmac.length);
    this.checkHmac(session, 'request', 'PSK_FINISH RequesterVerifyData', hmac, [part]);
    session.finish = { parts: [part, hmac] };
  }

  private finished(
    session: Session,
    bytes: Uint8Array,
    value: { ResponderVerifyData?: Uint8Array },
  ): void {
    const hmac = value.ResponderVerifyData;
    const part = bytes.subarray(0, bytes.length - (hmac?.length ?? 0));
    session.transcript.add(...session.finish.parts, part);
    session.gap ??= session.finish.gap;
    session.finish = { parts: [] };
    if (hmac !== undefined) {
      this.checkHmac(session, 'response', 'FINISH_RSP ResponderVerifyData', hmac);
      session.transcript.add(hmac);
    }
    this.enterData(session);
  }

  private enterData(session: Session): void {
    const hash = this.connection.suite()?.hash;
    // Data keys come from the whole of TH.
    if (session.gap !== undefined) session.keys = undefined;
    const { keys } = session;
    if (keys !== undefined && hash !== undefined)
      keys.enterDataPhase(this.connection.options.crypto.hash(hash, session.transcript.bytes()));
    session.next = 'request';
    if (this.handshake === session) this.handshake = undefined;
  }
}
