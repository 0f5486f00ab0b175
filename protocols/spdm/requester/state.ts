/**
 * What a requester is built from and remembers, and the one way it sends: `transact`. Requesters are
 * generators: they yield what is to be sent and receive what came back; a fault of the peer is their
 * return value, never an exception.
 */

import type { Facts, ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import { type PeerFault, peerFault, refusalText } from '../../codec/refusal.ts';
import type { Work } from '../../engine.ts';
import type { Negotiated } from '../algorithms.ts';
import { ErrorCodes, errorNames, RequestCodes, ResponseCodes } from '../codes.ts';
import {
  connectionFacts,
  decodeMessage,
  type KnownCode,
  layouts,
  type MessageValue,
} from '../messages/registry.ts';
import type { LeafKey } from '../observer/observer.ts';
import type { SpdmParty } from '../party.ts';
import type { Packet } from '../responder/responder.ts';
import { fromApplicationData, toApplicationData } from '../secured-message.ts';
import type { SessionKeys } from '../session-keys.ts';
import { ConnectionTranscript, type SessionTranscript } from '../transcript.ts';

/** A request on its way out. */
export interface Outgoing extends Packet {
  /** the message in the clear, for traces */
  readonly clear: Uint8Array;
  readonly sessionId: number | undefined;
  /** what the requester had to compute since its last request */
  readonly work: readonly Work[];
}
export type Exchange<T> = Generator<Outgoing, T | PeerFault, Packet>;

export interface RequesterConfig extends SpdmParty {
  /** bytes asked for by each GET_CERTIFICATE */
  readonly certificatePortion: number;
  /** judges a certificate chain blob and gives the leaf's key */
  readonly trust: (chain: Uint8Array, hashSize: number) => LeafKey | PeerFault;
  /** is told each session's shared secret, for capture tools; leave it out where that is not wanted */
  readonly keyLog?: (secret: Uint8Array) => void;
}

export interface RequesterSession {
  readonly id: number;
  readonly keys: SessionKeys;
  readonly transcript: SessionTranscript;
  readonly heartbeatPeriod: number;
  /** MeasurementSummaryHash of KEY_EXCHANGE_RSP, if it was asked for */
  readonly summary: Uint8Array | undefined;
  established: boolean;
}

export class RequesterState {
  readonly config: RequesterConfig;
  readonly transcript = new ConnectionTranscript();
  readonly sessions = new Map<number, RequesterSession>();
  readonly chains = new Map<number, Uint8Array>();
  readonly leaves = new Map<number, LeafKey>();
  version = 0x10;
  responderFlags = 0;
  /** no request may be longer; without limit until CAPABILITIES names one */
  responderDataTransferSize = Number.POSITIVE_INFINITY;
  negotiated: Negotiated | undefined;
  authenticated = false;
  work: Work[] = [];
  sessionsOpened = 0;

  constructor(config: RequesterConfig) {
    this.config = config;
  }
}

/** A good answer with the exact bytes of both messages, for the transcripts. */
export interface Exchanged<C extends KnownCode> {
  readonly value: MessageValue<C>;
  readonly request: Uint8Array;
  readonly response: Uint8Array;
}

/** Sends bytes, inside `session` or plain, and hands back the answer in the clear. */
function* sendBytes(
  state: RequesterState,
  session: RequesterSession | undefined,
  clear: Uint8Array,
): Exchange<Uint8Array> {
  const secured = session !== undefined;
  if (secured) state.work.push({ op: 'aead-seal', bytes: clear.length });
  const sealed = secured ? { seal: session.keys.nextSeal('request') } : {};
  const { binding } = state.config;
  const bytes = secured
    ? session.keys.seal('request', session.id, toApplicationData(binding, clear))
    : clear;
  const work = state.work;
  state.work = [];
  const incoming = yield { secured, bytes, ...sealed, clear, sessionId: session?.id, work };
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

/**
 * One request and its answer. The answer must carry the negotiated version and the expected code; an
 * ERROR becomes a PeerFault `SPDM_ERROR_<name>`.
 */
export function* transact<Q extends KnownCode, R extends KnownCode>(
  state: RequesterState,
  session: RequesterSession | undefined,
  requestCode: Q,
  responseCode: R,
  fields: Omit<MessageValue<Q>, 'SPDMVersion' | 'RequestResponseCode'>,
  extra: Facts = {},
): Exchange<Exchanged<R>> {
  const facts = { ...connectionFacts(state.version, state.negotiated), ...extra };
  const message = {
    SPDMVersion: state.version,
    RequestResponseCode: requestCode,
    ...fields,
  } as ValueOf<(typeof layouts)[Q]>;
  const request = encode(layouts[requestCode], message, facts);
  const room = state.responderDataTransferSize;
  if (request.length > room)
    return peerFault('REQUEST_TOO_LARGE', `${request.length} bytes, the responder takes ${room}`);
  if (session === undefined) state.transcript.onRequest(requestCode, state.authenticated);
  else if (requestCode !== RequestCodes.GET_MEASUREMENTS) session.transcript.l.clear();
  const answer = yield* sendBytes(state, session, request);
  if (!(answer instanceof Uint8Array)) return answer;
  const fault = answerFault(state, answer, responseCode);
  if (fault !== undefined) return fault;
  const decoded = decodeMessage(answer, facts, session === undefined ? 'leave' : 'refuse');
  if (!decoded.ok) return peerFault('MALFORMED_ANSWER', refusalText(decoded));
  const response = answer.slice(0, decoded.size);
  return { value: decoded.value as unknown as MessageValue<R>, request, response };
}

function answerFault(
  state: RequesterState,
  answer: Uint8Array,
  responseCode: number,
): PeerFault | undefined {
  const [version, code, param1, param2] = answer;
  if (answer.length < 4) return peerFault('MALFORMED_ANSWER', `${answer.length} bytes`);
  if (code === ResponseCodes.ERROR) {
    const name = errorNames[param1!] ?? `0x${param1!.toString(16)}`;
    return peerFault(`SPDM_ERROR_${name}`, `ERROR ${name}, data 0x${param2!.toString(16)}`);
  }
  if (version !== state.version)
    return peerFault('ANSWER_VERSION', `version 0x${version!.toString(16)} in the answer`);
  if (code !== responseCode)
    return peerFault(
      'ANSWER_CODE',
      `code 0x${code!.toString(16)} instead of 0x${responseCode.toString(16)}`,
    );
  return undefined;
}
