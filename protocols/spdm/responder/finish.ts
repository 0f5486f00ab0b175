/** Responder side of FINISH (DSP0274 10.13): the HMAC, and with mutual authentication the signature. */

import { concat, equal } from '../../codec/bytes.ts';
import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import { peerFault } from '../../codec/refusal.ts';
import { ErrorCodes, RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import { connectionFacts } from '../messages/registry.ts';
import * as layouts from '../messages/session.ts';
import { handshakeInTheClear } from '../negotiate.ts';
import { SigningContexts, verifyTranscript } from '../signing.ts';
import { tellAuthenticated, tellRefused } from './mutual.ts';
import { sessionLifeHandlers } from './session-life.ts';
import {
  type Answer,
  answerHeader,
  type Handlers,
  hashOf,
  invalid,
  type ResponderSession,
  type ResponderState,
  type SessionEstablished,
  type Turn,
} from './state.ts';

const SIGNATURE_INCLUDED = 1;

type Finish = ValueOf<typeof layouts.finish>;

/** FINISH carries a signature if and only if one was asked for and can be judged. */
function formLegal(value: Finish, session: ResponderSession): boolean {
  const { requested, slot, leaf } = session.mutual;
  const isSigned = (value.Param1 & SIGNATURE_INCLUDED) !== 0;
  if (requested === 0) return !isSigned;
  return isSigned && leaf !== undefined && value.Param2 === slot;
}

/** The session carries this last ERROR, and is over then. */
function fail(
  state: ResponderState,
  turn: Turn,
  { id, mutual }: ResponderSession,
  what: 'Signature' | 'RequesterVerifyData',
): Answer {
  const reason = `FINISH ${what} is wrong`;
  turn.commits.push(() => {
    if (mutual.requested !== 0) tellRefused(turn, peerFault('REQUESTER_FINISH', reason), id);
    state.endSession(id, turn.effects, reason);
  });
  return { error: ErrorCodes.DecryptError };
}

/** What TH gains in front of FINISH with mutual authentication. */
function requesterIdentity(state: ResponderState, session: ResponderSession): Uint8Array {
  const { digests, identity, requested } = session.mutual;
  if (requested === 0) return new Uint8Array(0);
  const { crypto } = state.config;
  const hash = crypto.hash(hashOf(state), identity!);
  return concat(digests ?? new Uint8Array(0), hash);
}

function answerFinish(
  state: ResponderState,
  turn: Turn,
  value: Finish,
  session: ResponderSession,
): Answer {
  const { hashSize } = state.negotiated!;
  const { keys, transcript } = session;
  if (!formLegal(value, session)) return invalid;
  const signature = value.Signature ?? new Uint8Array(0);
  const signed = turn.request.length - hashSize;
  const bare = turn.request.subarray(0, signed - signature.length);
  const covered = concat(transcript.bytes(), requesterIdentity(state, session), bare);
  turn.work.push({ op: 'hash', bytes: covered.length }, { op: 'hmac', bytes: hashSize });
  if (!signatureFits(state, turn, session, covered, signature))
    return fail(state, turn, session, 'Signature');
  const authenticated = concat(covered, signature);
  if (!equal(keys.verifyData('request', authenticated), value.RequesterVerifyData))
    return fail(state, turn, session, 'RequesterVerifyData');
  return finished(state, turn, session, concat(authenticated, value.RequesterVerifyData));
}

function signatureFits(
  state: ResponderState,
  turn: Turn,
  { mutual }: ResponderSession,
  covered: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { leaf, requested } = mutual;
  if (requested === 0 || leaf === undefined) return true;
  turn.work.push({ op: 'verify' });
  const scope = { crypto: state.config.crypto, hash: hashOf(state), version: turn.version };
  const { algorithm, publicKey } = leaf;
  const { FINISH } = SigningContexts;
  return verifyTranscript(scope, algorithm, publicKey, FINISH, covered, signature);
}

/** FINISH_RSP; `th` goes up to the end of FINISH. Nothing of the session changes before its commit. */
function finished(
  state: ResponderState,
  turn: Turn,
  session: ResponderSession,
  th: Uint8Array,
): Answer {
  const { crypto } = state.config;
  const { hashSize } = state.negotiated!;
  const { keys, mutual } = session;
  const clear = handshakeInTheClear(state.negotiated!);
  const facts = connectionFacts(turn.version, state.negotiated);
  const opaque = turn.version >= SpdmVersions.V1_4 ? { OpaqueData: new Uint8Array(0) } : {};
  const answer = { ...answerHeader(turn, ResponseCodes.FINISH_RSP), ...opaque };
  const ResponderVerifyData = new Uint8Array(hashSize);
  const draft = encode(
    layouts.finishRsp,
    clear ? { ...answer, ResponderVerifyData } : answer,
    facts,
  );
  const bare = clear ? draft.subarray(0, draft.length - hashSize) : draft;
  const before = concat(th, bare);
  const hmac = clear ? keys.verifyData('response', before) : new Uint8Array(0);
  const th2 = concat(before, hmac);
  turn.commits.push(() => {
    keys.enterDataPhase(crypto.hash(keys.scope.hash, th2));
    establish(turn, session);
    const { leaf, slot, identity } = mutual;
    if (mutual.requested === 0) return;
    state.requester = { slot: slot!, identity: identity!, leaf: leaf! };
    tellAuthenticated(turn, slot!, session.id);
  });
  return concat(bare, hmac);
}

/** The handshake is done: tells the owner, who arms the watchdog. */
export function establish(turn: Turn, session: ResponderSession): void {
  session.established = true;
  const established: SessionEstablished = {
    type: 'session-established',
    sessionId: session.id,
    heartbeatPeriod: session.heartbeatPeriod,
  };
  turn.effects.push(established);
}

export const finishHandlers: Handlers = {
  [RequestCodes.FINISH]: answerFinish,
  ...sessionLifeHandlers,
};
