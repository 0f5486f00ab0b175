/** Requester side of KEY_EXCHANGE (DSP0274 10.12): opens a session up to the end of its handshake. */

import { equal } from '../../codec/bytes.ts';
import { isPeerFault, LocalError, peerFault } from '../../codec/refusal.ts';
import { RequestCodes, ResponseCodes } from '../codes.ts';
import { bothHave, summaryPresent } from '../negotiate.ts';
import { offerSecured, opaqueUsable, readSecured } from '../secured-versions.ts';
import { SessionKeys, sessionScopes } from '../session-keys.ts';
import { type OwnExchange, startExchange } from '../session-secret.ts';
import { SigningContexts } from '../signing.ts';
import { SessionTranscript } from '../transcript.ts';
import { chainOf, leafOf, signatureFits } from './certificates.ts';
import { finish } from './finish.ts';
import {
  type Exchange,
  hashName,
  negotiatedOrThrow,
  type RequesterSession,
  type RequesterState,
  suiteOrThrow,
} from './state.ts';
import { type Exchanged, transact } from './transact.ts';

export interface SessionRequest {
  /** 0-7, or 0xFF for the public key the requester was given */
  readonly slot: number;
  readonly summaryType: number;
  /** SessionPolicy bit 0: the session survives a runtime update */
  readonly terminationPolicy: 0 | 1;
  /** SessionPolicy bit 1: subscribed to every event from the start (1.3) */
  readonly eventAllPolicy?: 0 | 1;
}

/** ReqSessionID of the next session; those of live ones are left out. */
export function nextReqSessionId(state: RequesterState): number {
  const live = new Set([...state.sessions.keys()].map((id) => id % 0x10000));
  for (;;) {
    const id = 0xffff - (state.sessionsOpened++ % 0xffff);
    if (!live.has(id)) return id;
  }
}

/** KEY_EXCHANGE and FINISH. Faults: KEY_EXCHANGE_*, FINISH_*, and those of `transact`. */
export function* openSession(
  state: RequesterState,
  asked: SessionRequest,
): Exchange<RequesterSession> {
  const { crypto, random } = state.config;
  const negotiated = negotiatedOrThrow(state);
  if (!bothHave(negotiated, 'KEY_EX_CAP') || !bothHave(negotiated, 'MAC_CAP'))
    return peerFault('KEY_EXCHANGE_CAP', 'one of the two does no key exchange');
  if (!opaqueUsable(negotiated))
    return peerFault('KEY_EXCHANGE_OPAQUE', 'OpaqueDataFmt1 was not agreed on');
  leafOf(state, asked.slot);
  const own = startExchange(crypto, suiteOrThrow(state), random);
  if (own === undefined) throw new LocalError('state: the negotiated DHE is not computed here');
  state.work.push({ op: 'dhe-generate' });
  const ReqSessionID = nextReqSessionId(state);
  const summary = summaryPresent(asked.summaryType, state.responderFlags);
  const answer = yield* transact(
    state,
    undefined,
    RequestCodes.KEY_EXCHANGE,
    ResponseCodes.KEY_EXCHANGE_RSP,
    {
      Param1: asked.summaryType,
      Param2: asked.slot,
      ReqSessionID,
      SessionPolicy: asked.terminationPolicy | ((asked.eventAllPolicy ?? 0) << 1),
      RandomData: random(32),
      ExchangeData: own.exchangeData,
      OpaqueData: offerSecured(state.config, negotiated),
    },
    { summary },
  );
  if (isPeerFault(answer)) return answer;
  const session = keyedSession(state, asked.slot, ReqSessionID, answer, own);
  if (isPeerFault(session)) return session;
  state.sessions.set(session.id, session);
  const finished = yield* finish(state, session, answer.value);
  if (isPeerFault(finished)) {
    state.sessions.delete(session.id);
    return finished;
  }
  return session;
}

function keyedSession(
  state: RequesterState,
  slot: number,
  reqSessionId: number,
  answer: Exchanged<0x64>,
  own: OwnExchange,
) {
  const { crypto, binding } = state.config;
  const negotiated = negotiatedOrThrow(state);
  const scopes = sessionScopes(crypto, negotiated, binding);
  if (scopes === undefined) throw new LocalError('state: the negotiated AEAD is not computed here');
  const { value, request, response } = answer;
  const secured = readSecured(state.config, negotiated, value.OpaqueData);
  if (isPeerFault(secured)) return secured;
  const hmac = value.ResponderVerifyData ?? new Uint8Array(0);
  const end = response.length - value.Signature.length - hmac.length;
  const chainHash = crypto.hash(hashName(state), chainOf(state, slot));
  const start = state.transcript.handshakeStart(negotiated.multiKeyConn);
  const transcript = new SessionTranscript(start, chainHash);
  transcript.add(request, response.subarray(0, end));
  const { KEY_EXCHANGE_RSP } = SigningContexts;
  if (!signatureFits(state, slot, KEY_EXCHANGE_RSP, transcript.bytes(), value.Signature))
    return peerFault('KEY_EXCHANGE_SIGNATURE', 'the signature does not cover this exchange');
  // The signature covers ExchangeData, so that only then it is worth computing with.
  const secret = own.secretOf(value.ExchangeData);
  state.work.push({ op: 'dhe-compute' });
  if (secret === undefined)
    return peerFault('KEY_EXCHANGE_DATA', 'ExchangeData is no point of the curve');
  transcript.add(value.Signature);
  const th1 = crypto.hash(scopes.hash, transcript.bytes());
  const limits = { aeadLimitExponent: secured.aeadLimitExponent };
  const keys = new SessionKeys(scopes.keys, scopes.records, secret, th1, limits);
  state.work.push({ op: 'hmac', bytes: negotiated.hashSize });
  if (hmac.length > 0 && !equal(hmac, keys.verifyDataOf('response', th1)))
    return peerFault('KEY_EXCHANGE_VERIFY_DATA', 'ResponderVerifyData is wrong');
  transcript.add(hmac);
  const session: RequesterSession = {
    id: reqSessionId + value.RspSessionID * 0x10000,
    kind: 'DHE',
    keys,
    transcript,
    heartbeatPeriod: value.Param1,
    summary: value.MeasurementSummaryHash,
    established: false,
  };
  const kind = suiteOrThrow(state).kem === undefined ? 'DHE' : 'KEM';
  state.config.keyLog?.({ kind, sessionId: session.id, secret });
  return session;
}
