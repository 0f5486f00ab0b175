/** Responder side of KEY_EXCHANGE (DSP0274 10.12), and what every session starts from. */

import { concat } from '../../codec/bytes.ts';
import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import { isPeerFault } from '../../codec/refusal.ts';
import type { Suite } from '../algorithms.ts';
import { capability, ErrorCodes, RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import { KeyUsages } from '../identity.ts';
import { connectionFacts } from '../messages/registry.ts';
import * as layouts from '../messages/session.ts';
import { bothHave, handshakeInTheClear } from '../negotiate.ts';
import { opaqueUsable, type SecuredAgreement, selectSecured } from '../secured-versions.ts';
import { SessionKeys, sessionScopes } from '../session-keys.ts';
import { answerExchange } from '../session-secret.ts';
import { SigningContexts, signTranscript } from '../signing.ts';
import { SessionTranscript } from '../transcript.ts';
import { type Signing, signingOf } from './auth.ts';
import { finishHandlers } from './finish.ts';
import { summaryFor, summaryTypeLegal } from './measurements.ts';
import { type MutualState, mutualRequest, startSessionMutAuth } from './mutual.ts';
import {
  type Answer,
  answerHeader,
  type ErrorAnswer,
  type Handlers,
  invalid,
  type ResponderSession,
  type ResponderState,
  type Turn,
} from './state.ts';

const RSP_SESSION_ID_FIRST = 0xffff;

/**
 * RspSessionID counts down, so that ids of ended sessions come back late; one that would make the id of a
 * live session is left out. Undefined: all are in use.
 */
export function nextRspSessionId(state: ResponderState, reqSessionId: number): number | undefined {
  for (let tries = 0; tries <= state.sessions.size; tries++) {
    const id = RSP_SESSION_ID_FIRST - (state.sessionsOpened++ % RSP_SESSION_ID_FIRST);
    if (!state.sessions.has(sessionIdOf(reqSessionId, id))) return id;
  }
  return undefined;
}

export const sessionIdOf = (reqSessionId: number, rspSessionId: number): number =>
  reqSessionId + rspSessionId * 0x10000;

/** Seconds, if both sides have HBEAT_CAP. */
export const heartbeatPeriod = (state: ResponderState): number =>
  bothHave(state.negotiated!, 'HBEAT_CAP') ? state.config.heartbeatPeriod : 0;

type KeyExchange = ValueOf<typeof layouts.keyExchange>;

/** What a KEY_EXCHANGE that can be answered comes down to. */
interface Accepted {
  readonly suite: Suite;
  readonly scopes: NonNullable<ReturnType<typeof sessionScopes>>;
  readonly signing: Signing;
  readonly secured: SecuredAgreement & { readonly opaque: Uint8Array };
  readonly mutual: MutualState;
  readonly exchange: { readonly exchangeData: Uint8Array; readonly secret: Uint8Array };
  readonly rspId: number;
}

const EVENT_ALL_POLICY = 2;

/** Events take the capability, which came with 1.3. */
function policyLegal(state: ResponderState, turn: Turn, policy: number): boolean {
  const asksEvents = turn.version >= SpdmVersions.V1_3 && (policy & EVENT_ALL_POLICY) !== 0;
  return !asksEvents || capability(state.config.flags, 'EVENT_CAP') === 1;
}

function accept(state: ResponderState, turn: Turn, value: KeyExchange): Accepted | ErrorAnswer {
  const { config } = state;
  const negotiated = state.negotiated!;
  const suite = state.suite();
  const scopes = sessionScopes(config.crypto, negotiated, config.binding);
  const signing = signingOf(state, value.Param2, KeyUsages.KeyEx);
  if (scopes === undefined || suite === undefined || signing === undefined) return invalid;
  if (!opaqueUsable(negotiated) || !summaryTypeLegal(state, value.Param1)) return invalid;
  if (!policyLegal(state, turn, value.SessionPolicy)) return invalid;
  const secured = selectSecured(config, negotiated, value.OpaqueData);
  if (isPeerFault(secured)) return invalid;
  const mutual = mutualRequest(state);
  if ('error' in mutual) return mutual;
  if (state.sessions.size >= config.sessionsMax) return { error: ErrorCodes.SessionLimitExceeded };
  const exchange = answerExchange(config.crypto, suite, config.random, value.ExchangeData);
  turn.work.push({ op: 'dhe-generate' }, { op: 'dhe-compute' }, { op: 'random', bytes: 32 });
  if (exchange === undefined || isPeerFault(exchange)) return invalid;
  const rspId = nextRspSessionId(state, value.ReqSessionID);
  if (rspId === undefined) return { error: ErrorCodes.SessionLimitExceeded };
  return { suite, scopes, signing, secured, mutual, exchange, rspId };
}

/** KEY_EXCHANGE_RSP up to its Signature. */
function unsignedAnswer(
  state: ResponderState,
  turn: Turn,
  summaryType: number,
  { rspId, mutual, exchange, secured }: Accepted,
): Uint8Array {
  const negotiated = state.negotiated!;
  const summary = summaryFor(state, turn, summaryType);
  const answer = {
    ...answerHeader(turn, ResponseCodes.KEY_EXCHANGE_RSP, heartbeatPeriod(state)),
    RspSessionID: rspId,
    MutAuthRequested: mutual.requested,
    SlotIDParam: mutual.slotParam,
    RandomData: state.config.random(32),
    ExchangeData: exchange.exchangeData,
    ...(summary === undefined ? {} : { MeasurementSummaryHash: summary }),
    OpaqueData: secured.opaque,
    Signature: new Uint8Array(0),
    ResponderVerifyData: new Uint8Array(0),
  };
  const facts = {
    ...connectionFacts(turn.version, negotiated),
    summary: summary === undefined ? 0 : 1,
    // What follows is not there yet.
    signatureSize: 0,
    handshakeInTheClear: 1,
  };
  return encode(layouts.keyExchangeRsp, answer, facts);
}

function answerKeyExchange(state: ResponderState, turn: Turn, value: KeyExchange): Answer {
  const accepted = accept(state, turn, value);
  if ('error' in accepted) return accepted;
  const { crypto, keyLog } = state.config;
  const negotiated = state.negotiated!;
  const { suite, scopes, signing, secured, mutual, exchange, rspId } = accepted;
  const unsigned = unsignedAnswer(state, turn, value.Param1, accepted);

  const start = state.transcript.handshakeStart(negotiated.multiKeyConn);
  const transcript = new SessionTranscript(start, crypto.hash(scopes.hash, signing.identity));
  transcript.add(turn.request, unsigned);
  const scope = { crypto, hash: scopes.hash, version: turn.version };
  const { KEY_EXCHANGE_RSP } = SigningContexts;
  const covered = transcript.bytes();
  const signature = signTranscript(scope, signing.signer, KEY_EXCHANGE_RSP, covered);
  transcript.add(signature);
  turn.work.push({ op: 'hash', bytes: covered.length + signature.length }, { op: 'sign' });

  const th1 = crypto.hash(scopes.hash, transcript.bytes());
  const limits = { aeadLimitExponent: secured.aeadLimitExponent };
  const keys = new SessionKeys(scopes.keys, scopes.records, exchange.secret, th1, limits);
  const clear = handshakeInTheClear(negotiated);
  const hmac = clear ? new Uint8Array(0) : keys.verifyDataOf('response', th1);
  transcript.add(hmac);
  turn.work.push({ op: 'hmac', bytes: negotiated.hashSize });
  const id = sessionIdOf(value.ReqSessionID, rspId);
  const session: ResponderSession = {
    id,
    kind: 'DHE',
    keys,
    transcript,
    established: false,
    heartbeatPeriod: heartbeatPeriod(state),
    terminationPolicy: value.SessionPolicy & 1,
    eventAllPolicy: (value.SessionPolicy >> 1) & 1,
    mutual,
  };
  turn.commits.push(() => {
    state.sessions.set(id, session);
    startSessionMutAuth(state, session);
    const kind = suite.kem === undefined ? 'DHE' : 'KEM';
    keyLog?.({ kind, sessionId: id, secret: exchange.secret });
  });
  return concat(unsigned, signature, hmac);
}

export const sessionHandlers: Handlers = {
  [RequestCodes.KEY_EXCHANGE]: answerKeyExchange,
  ...finishHandlers,
};
