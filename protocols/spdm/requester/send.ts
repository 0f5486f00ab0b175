/** The one way a requester sends a message: plain or sealed, and what it makes of the bytes that come back. */

import { type PeerFault, peerFault, refusalText } from '../../codec/refusal.ts';
import { ErrorCodes, RequestCodes, ResponseCodes } from '../codes.ts';
import { fromApplicationData, toApplicationData } from '../secured-message.ts';
import type { Exchange, RequesterSession, RequesterState } from './state.ts';

/** ST1 of DSP0274 10.1: a responder's time for requests without cryptography, in us. */
const ST1_US = 100_000;

/** Requests whose answer may take the responder's CT. */
const cryptographic: readonly number[] = [
  RequestCodes.CHALLENGE,
  RequestCodes.GET_MEASUREMENTS,
  RequestCodes.GET_DIGESTS,
  RequestCodes.KEY_EXCHANGE,
  RequestCodes.FINISH,
  RequestCodes.PSK_EXCHANGE,
  RequestCodes.PSK_FINISH,
  RequestCodes.GET_CSR,
  RequestCodes.SET_CERTIFICATE,
  RequestCodes.SET_KEY_PAIR_INFO,
  RequestCodes.GET_ENDPOINT_INFO,
  RequestCodes.DELIVER_ENCAPSULATED_RESPONSE,
  RequestCodes.CHUNK_SEND,
];

const timeoutUs = (state: RequesterState, code: number): number =>
  cryptographic.includes(code) ? Math.max(ST1_US, 2 ** state.responderCtExponent) : ST1_US;

/** Sends one message, inside `session` or plain, and hands back the answer in the clear. */
export function* send(
  state: RequesterState,
  session: RequesterSession | undefined,
  clear: Uint8Array,
  waitUs = 0,
): Exchange<Uint8Array> {
  const secured = session !== undefined;
  if (secured && session.keys.exhausted('request')) {
    state.sessions.delete(session.id);
    return peerFault('AEAD_LIMIT', `session ${session.id} has used up its sequence numbers`);
  }
  if (secured) state.work.push({ op: 'aead-seal', bytes: clear.length });
  const sealed = secured ? { seal: session.keys.nextSeal('request') } : {};
  const { binding } = state.config;
  const bytes = secured
    ? session.keys.seal('request', session.id, toApplicationData(binding, clear))
    : clear;
  const work = state.work;
  state.work = [];
  const wait = waitUs > 0 ? { waitUs } : {};
  const due = { ...wait, timeoutUs: timeoutUs(state, clear[1]!) };
  const incoming = yield { secured, bytes, ...sealed, clear, sessionId: session?.id, work, ...due };
  if (!incoming.secured) return plainAnswer(state, session, incoming.bytes);
  if (session === undefined)
    return peerFault('UNEXPECTED_RECORD', 'a secured record answers a plain request');
  state.work.push({ op: 'aead-open', bytes: incoming.bytes.length });
  const opened = fromApplicationData(binding, session.keys.open('response', incoming.bytes));
  if (opened.ok) return opened.value;
  // DSP0277: a record that does not open ends the session.
  state.sessions.delete(session.id);
  return peerFault('RECORD', `answer in session ${session.id}: ${refusalText(opened)}`);
}

/** Nobody vouches for a plain answer, so a request in a session takes none but ERROR that way. */
function plainAnswer(
  state: RequesterState,
  session: RequesterSession | undefined,
  answer: Uint8Array,
): Uint8Array | PeerFault {
  if (session === undefined) return answer;
  if (answer[1] !== ResponseCodes.ERROR)
    return peerFault('PLAIN_ANSWER', `a plain message answers in session ${session.id}`);
  // With DecryptError the responder says that its end of the session is gone.
  if (answer[2] === ErrorCodes.DecryptError) state.sessions.delete(session.id);
  return answer;
}
