/** Responder side of KEY_EXCHANGE, FINISH, HEARTBEAT and END_SESSION. */

import { concat, equal } from '../../codec/bytes.ts';
import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import { curves } from '../../crypto/algorithms.ts';
import { drawPrivateKey } from '../../crypto/provider.ts';
import { suiteOf } from '../algorithms.ts';
import { capability, ErrorCodes, ResponseCodes } from '../codes.ts';
import { connectionFacts } from '../messages/registry.ts';
import * as layouts from '../messages/session.ts';
import { handshakeInTheClear } from '../negotiate.ts';
import { readSupportedVersions, SECURED_MESSAGE_1_1, versionSelectionOpaque } from '../opaque.ts';
import { SessionKeys, sessionScopes } from '../session-keys.ts';
import { SigningContexts, signTranscript } from '../signing.ts';
import { SessionTranscript } from '../transcript.ts';
import { summaryFor, summaryTypeLegal } from './auth.ts';
import type {
  Answer,
  ErrorAnswer,
  ResponderSession,
  ResponderState,
  SessionEstablished,
  SessionHeartbeat,
  Turn,
} from './state.ts';
import { answerHeader } from './state.ts';

const invalid: ErrorAnswer = { error: ErrorCodes.InvalidRequest };
const RSP_SESSION_ID_FIRST = 0xffff;

/** RspSessionID counts down, so that ids of ended sessions come back late. */
function nextRspSessionId(state: ResponderState): number {
  return RSP_SESSION_ID_FIRST - (state.sessionsOpened++ % RSP_SESSION_ID_FIRST);
}

export function answerKeyExchange(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof layouts.keyExchange>,
): Answer {
  const { config } = state;
  const { crypto, random } = config;
  const negotiated = state.negotiated!;
  const suite = suiteOf(negotiated);
  const scopes = sessionScopes(crypto, negotiated, config.binding);
  const slot = config.slots.get(value.Param2);
  const both = (negotiated.requesterFlags & negotiated.responderFlags) >>> 0;
  if (capability(both, 'KEY_EX_CAP') === 0)
    return { error: ErrorCodes.UnsupportedRequest, data: turn.request[1]! };
  if (scopes === undefined || suite?.curve === undefined || slot === undefined) return invalid;
  if (!summaryTypeLegal(state, value.Param1)) return invalid;
  const offered = readSupportedVersions(value.OpaqueData);
  if (!offered.ok || !offered.value.includes(SECURED_MESSAGE_1_1)) return invalid;
  if (state.sessions.size >= config.sessionsMax) return { error: ErrorCodes.SessionLimitExceeded };
  const { curve } = suite;
  const privateKey = drawPrivateKey(crypto, curve, curves[curve].fieldSize, random);
  const secret = crypto.sharedSecret(curve, privateKey, value.ExchangeData);
  turn.work.push({ op: 'dhe-generate' }, { op: 'dhe-compute' }, { op: 'random', bytes: 32 });
  if (secret === undefined) return invalid;

  const rspId = nextRspSessionId(state);
  const id = value.ReqSessionID + rspId * 0x10000;
  const summary = summaryFor(state, turn, value.Param1);
  const clear = handshakeInTheClear(negotiated);
  const { hashSize, signatureSize } = negotiated;
  const answer = {
    ...answerHeader(turn, ResponseCodes.KEY_EXCHANGE_RSP, heartbeatPeriod(state)),
    RspSessionID: rspId,
    MutAuthRequested: 0,
    SlotIDParam: 0,
    RandomData: random(32),
    ExchangeData: crypto.publicKey(curve, privateKey),
    ...(summary === undefined ? {} : { MeasurementSummaryHash: summary }),
    OpaqueData: versionSelectionOpaque(SECURED_MESSAGE_1_1),
    Signature: new Uint8Array(signatureSize),
    ...(clear ? {} : { ResponderVerifyData: new Uint8Array(hashSize) }),
  };
  const facts = {
    ...connectionFacts(turn.version, negotiated),
    summary: summary === undefined ? 0 : 1,
  };
  const draft = encode(layouts.keyExchangeRsp, answer, facts);
  const unsigned = draft.subarray(0, draft.length - signatureSize - (clear ? 0 : hashSize));

  const chainHash = crypto.hash(scopes.hash, slot.chain);
  const transcript = new SessionTranscript(state.transcript.a.bytes(), chainHash);
  transcript.add(turn.request, unsigned);
  const scope = { crypto, hash: scopes.hash, version: turn.version };
  const { KEY_EXCHANGE_RSP } = SigningContexts;
  const signature = signTranscript(scope, slot.signer, KEY_EXCHANGE_RSP, transcript.bytes());
  transcript.add(signature);
  turn.work.push({ op: 'hash', bytes: transcript.bytes().length }, { op: 'sign' });

  const th1 = crypto.hash(scopes.hash, transcript.bytes());
  const keys = new SessionKeys(scopes.keys, scopes.records, secret, th1);
  const hmac = clear ? new Uint8Array(0) : keys.verifyData('response', transcript.bytes());
  transcript.add(hmac);
  turn.work.push({ op: 'hmac', bytes: hashSize });
  const terminationPolicy = value.SessionPolicy & 1;
  turn.afterSeal = () =>
    state.sessions.set(id, { id, keys, transcript, established: false, terminationPolicy });
  return concat(unsigned, signature, hmac);
}

