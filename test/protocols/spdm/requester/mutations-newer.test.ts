/**
 * A hostile responder in PSK sessions, key updates, encapsulation, events, chunks and late answers: every
 * answer, and every request it encapsulates, with every field wrong, sealed with the right keys where the
 * true one was. Each ends in a named fault after a bounded number of steps, or is harmless and listed so.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, equal } from '../../../../protocols/codec/bytes.ts';
import { mutations } from '../../../../protocols/codec/mutate.ts';
import type { Negotiated } from '../../../../protocols/spdm/algorithms.ts';
import {
  connectionFacts,
  encapsulatedFacts,
  layoutOf,
} from '../../../../protocols/spdm/messages/registry.ts';
import { type Answer, answering } from '../conversation.ts';
import { type Flow, flowPair, flows, play } from '../flows.ts';

const test = suite('spdm requester mutations, newer messages');

/** Every answer of a good flow, in the clear. */
function answersIn(flow: Flow): { answers: Answer[]; fault: string | undefined } {
  const pair = flowPair(flow);
  const answers: Answer[] = [];
  const receive = pair.responder.receive.bind(pair.responder);
  pair.responder.receive = (packet) => {
    const outcome = receive(packet);
    const { request, answer, reply } = outcome;
    const sessionId = reply?.secured ? outcome.sessionId : undefined;
    answers.push({ index: answers.length, sessionId, request, bytes: answer! });
    return outcome;
  };
  return { fault: play(flow, pair), answers };
}

const ENCAPSULATED_REQUEST = 0x6a;
const ENCAPSULATED_RESPONSE_ACK = 0x6b;
const PRESENT = 1;

/** Where the request stands that an answer carries; undefined: it carries none. */
function carriedAt(bytes: Uint8Array): number | undefined {
  if (bytes[1] === ENCAPSULATED_REQUEST) return 4;
  if (bytes[1] !== ENCAPSULATED_RESPONSE_ACK || bytes[3] !== PRESENT) return undefined;
  return bytes[0]! >= 0x12 ? 8 : 4;
}

/** The answer with every field wrong, and what it carries with every field of its own. */
function wrongOnes(agreed: Negotiated | undefined, { bytes, request }: Answer) {
  const asked = request[2] === 0 ? 0 : 1;
  const facts = { ...connectionFacts(bytes[0]!, agreed), summary: asked, signed: asked };
  const wrong = [...mutations(layoutOf(bytes[1]!)!, bytes, facts)];
  const at = carriedAt(bytes);
  if (at !== undefined) {
    const inner = bytes.subarray(at);
    const within = mutations(layoutOf(inner[1]!)!, inner, encapsulatedFacts(bytes[0]!, agreed!));
    for (const { name, bytes: lie } of within)
      wrong.push({ name: `within, ${name}`, bytes: concat(bytes.subarray(0, at), lie) });
  }
  return wrong.filter((lie) => !equal(lie.bytes, bytes));
}

const PARAMS = /^Param[12]:/;
/**
 * Wrong answers that are taken: reserved bits; what a requester has to believe until something is signed;
 * another question than the responder's own, which it answers.
 */
const harmless: Readonly<Record<string, RegExp>> = {
  DIGESTS: /^(Param[12]:|Digest)/,
  CERTIFICATE: /^(Param2:|RemainderLength:zero|CertChain:flip)/,
  // Reserved parameters; they are part of TH2, so that nothing else is understood after them.
  PSK_FINISH_RSP: PARAMS,
  FINISH_RSP: PARAMS,
  EVENT_ACK: PARAMS,
  SUBSCRIBE_EVENT_TYPES_ACK: PARAMS,
  SUPPORTED_EVENT_TYPES:
    /^(Param2:|SupportedEventGroupsList\[0\]\.(ID|EventGroupVer|Attributes|EventType))/,
  ENCAPSULATED_REQUEST: /^(Param2:|EncapsulatedRequest:|within, )/,
  ENCAPSULATED_RESPONSE_ACK:
    /^(Param[12]:|Reserved:|EncapsulatedRequest:flip|within, (Param|Length))/,
  // An ERROR may come in any version; Busy, and another time to wait, are taken as such.
  ERROR: /^(SPDMVersion|Param[12]|RDT|end:one-byte-more)/,
  CHUNK_RESPONSE: /^Reserved:/,
};

/** No flow takes more messages: what is more is a lie that does not end. */
const STEPS_MAX = 400;

for (const [title, flow] of Object.entries(flows)) {
  const { answers, fault } = answersIn(flow);
  test(`${title}: nothing wrong in it`, () => assert.is(fault, undefined));
  const seen = new Map<number, number>();
  for (const answer of answers) {
    const code = answer.request[1]!;
    const times = (seen.get(code) ?? 0) + 1;
    seen.set(code, times);
    if (!flow.about.includes(code) || times > 2) continue;
    const { name } = layoutOf(answer.bytes[1]!)!;
    test(`F-S01 ${title}: answer ${answer.index}, ${name}`, () => {
      const whole = flowPair(flow);
      play(flow, whole);
      const lies = wrongOnes(whole.requester.negotiated, answer);
      assert.ok(lies.length > 0);
      for (const { name: lie, bytes } of lies) {
        const pair = answering(flowPair(flow), answer.index, bytes);
        const ended = play(flow, pair);
        assert.ok(pair.wire.length < STEPS_MAX, `${lie}: ${pair.wire.length} steps`);
        if (ended === undefined) {
          const padding = answer.sessionId === undefined && lie.endsWith('end:one-byte-more');
          assert.ok(padding || harmless[name]?.test(lie), `${lie} was taken`);
          continue;
        }
        assert.match(ended, /^[A-Za-z0-9_]+$/);
        const handshake = /KEY_EXCHANGE|PSK|FINISH|ENCAPSULATED/.test(name) && !/key/.test(title);
        if (handshake && /^(KEY_EXCHANGE|PSK_EXCHANGE|FINISH)/.test(ended))
          assert.is(pair.requester.sessions.size, 0, `${lie}: no session`);
      }
    });
  }
}

test.run();
