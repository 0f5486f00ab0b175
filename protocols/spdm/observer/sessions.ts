/** The sessions a passive listener follows: handshakes, key candidates, key updates, their end. */

import { equal, readLE } from '../../codec/bytes.ts';
import { type Decoded, RefusalCodes, refuse } from '../../codec/refusal.ts';
import { capability, RequestCodes, ResponseCodes } from '../codes.ts';
import type { KnownCode, MessageValue } from '../messages/registry.ts';
import { KeyUpdateOps } from '../messages/session.ts';
import { SessionKeys, type Side, sessionScopes } from '../session-keys.ts';
import { SigningContexts } from '../signing.ts';
import { type MessageLog, SessionTranscript } from '../transcript.ts';
import type { SpdmObserver } from './observer.ts';

type Value<C extends number> = MessageValue<C & KnownCode>;

const FINISH_SIGNED = 1;

interface Session {
  readonly id: number;
  readonly transcript: SessionTranscript;
  /** keys from each secret that may be the right one, until an HMAC tells */
  candidates: SessionKeys[];
  keys: SessionKeys | undefined;
  next: Side;
}

export class ObservedSessions {
  private readonly observer: SpdmObserver;
  private readonly byId = new Map<number, Session>();
  private readonly learned: { hint: Uint8Array; psk: Uint8Array }[] = [];
  /** the handshake that plain FINISH messages belong to */
  private handshake: Session | undefined;

  constructor(observer: SpdmObserver) {
    this.observer = observer;
  }

  clear(): void {
    this.byId.clear();
    this.handshake = undefined;
  }

  learnPsk(hint: Uint8Array, psk: Uint8Array): void {
    this.learned.push({ hint, psk });
  }

  measurementLog(sessionId: number | undefined): MessageLog | undefined {
    return sessionId === undefined ? undefined : this.byId.get(sessionId)?.transcript.l;
  }

  open(sessionId: number | undefined, record: Uint8Array): Decoded<Uint8Array> {
    const session = sessionId === undefined ? undefined : this.byId.get(sessionId);
    if (session === undefined)
      return refuse(RefusalCodes.BAD_VALUE, 'SessionID', 0, `no session ${sessionId} is known`);
    const { keys } = session;
    if (keys === undefined)
      return refuse(RefusalCodes.BAD_VALUE, 'SessionID', 0, 'no secret given fits this session');
    const other: Side = session.next === 'request' ? 'response' : 'request';
    const first = keys.open(session.next, record);
    if (first.ok) {
      session.next = other;
      return first;
    }
    const second = keys.open(other, record);
    return second.ok ? second : first;
  }

  onRequest(code: number, bytes: Uint8Array, sessionId: number | undefined): void {
    const session = this.of(sessionId);
    if (sessionId !== undefined && code !== RequestCodes.GET_MEASUREMENTS)
      session?.transcript.l.clear();
    if (session === undefined) return;
    if (code === RequestCodes.FINISH) this.finish(session, bytes, 'FINISH RequesterVerifyData');
    if (code === RequestCodes.PSK_FINISH)
      this.finish(session, bytes, 'PSK_FINISH RequesterVerifyData');
    if (code === RequestCodes.KEY_UPDATE && session.keys !== undefined) {
      const op = bytes[2];
      if (op !== KeyUpdateOps.VerifyNewKey) session.keys.update('request');
      if (op === KeyUpdateOps.UpdateAllKeys) session.keys.update('response');
    }
  }

  /** KEY_UPDATE that the responder asked for by an encapsulated request: its own direction. */
  updateResponseKeys(sessionId: number | undefined): void {
    this.of(sessionId)?.keys?.update('response');
  }

  onError(requestCode: number, sessionId: number | undefined): void {
    const session = this.of(sessionId);
    if (requestCode === RequestCodes.KEY_UPDATE) {
      session?.keys?.restore('request');
      session?.keys?.restore('response');
    }
  }

  onResponse(
    code: number,
    request: Uint8Array,
    bytes: Uint8Array,
    value: Record<string, unknown>,
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
    if (code === ResponseCodes.KEY_UPDATE_ACK) session.keys?.dropRetired();
    if (code === ResponseCodes.END_SESSION_ACK) this.byId.delete(session.id);
  }

  private of(sessionId: number | undefined): Session | undefined {
    return sessionId === undefined ? this.handshake : this.byId.get(sessionId);
  }

  private start(id: number, before: Uint8Array, chainHash: Uint8Array | undefined): Session {
    const transcript = new SessionTranscript(before, chainHash);
    const session: Session = { id, transcript, candidates: [], keys: undefined, next: 'request' };
    this.byId.set(id, session);
    this.handshake = session;
    return session;
  }

  private derive(session: Session, secrets: readonly Uint8Array[], psk: boolean): void {
    const { negotiated, options } = this.observer;
    const scopes = negotiated && sessionScopes(options.crypto, negotiated, options.binding);
    if (scopes === undefined) return;
    const th1 = options.crypto.hash(scopes.hash, session.transcript.bytes());
    session.candidates = secrets.map(
      (secret) => new SessionKeys(scopes.keys, scopes.records, secret, th1, psk),
    );
  }