/** Seconds, if both sides have HBEAT_CAP. */
function heartbeatPeriod(state: ResponderState): number {
  const both = (state.negotiated!.requesterFlags & state.negotiated!.responderFlags) >>> 0;
  return capability(both, 'HBEAT_CAP') === 1 ? state.config.heartbeatPeriod : 0;
}

export function answerFinish(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof layouts.finish>,
  session: ResponderSession,
): Answer {
  const { crypto } = state.config;
  const { hashSize } = state.negotiated!;
  // No mutual authentication was asked for, so a signature has no place here.
  if ((value.Param1 & 1) === 1) return invalid;
  const end = turn.request.length - hashSize;
  session.transcript.add(turn.request.subarray(0, end));
  turn.work.push(
    { op: 'hash', bytes: session.transcript.bytes().length },
    { op: 'hmac', bytes: hashSize },
  );
  const expected = session.keys.verifyData('request', session.transcript.bytes());
  if (!equal(expected, value.RequesterVerifyData)) {
    // The session carries this last ERROR, and is over then.
    turn.afterSeal = () =>
      state.endSession(session.id, turn.effects, 'FINISH RequesterVerifyData is wrong');
    return { error: ErrorCodes.DecryptError };
  }
  session.transcript.add(value.RequesterVerifyData);
  const clear = handshakeInTheClear(state.negotiated!);
  const facts = connectionFacts(turn.version, state.negotiated);
  const opaque = turn.version >= 0x14 ? { OpaqueData: new Uint8Array(0) } : {};
  const answer = { ...answerHeader(turn, ResponseCodes.FINISH_RSP), ...opaque };
  const ResponderVerifyData = new Uint8Array(hashSize);
  const draft = encode(
    layouts.finishRsp,
    clear ? { ...answer, ResponderVerifyData } : answer,
    facts,
  );
  const bare = clear ? draft.subarray(0, draft.length - hashSize) : draft;
  session.transcript.add(bare);
  const hmac = clear
    ? session.keys.verifyData('response', session.transcript.bytes())
    : new Uint8Array(0);
  session.transcript.add(hmac);
  const established: SessionEstablished = {
    type: 'session-established',
    sessionId: session.id,
    heartbeatPeriod: heartbeatPeriod(state),
  };
  turn.afterSeal = () => {
    session.keys.enterDataPhase(crypto.hash(session.keys.scope.hash, session.transcript.bytes()));
    session.established = true;
    turn.effects.push(established);
  };
  return concat(bare, hmac);
}

export function answerHeartbeat(
  state: ResponderState,
  turn: Turn,
  _value: unknown,
  session: ResponderSession,
): Answer {
  if (heartbeatPeriod(state) === 0)
    return { error: ErrorCodes.UnsupportedRequest, data: turn.request[1]! };
  const beat: SessionHeartbeat = { type: 'session-heartbeat', sessionId: session.id };
  turn.effects.push(beat);
  return encode(layouts.heartbeatAck, answerHeader(turn, ResponseCodes.HEARTBEAT_ACK));
}

export function answerEndSession(
  state: ResponderState,
  turn: Turn,
  session: ResponderSession,
): Answer {
  turn.afterSeal = () => state.endSession(session.id, turn.effects, 'END_SESSION');
  return encode(layouts.endSessionAck, answerHeader(turn, ResponseCodes.END_SESSION_ACK));
}
