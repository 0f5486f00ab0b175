/** Requester side of PSK_EXCHANGE and PSK_FINISH (DSP0274 10.14, 10.15). */

import { equal } from '../../codec/bytes.ts';
import { encode } from '../../codec/layout.ts';
import { isPeerFault, LocalError, type PeerFault, peerFault } from '../../codec/refusal.ts';
import { capability, RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import type { MessageValue } from '../messages/registry.ts';
import { pskFinish as pskFinishLayout } from '../messages/session.ts';
import { bothHave, summaryPresent } from '../negotiate.ts';
import { offerSecured, opaqueUsable, readSecured } from '../secured-versions.ts';
import { SessionKeys, sessionScopes } from '../session-keys.ts';
import { SessionTranscript } from '../transcript.ts';
import { nextReqSessionId } from './session.ts';
import {
  type Exchange,
  negotiatedOrThrow,
  type RequesterSession,
  type RequesterState,
} from './state.ts';
import { type Exchanged, transact } from './transact.ts';

export interface PskSessionRequest {
  /** names the key to both sides: `config.psk` knows it here */
  readonly hint: Uint8Array;
  readonly summaryType: number;
  /** SessionPolicy bit 0: the session survives a runtime update (1.2) */
  readonly terminationPolicy: 0 | 1;
  /** SessionPolicy bit 1: subscribed to every event from the start (1.3) */
  readonly eventAllPolicy?: 0 | 1;
}

const HINT_MAX = 0xffff;
const WITH_CONTEXT = 2;
/** A context holds at least a nonce of 32 bytes; a shorter one is chosen to be a fault. */
const CONTEXT_MIN = 32;

/**
 * PSK_EXCHANGE and, with responder context, PSK_FINISH. Faults: PSK_EXCHANGE_*, and those of `transact`.
 * @throws LocalError if `config.psk` does not know the hint, or it is longer than 65,535 bytes
 */
export function* openPskSession(
  state: RequesterState,
  asked: PskSessionRequest,
): Exchange<RequesterSession> {
  const negotiated = negotiatedOrThrow(state);
  const { config } = state;
  if (!bothHave(negotiated, 'PSK_CAP') || !bothHave(negotiated, 'MAC_CAP'))
    return peerFault('PSK_EXCHANGE_CAP', 'one of the two does no sessions from pre-shared keys');
  if (!opaqueUsable(negotiated))
    return peerFault('PSK_EXCHANGE_OPAQUE', 'OpaqueDataFmt1 was not agreed on');
  const psk = config.psk?.(asked.hint);
  if (psk === undefined || asked.hint.length > HINT_MAX)
    throw new LocalError('asked.hint: config.psk has no key for it');
  const ReqSessionID = nextReqSessionId(state);
  const policy = asked.terminationPolicy | ((asked.eventAllPolicy ?? 0) << 1);
  state.work.push({ op: 'random', bytes: negotiated.hashSize });
  const answer = yield* transact(
    state,
    undefined,
    RequestCodes.PSK_EXCHANGE,
    ResponseCodes.PSK_EXCHANGE_RSP,
    {
      Param1: asked.summaryType,
      Param2: negotiated.version >= SpdmVersions.V1_2 ? policy : 0,
      ReqSessionID,
      PSKHint: asked.hint,
      RequesterContext: config.random(negotiated.hashSize),
      OpaqueData: offerSecured(config, negotiated),
    },
    { summary: summaryPresent(asked.summaryType, state.responderFlags) },
  );
  if (isPeerFault(answer)) return answer;
  const session = keyedSession(state, psk, ReqSessionID, answer);
  if (isPeerFault(session)) return session;
  state.sessions.set(session.id, session);
  if (capability(state.responderFlags, 'PSK_CAP') !== WITH_CONTEXT) {
    enterData(state, session);
    return session;
  }
  const finished = yield* pskFinish(state, session);
  if (isPeerFault(finished)) {
    state.sessions.delete(session.id);
    return finished;
  }
  return session;
}

/** A responder has a context if and only if its PSK_CAP says so. */
function contextFault(state: RequesterState, value: MessageValue<0x66>): PeerFault | undefined {
  const { length } = value.ResponderContext;
  const promised = capability(state.responderFlags, 'PSK_CAP') === WITH_CONTEXT;
  if (promised ? length >= CONTEXT_MIN : length === 0) return undefined;
  return peerFault('PSK_EXCHANGE_CONTEXT', `a responder context of ${length} bytes`);
}

function keyedSession(
  state: RequesterState,
  psk: Uint8Array,
  reqSessionId: number,
  { value, request, response }: Exchanged<0x66>,
): RequesterSession | PeerFault {
  const { crypto, binding, keyLog } = state.config;
  const negotiated = negotiatedOrThrow(state);
  const scopes = sessionScopes(crypto, negotiated, binding);
  if (scopes === undefined) throw new LocalError('state: the negotiated AEAD is not computed here');
  const context = contextFault(state, value);
  if (context !== undefined) return context;
  const secured = readSecured(state.config, negotiated, value.OpaqueData, 'PSK_EXCHANGE');
  if (isPeerFault(secured)) return secured;
  const hmac = value.ResponderVerifyData;
  const transcript = new SessionTranscript(state.transcript.handshakeStart(false), undefined);
  transcript.add(request, response.subarray(0, response.length - hmac.length));
  const th1 = crypto.hash(scopes.hash, transcript.bytes());
  const options = { psk: true, aeadLimitExponent: secured.aeadLimitExponent };
  const keys = new SessionKeys(scopes.keys, scopes.records, psk, th1, options);
  state.work.push({ op: 'hmac', bytes: negotiated.hashSize });
  if (!equal(hmac, keys.verifyDataOf('response', th1)))
    return peerFault('PSK_EXCHANGE_VERIFY_DATA', 'ResponderVerifyData is wrong');
  transcript.add(hmac);
  const id = reqSessionId + value.RspSessionID * 0x10000;
  keyLog?.({ kind: 'PSK', sessionId: id, secret: psk });
  return {
    id,
    kind: 'PSK',
    keys,
    transcript,
    heartbeatPeriod: value.Param1,
    summary: value.MeasurementSummaryHash,
    established: false,
  };
}

function* pskFinish(state: RequesterState, session: RequesterSession): Exchange<true> {
  const { keys, transcript } = session;
  const none = new Uint8Array(0);
  const params = { Param1: 0, Param2: 0, OpaqueData: none };
  const header = { SPDMVersion: state.version, RequestResponseCode: RequestCodes.PSK_FINISH };
  const bare = { ...header, ...params, RequesterVerifyData: none };
  transcript.add(encode(pskFinishLayout, bare, { version: state.version, hashSize: 0 }));
  const RequesterVerifyData = keys.verifyData('request', transcript.bytes());
  transcript.add(RequesterVerifyData);
  state.work.push({ op: 'hmac', bytes: RequesterVerifyData.length });
  const answer = yield* transact(
    state,
    session,
    RequestCodes.PSK_FINISH,
    ResponseCodes.PSK_FINISH_RSP,
    { ...params, RequesterVerifyData },
  );
  if (isPeerFault(answer)) return answer;
  transcript.add(answer.response);
  enterData(state, session);
  return true;
}

function enterData(state: RequesterState, session: RequesterSession): void {
  const { keys, transcript } = session;
  keys.enterDataPhase(state.config.crypto.hash(keys.scope.hash, transcript.bytes()));
  session.established = true;
}
