/** Messages that fit what a responder waits for at this moment: good ones, which others are made of. */

import { concat, le } from '../../protocols/codec/bytes.ts';
import { measurementChanged } from '../../protocols/spdm/events.ts';
import { bothHave } from '../../protocols/spdm/negotiate.ts';
import { answerEncapsulated } from '../../protocols/spdm/requester/encapsulated-answers.ts';
import type { RequesterSession } from '../../protocols/spdm/requester/state.ts';
import {
  askEndpointInfo,
  updateResponseKey,
} from '../../protocols/spdm/responder/encapsulated-requests.ts';
import { raiseEvent } from '../../protocols/spdm/responder/events.ts';
import type { ResponderState } from '../../protocols/spdm/responder/state.ts';
import type { Draw } from './mutate.ts';
import type { World } from './world.ts';

interface Moment {
  readonly world: World;
  readonly state: ResponderState;
  readonly session: RequesterSession | undefined;
  readonly draw: Draw;
}
type Live = (moment: Moment) => Uint8Array | undefined;

const CHUNK_MIN = 30;

const respondIfReady: Live = ({ world, state, draw }) => {
  const { held } = state;
  if (held === undefined) return undefined;
  if (draw.oneIn(2)) world.pair.responder.ready(held.token);
  return Uint8Array.of(state.version, 0xff, held.code, held.token);
};

const chunkGet: Live = ({ state, session }) => {
  const sending = state.transfers.get(session?.id)?.sending;
  if (sending === undefined) return undefined;
  const number = le(sending.next, state.version >= 0x14 ? 4 : 2);
  return concat(Uint8Array.of(state.version, 0x86, 0, sending.handle), number);
};

/** GET_MEASUREMENTS of all, in more bytes than it has, in chunks of the smallest size. */
const chunkSend: Live = ({ state, session }) => {
  const { version } = state;
  if (version < 0x12) return undefined;
  const receiving = state.transfers.get(session?.id)?.receiving;
  const next = receiving?.next ?? 0;
  const left = (receiving?.size ?? 80) - (receiving?.received ?? 0);
  const size = Math.min(CHUNK_MIN, left);
  const head = Uint8Array.of(version, 0x85, left === size ? 1 : 0, receiving?.handle ?? 9);
  const number = version >= 0x14 ? le(next, 4) : concat(le(next, 2), le(0, 2));
  const whole = next === 0 ? le(80, 4) : new Uint8Array(0);
  const chunk = new Uint8Array(size);
  if (next === 0) chunk.set([version, 0xe0, 0, 0xff]);
  return concat(head, number, le(size, 4), whole, chunk);
};

/** The answer to the encapsulated request that is out, or a request for one. */
const encapsulated: Live = ({ world, state, session, draw }) => {
  const { negotiated, version } = state;
  // The requester may have stayed behind where a message of its place took the responder further.
  if (world.pair.requester.negotiated === undefined) return undefined;
  if (negotiated === undefined || !bothHave(negotiated, 'ENCAP_CAP')) return undefined;
  const inside = session !== undefined;
  const flow = state.encapsulated.find(
    (each) => (each.inRecords ? each.sessionId : undefined) === session?.id,
  );
  if (flow === undefined) return putInLine({ world, state, session, draw });
  if (flow.phase === 'queued') return Uint8Array.of(version, 0xea, 0, 0);
  const context = {
    session,
    plain: !inside,
    digests: undefined,
    digestsWindow: 'open' as const,
    updating: false,
  };
  const answer = answerEncapsulated(world.pair.requester, context, flow.step.request);
  return concat(Uint8Array.of(version, 0xeb, flow.requestId, 0), answer);
};

/** Gives the responder something to ask. */
function putInLine({ state, session, draw }: Moment): Uint8Array | undefined {
  const established = session !== undefined && state.sessions.get(session.id)?.established === true;
  const get = Uint8Array.of(state.version, 0xea, 0, 0);
  if (!established) return draw.oneIn(4) ? get : undefined;
  const what = draw.below(3);
  if (what === 0) updateResponseKey(state, session.id);
  if (what === 1 && state.version >= 0x13)
    askEndpointInfo(state, session.id, { slot: undefined, told: () => {} });
  if (what === 2) raiseEvent(state, measurementChanged(1));
  return get;
}

const keyUpdate: Live = ({ state, session, draw }) => {
  const pending = session && state.sessions.get(session.id)?.keyUpdate;
  if (session === undefined) return undefined;
  const operation = pending === undefined ? 1 + draw.below(2) : 3;
  return Uint8Array.of(state.version, 0xe9, operation, draw.below(256));
};

const finish: Live = ({ world }) => world.finish?.slice();

const lives: readonly Live[] = [
  respondIfReady,
  chunkGet,
  chunkSend,
  encapsulated,
  keyUpdate,
  finish,
];

/** One of them, preferably what something waits for; undefined: nothing fits. */
export function liveMessage(
  world: World,
  session: RequesterSession | undefined,
  draw: Draw,
): Uint8Array | undefined {
  const { state } = world.pair.responder;
  const moment = { world, state, session, draw };
  const waited = [respondIfReady, chunkGet].find((live) => live(moment) !== undefined);
  return (waited !== undefined && !draw.oneIn(4) ? waited : draw.pick(lives))(moment);
}
