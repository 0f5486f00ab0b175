/** Requester side of FINISH (DSP0274 10.13): HMAC, and with mutual authentication the signature. */

import { concat, equal } from '../../codec/bytes.ts';
import { encode } from '../../codec/layout.ts';
import { isPeerFault, type PeerFault, peerFault } from '../../codec/refusal.ts';
import { RequestCodes, ResponseCodes } from '../codes.ts';
import type { MessageValue } from '../messages/registry.ts';
import { finish as finishLayout } from '../messages/session.ts';
import { handshakeInTheClear } from '../negotiate.ts';
import { SigningContexts, signTranscript } from '../signing.ts';
import { authenticateSelf, type OwnProof } from './mutual.ts';
import {
  type Exchange,
  hashName,
  negotiatedOrThrow,
  type RequesterSession,
  type RequesterState,
} from './state.ts';
import { transact } from './transact.ts';

const SIGNATURE_INCLUDED = 1;

/** Does what KEY_EXCHANGE_RSP asks for before FINISH, then FINISH. */
export function* finish(
  state: RequesterState,
  session: RequesterSession,
  asked: Pick<MessageValue<0x64>, 'MutAuthRequested' | 'SlotIDParam'>,
): Exchange<true> {
  const proof = yield* authenticateSelf(state, session, asked);
  if (isPeerFault(proof)) return proof;
  const clear = handshakeInTheClear(negotiatedOrThrow(state));
  const fields = finishFields(state, session, proof);
  const answer = yield* transact(
    state,
    clear ? undefined : session,
    RequestCodes.FINISH,
    ResponseCodes.FINISH_RSP,
    fields,
  );
  if (isPeerFault(answer)) return answer;
  const hmac = answer.value.ResponderVerifyData ?? new Uint8Array(0);
  return finished(state, session, answer.response, hmac) ?? true;
}

/** FINISH, with TH gone on up to its end. */
function finishFields(
  state: RequesterState,
  session: RequesterSession,
  proof: OwnProof | undefined,
) {
  const { crypto } = state.config;
  const { hashSize } = negotiatedOrThrow(state);
  const { keys, transcript } = session;
  const none = new Uint8Array(0);
  const Param1 = proof === undefined ? 0 : SIGNATURE_INCLUDED;
  const params = { Param1, Param2: proof?.slot ?? 0, OpaqueData: none };
  const header = { SPDMVersion: state.version, RequestResponseCode: RequestCodes.FINISH };
  const bare = { ...header, ...params, Signature: none, RequesterVerifyData: none };
  const facts = { version: state.version, hashSize: 0, requesterSignatureSize: 0 };
  if (proof !== undefined)
    transcript.add(concat(proof.digests ?? none, crypto.hash(hashName(state), proof.identity)));
  transcript.add(encode(finishLayout, bare, facts));
  const signed: { Signature?: Uint8Array } = {};
  if (proof !== undefined) {
    const scope = { crypto, hash: hashName(state), version: state.version };
    const covered = transcript.bytes();
    signed.Signature = signTranscript(scope, proof.signer, SigningContexts.FINISH, covered);
    transcript.add(signed.Signature);
    state.work.push({ op: 'hash', bytes: covered.length }, { op: 'sign' });
  }
  const RequesterVerifyData = keys.verifyData('request', transcript.bytes());
  transcript.add(RequesterVerifyData);
  state.work.push({ op: 'hmac', bytes: hashSize });
  return { ...params, ...signed, RequesterVerifyData };
}

/** Checks the answer's HMAC where it has one, and goes on to the data keys. */
function finished(
  state: RequesterState,
  session: RequesterSession,
  response: Uint8Array,
  hmac: Uint8Array,
): PeerFault | undefined {
  const { keys, transcript } = session;
  transcript.add(response.subarray(0, response.length - hmac.length));
  const expected = keys.verifyData('response', transcript.bytes());
  const clear = handshakeInTheClear(negotiatedOrThrow(state));
  if (clear && !equal(hmac, expected))
    return peerFault('FINISH_VERIFY_DATA', 'ResponderVerifyData is wrong');
  transcript.add(hmac);
  keys.enterDataPhase(state.config.crypto.hash(hashName(state), transcript.bytes()));
  session.established = true;
  return undefined;
}
