/** Requester side of KEY_EXCHANGE, FINISH, HEARTBEAT, END_SESSION and vendor messages. */

import { concat, equal } from '../../codec/bytes.ts';
import { encode } from '../../codec/layout.ts';
import { isPeerFault, LocalError, peerFault } from '../../codec/refusal.ts';
import { curves } from '../../crypto/algorithms.ts';
import { drawPrivateKey } from '../../crypto/provider.ts';
import type { VendorExchange } from '../../engine.ts';
import { suiteOf } from '../algorithms.ts';
import {
  capability,
  PCI_SIG_VENDOR_ID,
  RegistryIds,
  RequestCodes,
  ResponseCodes,
} from '../codes.ts';
import { finish as finishLayout } from '../messages/session.ts';
import { handshakeInTheClear, summaryPresent } from '../negotiate.ts';
import { readVersionSelection, SECURED_MESSAGE_1_1, supportedVersionsOpaque } from '../opaque.ts';
import { SessionKeys, sessionScopes } from '../session-keys.ts';
import { SigningContexts } from '../signing.ts';
import { SessionTranscript } from '../transcript.ts';
import { chainOf, hashName, negotiatedOrThrow, signatureFits } from './auth.ts';
import {
  type Exchange,
  type Exchanged,
  type RequesterSession,
  type RequesterState,
  transact,
} from './state.ts';

export interface SessionRequest {
  readonly slot: number;
  readonly summaryType: number;
  /** SessionPolicy bit 0: the session survives a runtime update */
  readonly terminationPolicy: 0 | 1;
}

/** KEY_EXCHANGE and FINISH. Faults: KEY_EXCHANGE_*, FINISH_*, and those of `transact`. */
export function* openSession(
  state: RequesterState,
  asked: SessionRequest,
): Exchange<RequesterSession> {
  const { crypto, random } = state.config;
  const negotiated = negotiatedOrThrow(state);
  const both = (negotiated.requesterFlags & negotiated.responderFlags) >>> 0;
  if (capability(both, 'KEY_EX_CAP') === 0)
    return peerFault('KEY_EXCHANGE_CAP', 'one of the two does no key exchange');
  chainOf(state, asked.slot);
  const curve = suiteOf(negotiated)?.curve;
  if (curve === undefined) throw new LocalError('state: the negotiated DHE is not computed here');
  const privateKey = drawPrivateKey(crypto, curve, curves[curve].fieldSize, random);
  state.work.push({ op: 'dhe-generate' });
  const ReqSessionID = 0xffff - (state.sessionsOpened++ % 0xffff);
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
      SessionPolicy: asked.terminationPolicy,
      RandomData: random(32),
      ExchangeData: crypto.publicKey(curve, privateKey),
      OpaqueData: supportedVersionsOpaque([SECURED_MESSAGE_1_1]),
    },
    { summary },
  );
  if (isPeerFault(answer)) return answer;
  const secret = crypto.sharedSecret(curve, privateKey, answer.value.ExchangeData);
  state.work.push({ op: 'dhe-compute' });
  if (secret === undefined)
    return peerFault('KEY_EXCHANGE_DATA', 'ExchangeData is no point of the curve');
  const session = keyedSession(state, asked.slot, ReqSessionID, answer, secret);
  if (isPeerFault(session)) return session;
  state.config.keyLog?.(secret);
  state.sessions.set(session.id, session);
  const finished = yield* finish(state, session);
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
  secret: Uint8Array,
) {
  const { crypto, binding } = state.config;
  const negotiated = negotiatedOrThrow(state);
  const scopes = sessionScopes(crypto, negotiated, binding);
  if (scopes === undefined) throw new LocalError('state: the negotiated AEAD is not computed here');
  const { value, request, response } = answer;
  if (value.MutAuthRequested !== 0)
    return peerFault('KEY_EXCHANGE_MUT_AUTH', 'mutual authentication was not offered');
  const selected = readVersionSelection(value.OpaqueData);
  if (!selected.ok || selected.value !== SECURED_MESSAGE_1_1)
    return peerFault('KEY_EXCHANGE_SECURED_VERSION', 'no secured message version was agreed on');
  const hmac = value.ResponderVerifyData ?? new Uint8Array(0);
  const end = response.length - value.Signature.length - hmac.length;
  const chainHash = crypto.hash(hashName(state), chainOf(state, slot));
  const transcript = new SessionTranscript(state.transcript.a.bytes(), chainHash);
  transcript.add(request, response.subarray(0, end));
  const { KEY_EXCHANGE_RSP } = SigningContexts;
  if (!signatureFits(state, slot, KEY_EXCHANGE_RSP, transcript.bytes(), value.Signature))
    return peerFault('KEY_EXCHANGE_SIGNATURE', 'the signature does not cover this exchange');
  transcript.add(value.Signature);
  const th1 = crypto.hash(scopes.hash, transcript.bytes());
  const keys = new SessionKeys(scopes.keys, scopes.records, secret, th1);
  state.work.push({ op: 'hmac', bytes: negotiated.hashSize });
  if (hmac.length > 0 && !equal(hmac, keys.verifyData('response', transcript.bytes())))
    return peerFault('KEY_EXCHANGE_VERIFY_DATA', 'ResponderVerifyData is wrong');
  transcript.add(hmac);
  const session: RequesterSession = {
    id: reqSessionId + value.RspSessionID * 0x10000,
    keys,
    transcript,
    heartbeatPeriod: value.Param1,
    summary: value.MeasurementSummaryHash,
    established: false,
  };
  return session;
}