  /** Checks an HMAC and, if the key is still open, takes the candidate that fits it. */
  private checkHmac(session: Session, side: Side, what: string, hmac: Uint8Array): void {
    const candidates = session.keys === undefined ? session.candidates : [session.keys];
    if (candidates.length === 0)
      return this.observer.note(what, 'unverifiable', 'no secret of this session is given');
    const transcript = session.transcript.bytes();
    const fitting = candidates.find((keys) => equal(keys.verifyData(side, transcript), hmac));
    session.keys = fitting ?? session.keys;
    const detail = fitting === undefined ? 'no given secret makes this HMAC' : 'HMAC';
    this.observer.note(what, fitting === undefined ? 'failed' : 'verified', detail);
  }

  private keyExchange(request: Uint8Array, bytes: Uint8Array, value: Value<0x64>): void {
    const slot = request[3]! & 15;
    const id = readLE(request, 4, 2) + value.RspSessionID * 0x10000;
    const session = this.start(id, this.observer.handshakeStart(), this.observer.chainHash(slot));
    const hmac = value.ResponderVerifyData;
    const signedEnd = bytes.length - (hmac?.length ?? 0);
    const unsigned = bytes.subarray(0, signedEnd - value.Signature.length);
    session.transcript.add(request, unsigned);
    const { KEY_EXCHANGE_RSP } = SigningContexts;
    const transcript = session.transcript.bytes();
    this.observer.checkSignature(
      'KEY_EXCHANGE_RSP Signature',
      slot,
      KEY_EXCHANGE_RSP,
      transcript,
      value.Signature,
    );
    session.transcript.add(value.Signature);
    this.derive(session, this.observer.options.dheSecrets ?? [], false);
    if (hmac === undefined) return;
    this.checkHmac(session, 'response', 'KEY_EXCHANGE_RSP ResponderVerifyData', hmac);
    session.transcript.add(hmac);
  }

  private pskExchange(request: Uint8Array, bytes: Uint8Array, value: Value<0x66>): void {
    const id = readLE(request, 4, 2) + value.RspSessionID * 0x10000;
    const session = this.start(id, this.observer.transcript.a.bytes(), undefined);
    const hmac = value.ResponderVerifyData;
    session.transcript.add(request, bytes.subarray(0, bytes.length - hmac.length));
    const learned = this.learned.map(({ psk }) => psk);
    this.derive(session, [...learned, ...(this.observer.options.psks ?? [])], true);
    this.checkHmac(session, 'response', 'PSK_EXCHANGE_RSP ResponderVerifyData', hmac);
    session.transcript.add(hmac);
    // Without responder context there is no PSK_FINISH: the session is up.
    const flags = this.observer.negotiated?.responderFlags ?? 0;
    if (capability(flags, 'PSK_CAP') === 1) this.enterData(session);
  }

  private finish(session: Session, bytes: Uint8Array, what: string): void {
    const { hashSize } = this.observer.negotiated ?? { hashSize: 0 };
    const end = bytes.length - hashSize;
    if (bytes[1] === RequestCodes.FINISH && (bytes[2]! & FINISH_SIGNED) !== 0)
      this.requesterSignature(session, bytes, end);
    else session.transcript.add(bytes.subarray(0, end));
    this.checkHmac(session, 'request', what, bytes.subarray(end));
    session.transcript.add(bytes.subarray(end));
  }

  /** Mutual authentication: the requester's chain and its signature enter TH with FINISH. */
  private requesterSignature(session: Session, bytes: Uint8Array, end: number): void {
    const { encapsulation } = this.observer;
    const size = encapsulation.facts()['requesterSignatureSize'] ?? 0;
    const signature = bytes.subarray(end - size, end);
    session.transcript.add(encapsulation.chainHash() ?? new Uint8Array(0));
    session.transcript.add(bytes.subarray(0, end - size));
    const transcript = session.transcript.bytes();
    encapsulation.checkSignature('FINISH Signature', SigningContexts.FINISH, transcript, signature);
    session.transcript.add(signature);
  }

  private finished(
    session: Session,
    bytes: Uint8Array,
    value: { ResponderVerifyData?: Uint8Array },
  ): void {
    const hmac = value.ResponderVerifyData;
    session.transcript.add(bytes.subarray(0, bytes.length - (hmac?.length ?? 0)));
    if (hmac !== undefined) {
      this.checkHmac(session, 'response', 'FINISH_RSP ResponderVerifyData', hmac);
      session.transcript.add(hmac);
    }
    this.enterData(session);
  }

  private enterData(session: Session): void {
    const { keys } = session;
    if (keys !== undefined) {
      const { crypto, hash } = keys.scope;
      keys.enterDataPhase(crypto.hash(hash, session.transcript.bytes()));
    }
    session.next = 'request';
    if (this.handshake === session) this.handshake = undefined;
  }
}
