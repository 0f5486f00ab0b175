/**
 * Responder side of PSK_EXCHANGE and PSK_FINISH (DSP0274 10.14, 10.15): a session from a key both sides
 * were given beforehand. Without responder context (PSK_CAP 1) there is no PSK_FINISH, and the session is
 * up with PSK_EXCHANGE_RSP. HANDSHAKE_IN_THE_CLEAR does not concern it.
 */

import { concat, equal } from '../../codec/bytes.ts';
import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import { isPeerFault } from '../../codec/refusal.ts';
import { capability, ErrorCodes, RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import { connectionFacts } from '../messages/registry.ts';
import * as layouts from '../messages/session.ts';
import { opaqueUsable, type SecuredAgreement, selectSecured } from '../secured-versions.ts';
import { SessionKeys, sessionScopes } from '../session-keys.ts';
import { SessionTranscript } from '../transcript.ts';
import { establish } from './finish.ts';
import { summaryFor, summaryTypeLegal } from './measurements.ts';
import { MutAuthRequested } from './mutual.ts';
import { heartbeatPeriod, nextRspSessionId, sessionIdOf } from './session.ts';
import {
  type Answer,
  answerHeader,
  type Handlers,
  invalid,
  type ResponderSession,
  type ResponderState,
  type Turn,
} from './state.ts';

type PskExchange = ValueOf<typeof layouts.pskExchange>;
type PskFinish = ValueOf<typeof layouts.pskFinish>;
type Scopes = NonNullable<ReturnType<typeof sessionScopes>>;

/** PSK_CAP of a responder that adds a context, and so takes PSK_FINISH. */
const WITH_CONTEXT = 2;
/** A context holds at least a nonce of 32 bytes; that a shorter one is refused is chosen here. */
const CONTEXT_MIN = 32;

const withContext = (state: ResponderState): boolean =>
  capability(state.config.flags, 'PSK_CAP') === WITH_CONTEXT;

const nobody = {
  requested: MutAuthRequested.none,
  slotParam: 0,
  slot: undefined,
  identity: undefined,
  leaf: undefined,
  digests: undefined,
};

function answerPskExchange(state: ResponderState, turn: Turn, value: PskExchange): Answer {
  const { config } = state;
  const negotiated = state.negotiated!;
  const scopes = sessionScopes(config.crypto, negotiated, config.binding);
  if (scopes === undefined || value.RequesterContext.length < CONTEXT_MIN) return invalid;
  if (!opaqueUsable(negotiated) || !summaryTypeLegal(state, value.Param1)) return invalid;
  const secured = selectSecured(config, negotiated, value.OpaqueData);
  if (isPeerFault(secured)) return invalid;
  const psk = config.psk?.(value.PSKHint);
  // DSP0274 names no code for a hint nobody knows; chosen as responders in the field do.
  if (psk === undefined) return { error: ErrorCodes.Unspecified };
  if (state.sessions.size >= config.sessionsMax) return { error: ErrorCodes.SessionLimitExceeded };
  const rspId = nextRspSessionId(state, value.ReqSessionID);
  if (rspId === undefined) return { error: ErrorCodes.SessionLimitExceeded };
  const bare = exchangeAnswer(state, turn, value, rspId, secured.opaque);
  const id = sessionIdOf(value.ReqSessionID, rspId);
  return openPsk(state, turn, value, { id, psk, bare, scopes, secured });
}

/** PSK_EXCHANGE_RSP without its HMAC. */
function exchangeAnswer(
  state: ResponderState,
  turn: Turn,
  value: PskExchange,
  RspSessionID: number,
  OpaqueData: Uint8Array,
): Uint8Array {
  const { hashSize } = state.negotiated!;
  const summary = summaryFor(state, turn, value.Param1);
  const contextSize = withContext(state) ? hashSize : 0;
  if (contextSize > 0) turn.work.push({ op: 'random', bytes: contextSize });
  const answer = {
    ...answerHeader(turn, ResponseCodes.PSK_EXCHANGE_RSP, heartbeatPeriod(state)),
    RspSessionID,
    ...(summary === undefined ? {} : { MeasurementSummaryHash: summary }),
    ResponderContext: contextSize > 0 ? state.config.random(contextSize) : new Uint8Array(0),
    OpaqueData,
    ResponderVerifyData: new Uint8Array(hashSize),
  };
  const facts = {
    ...connectionFacts(turn.version, state.negotiated),
    summary: summary === undefined ? 0 : 1,
  };
  const draft = encode(layouts.pskExchangeRsp, answer, facts);
  return draft.subarray(0, draft.length - hashSize);
}

interface Opening {
  readonly id: number;
  readonly psk: Uint8Array;
  readonly bare: Uint8Array;
  readonly scopes: Scopes;
  readonly secured: SecuredAgreement;
}

function openPsk(
  state: ResponderState,
  turn: Turn,
  value: PskExchange,
  { id, psk, bare, scopes, secured }: Opening,
): Answer {
  const { crypto, keyLog } = state.config;
  // No certificate stands behind this session: TH is VCA and the exchange alone.
  const transcript = new SessionTranscript(state.transcript.handshakeStart(false), undefined);
  transcript.add(turn.request, bare);
  const covered = transcript.bytes();
  const th1 = crypto.hash(scopes.hash, covered);
  const options = { psk: true, aeadLimitExponent: secured.aeadLimitExponent };
  const keys = new SessionKeys(scopes.keys, scopes.records, psk, th1, options);
  const hmac = keys.verifyDataOf('response', th1);
  transcript.add(hmac);
  turn.work.push({ op: 'hash', bytes: covered.length }, { op: 'hmac', bytes: hmac.length });
  const policy = turn.version >= SpdmVersions.V1_2 ? value.Param2 : 0;
  const session: ResponderSession = {
    id,
    kind: 'PSK',
    keys,
    transcript,
    established: false,
    heartbeatPeriod: heartbeatPeriod(state),
    terminationPolicy: policy & 1,
    eventAllPolicy: (policy >> 1) & 1,
    mutual: { ...nobody },
  };
  turn.commits.push(() => {
    state.sessions.set(id, session);
    keyLog?.({ kind: 'PSK', sessionId: id, secret: psk });
    if (!withContext(state)) enterData(state, turn, session);
  });
  return concat(bare, hmac);
}

function enterData(state: ResponderState, turn: Turn, session: ResponderSession): void {
  const { keys, transcript } = session;
  keys.enterDataPhase(state.config.crypto.hash(keys.scope.hash, transcript.bytes()));
  establish(turn, session);
}

function answerPskFinish(
  state: ResponderState,
  turn: Turn,
  value: PskFinish,
  session: ResponderSession,
): Answer {
  const { hashSize } = state.negotiated!;
  const { keys, transcript } = session;
  const bare = turn.request.subarray(0, turn.request.length - hashSize);
  const covered = concat(transcript.bytes(), bare);
  turn.work.push({ op: 'hash', bytes: covered.length }, { op: 'hmac', bytes: hashSize });
  if (!equal(keys.verifyData('request', covered), value.RequesterVerifyData)) {
    const reason = 'PSK_FINISH RequesterVerifyData is wrong';
    turn.commits.push(() => state.endSession(session.id, turn.effects, reason));
    return { error: ErrorCodes.DecryptError };
  }
  const opaque = turn.version >= SpdmVersions.V1_4 ? { OpaqueData: new Uint8Array(0) } : {};
  const answer = { ...answerHeader(turn, ResponseCodes.PSK_FINISH_RSP), ...opaque };
  const facts = connectionFacts(turn.version, state.negotiated);
  const reply = encode(layouts.pskFinishRsp, answer, facts);
  // TH goes on with an answer that is given, not with one that is held and dropped.
  turn.commits.push(() => {
    transcript.add(turn.request, reply);
    enterData(state, turn, session);
  });
  return reply;
}

export const pskHandlers: Handlers = {
  [RequestCodes.PSK_EXCHANGE]: answerPskExchange,
  [RequestCodes.PSK_FINISH]: answerPskFinish,
};