function* finish(state: RequesterState, session: RequesterSession): Exchange<true> {
  const { crypto } = state.config;
  const negotiated = negotiatedOrThrow(state);
  const clear = handshakeInTheClear(negotiated);
  const OpaqueData = new Uint8Array(0);
  const header = { SPDMVersion: state.version, RequestResponseCode: RequestCodes.FINISH };
  const unsigned = { ...header, Param1: 0, Param2: 0, OpaqueData };
  const facts = { version: state.version, hashSize: 0 };
  const empty = { ...unsigned, RequesterVerifyData: new Uint8Array(0) };
  session.transcript.add(encode(finishLayout, empty, facts));
  const RequesterVerifyData = session.keys.verifyData('request', session.transcript.bytes());
  session.transcript.add(RequesterVerifyData);
  state.work.push({ op: 'hmac', bytes: negotiated.hashSize });
  const answer = yield* transact(
    state,
    clear ? undefined : session,
    RequestCodes.FINISH,
    ResponseCodes.FINISH_RSP,
    { Param1: 0, Param2: 0, OpaqueData, RequesterVerifyData },
  );
  if (isPeerFault(answer)) return answer;
  const hmac = answer.value.ResponderVerifyData ?? new Uint8Array(0);
  session.transcript.add(answer.response.subarray(0, answer.response.length - hmac.length));
  const expected = session.keys.verifyData('response', session.transcript.bytes());
  if (clear && !equal(hmac, expected))
    return peerFault('FINISH_VERIFY_DATA', 'ResponderVerifyData is wrong');
  session.transcript.add(hmac);
  session.keys.enterDataPhase(crypto.hash(hashName(state), session.transcript.bytes()));
  session.established = true;
  return true;
}

export function* heartbeat(state: RequesterState, session: RequesterSession): Exchange<true> {
  const { HEARTBEAT } = RequestCodes;
  const fields = { Param1: 0, Param2: 0 };
  const answer = yield* transact(state, session, HEARTBEAT, ResponseCodes.HEARTBEAT_ACK, fields);
  return isPeerFault(answer) ? answer : true;
}

export function* endSession(state: RequesterState, session: RequesterSession): Exchange<true> {
  const { END_SESSION } = RequestCodes;
  const fields = { Param1: 0, Param2: 0 };
  const answer = yield* transact(
    state,
    session,
    END_SESSION,
    ResponseCodes.END_SESSION_ACK,
    fields,
  );
  state.sessions.delete(session.id);
  return isPeerFault(answer) ? answer : true;
}

const PCI_SIG_ID = Uint8Array.of(PCI_SIG_VENDOR_ID, 0);

/** Drives a vendor protocol's requester through this session to its end. */
export function* vendor<T>(
  state: RequesterState,
  session: RequesterSession | undefined,
  protocolId: number,
  exchange: VendorExchange<T>,
): Exchange<T> {
  let step = exchange.next();
  while (!step.done) {
    const answer = yield* transact(
      state,
      session,
      RequestCodes.VENDOR_DEFINED_REQUEST,
      ResponseCodes.VENDOR_DEFINED_RESPONSE,
      {
        Param1: 0,
        Param2: 0,
        StandardID: RegistryIds.PCI_SIG,
        VendorID: PCI_SIG_ID,
        Payload: concat(Uint8Array.of(protocolId), step.value),
      },
    );
    if (isPeerFault(answer)) return answer;
    const { StandardID, VendorID, Payload } = answer.value;
    if (
      StandardID !== RegistryIds.PCI_SIG ||
      !equal(VendorID, PCI_SIG_ID) ||
      Payload[0] !== protocolId
    )
      return peerFault('VENDOR_ANSWER', 'the answer belongs to another vendor protocol');
    step = exchange.next(Payload.slice(1));
  }
  return step.value;
}
