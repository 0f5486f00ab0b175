/** One whole conversation, step by step, for tests that change one of its answers. */

import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { mutations } from '../../../protocols/codec/mutate.ts';
import { isPeerFault, type PeerFault } from '../../../protocols/codec/refusal.ts';
import { connectionFacts, layoutOf } from '../../../protocols/spdm/messages/registry.ts';
import { challenge, getMeasurements } from '../../../protocols/spdm/requester/auth.ts';
import {
  getCertificate,
  getDigests,
  trustChain,
} from '../../../protocols/spdm/requester/certificates.ts';
import { openSession } from '../../../protocols/spdm/requester/session.ts';
import { endSession, heartbeat } from '../../../protocols/spdm/requester/session-life.ts';
import type { RequesterSession } from '../../../protocols/spdm/requester/state.ts';
import { negotiate } from '../../../protocols/spdm/requester/vca.ts';
import { vendor } from '../../../protocols/spdm/requester/vendor.ts';
import type { Pair } from './pair.ts';

const SIGNED = { slot: 0, operation: 0xff, signed: true } as const;

function* saying(hex: string): Generator<Uint8Array, Uint8Array, Uint8Array> {
  return yield fromHex(hex);
}

/** What became of a conversation: the first fault, or what it learned. */
export interface Story {
  readonly fault: PeerFault | undefined;
  readonly session: RequesterSession | undefined;
  /** the vendor protocol's answer */
  readonly said: string | undefined;
}

/** VCA, chain, CHALLENGE, measurements, a session, and what one does in it, up to the first fault. */
export function converse(pair: Pair): Story {
  const { requester } = pair;
  let session: RequesterSession | undefined;
  const failed = (fault: PeerFault): Story => ({ fault, session, said: undefined });
  const negotiated = pair.run(negotiate(requester));
  if (isPeerFault(negotiated)) return failed(negotiated);
  const digests = pair.run(getDigests(requester));
  if (isPeerFault(digests)) return failed(digests);
  const chain = pair.run(getCertificate(requester, 0, digests.get(0)));
  if (isPeerFault(chain)) return failed(chain);
  const leaf = trustChain(requester, 0);
  if (isPeerFault(leaf)) return failed(leaf);
  const challenged = pair.run(challenge(requester, 0, 0xff));
  if (isPeerFault(challenged)) return failed(challenged);
  const outside = pair.run(getMeasurements(requester, undefined, SIGNED));
  if (isPeerFault(outside)) return failed(outside);
  const asked = { slot: 0, summaryType: 0xff, terminationPolicy: 0 } as const;
  const opened = pair.run(openSession(requester, asked));
  if (isPeerFault(opened)) return failed(opened);
  session = opened;
  const inside = pair.run(getMeasurements(requester, opened, SIGNED));
  if (isPeerFault(inside)) return failed(inside);
  const beat = pair.run(heartbeat(requester, opened));
  if (isPeerFault(beat)) return failed(beat);
  const said = pair.run(vendor(requester, opened, 1, saying('0a0b0c')));
  if (isPeerFault(said)) return failed(said);
  const ended = pair.run(endSession(requester, opened));
  if (isPeerFault(ended)) return failed(ended);
  return { fault: undefined, session, said: toHex(said) };
}

export interface Answer {
  readonly index: number;
  /** the session's, whose answers are sealed */
  readonly sessionId: number | undefined;
  readonly request: Uint8Array;
  readonly bytes: Uint8Array;
}

/** Every answer of a good conversation, in the clear. */
export function answersOf(pair: Pair): Answer[] {
  const answers: Answer[] = [];
  const receive = pair.responder.receive.bind(pair.responder);
  pair.responder.receive = (packet) => {
    const outcome = receive(packet);
    const { request, answer, reply } = outcome;
    const sessionId = reply?.secured ? outcome.sessionId : undefined;
    answers.push({ index: answers.length, sessionId, request, bytes: answer! });
    return outcome;
  };
  converse(pair);
  return answers;
}

/** The responder gives `bytes` as its answer number `index`, sealed where the true one was. */
export function answering(pair: Pair, index: number, bytes: Uint8Array): Pair {
  let count = 0;
  const receive = pair.responder.receive.bind(pair.responder);
  pair.responder.receive = (packet) => {
    if (count++ !== index) return receive(packet);
    const sessions = [...pair.responder.state.sessions.values()];
    const seals = sessions.map(({ keys }) => keys.seal);
    for (const [i, { keys }] of sessions.entries())
      keys.seal = (side, id) => seals[i]!.call(keys, side, id, bytes);
    const outcome = receive(packet);
    for (const [i, { keys }] of sessions.entries()) keys.seal = seals[i]!;
    const { reply } = outcome;
    return reply === undefined || reply.secured
      ? outcome
      : { ...outcome, reply: { secured: false, bytes } };
  };
  return pair;
}

/** The answer with every field wrong in turn. */
export function* wrongAnswers(
  pair: Pair,
  answer: Answer,
): Generator<{ name: string; bytes: Uint8Array }> {
  const { bytes, request } = answer;
  const facts = {
    ...connectionFacts(bytes[0]!, pair.responder.state.negotiated),
    summary: 1,
    signed: request[1] === 0xe0 && (request[2]! & 1) === 1 ? 1 : 0,
  };
  for (const mutation of mutations(layoutOf(bytes[1]!)!, bytes, facts))
    if (toHex(mutation.bytes) !== toHex(bytes)) yield mutation;
}
