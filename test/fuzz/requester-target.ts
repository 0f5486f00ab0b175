/**
 * Mutated answers into a requester, plain and inside sessions. What must hold: nothing throws, every
 * exchange ends in bounded steps, and one that ends in a fault leaves no session and no trust behind.
 */

import { concat, toHex } from '../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../protocols/codec/refusal.ts';
import { openPskSession } from '../../protocols/spdm/requester/psk.ts';
import type { Exchange, RequesterSession } from '../../protocols/spdm/requester/state.ts';
import type { Packet } from '../../protocols/spdm/responder/responder.ts';
import type { Corpus } from './corpus.ts';
import { type Course, coursesOf } from './courses.ts';
import { Draw, mutate } from './mutate.ts';
import { count, type Epoch, SLOW_MS, type Tally } from './target.ts';
import { OPEN_PSK, VERSIONS, type World, worldAt } from './world.ts';

/** More messages than any exchange of the corpus's needs, and than a lie may cost. */
const STEPS_MAX = 4000;

/** Lies in the answers of one exchange: a chance per answer. */
class Liar {
  readonly draw: Draw;
  private readonly corpus: Corpus;
  /** what was said instead, for a finding */
  said = '';
  count = 0;
  /** no lie any more: so that a long exchange comes to its end */
  private left: number;

  constructor(draw: Draw, corpus: Corpus) {
    this.draw = draw;
    this.corpus = corpus;
    this.left = 1 + draw.below(3);
  }

  answer(good: Uint8Array): Uint8Array {
    const { draw } = this;
    if (this.left === 0 || draw.oneIn(4)) return good;
    this.left--;
    const stranger = draw.pick(this.corpus.responses);
    const base = draw.oneIn(8) ? stranger : good;
    const lie = mutate(base, draw, stranger);
    if (lie.length > 1 && !draw.oneIn(6)) lie[0] = good[0]!;
    if (lie.length > 1 && !draw.oneIn(6)) lie[1] = good[1]!;
    this.said += `${toHex(lie)} `;
    this.count++;
    return lie;
  }
}

/** The responder's answer, changed in the clear and sealed as if it were the true one. */
function answered(world: World, packet: Packet, liar: Liar): Packet | undefined {
  const { responder } = world.pair;
  const sessions = [...responder.state.sessions.values()];
  const seals = sessions.map(({ keys }) => keys.seal);
  const { name } = responder.state.config.binding;
  for (const [i, { keys }] of sessions.entries())
    keys.seal = (side, id, data) => {
      // On MCTP the message type byte comes first.
      const head = name === 'MCTP' && !liar.draw.oneIn(50) ? 1 : 0;
      const said = liar.answer(data.subarray(head));
      return seals[i]!.call(keys, side, id, concat(data.subarray(0, head), said));
    };
  const { reply } = responder.receive(packet);
  for (const [i, { keys }] of sessions.entries()) keys.seal = seals[i]!;
  if (reply === undefined || reply.secured) return reply;
  return { secured: false, bytes: liar.answer(reply.bytes) };
}

type Ending = 'good' | 'silence' | 'endless' | { readonly fault: string };

function drive(world: World, exchange: Exchange<unknown>, liar: Liar): Ending {
  let step = exchange.next();
  for (let steps = 0; !step.done; steps++) {
    if (steps === STEPS_MAX) return 'endless';
    const { held } = world.pair.responder.state;
    if (held !== undefined) world.pair.responder.ready(held.token);
    const packet = { secured: step.value.secured, bytes: step.value.bytes };
    const reply = answered(world, packet, liar);
    if (reply === undefined) return 'silence';
    step = exchange.next(reply);
  }
  return isPeerFault(step.value) ? { fault: step.value.code } : 'good';
}

/** What must not come of a fault: sessions and keys that were not there before. */
function belief({ pair }: World): readonly unknown[] {
  const { sessions, leaves, negotiated, authenticated } = pair.requester;
  return [negotiated, authenticated, ...leaves.values(), ...sessions.values()];
}

export function requesterEpoch(corpus: Corpus, seed: number): Epoch {
  return (epoch, tries, tally) => {
    const draw = new Draw(seed * 0x20003 + epoch);
    let world: World | undefined;
    const end = tally.tries + tries;
    for (let index = 0; tally.tries < end; index++) {
      world ??= worldAt('NEGOTIATED', draw.pick(VERSIONS), 1 + draw.below(1e6), draw);
      const good = tryOne(world, corpus, { epoch, index, draw, tally });
      if (!good) world = undefined;
    }
  };
}

interface Try {
  readonly epoch: number;
  readonly index: number;
  readonly draw: Draw;
  readonly tally: Tally;
}

/** False if the world is not fit for the next try. */
function tryOne(world: World, corpus: Corpus, at: Try): boolean {
  const { draw, tally, epoch, index } = at;
  const { pair } = world;
  const course: Course = draw.pick(coursesOf(world.version));
  const liar = new Liar(draw, corpus);
  const found = (what: string) =>
    tally.findings.push({
      role: 'requester',
      epoch,
      index,
      what: `${course.name}: ${what}`,
      bytes: liar.said.trim(),
    });
  try {
    const session = course.inSession ? sessionOf(world, draw) : undefined;
    const exchange = course.start(pair.requester, session, pair);
    const before = belief(world);
    const began = performance.now();
    const ending = drive(world, exchange, liar);
    const took = performance.now() - began;
    tally.slowestMs = Math.max(tally.slowestMs, took);
    if (took > SLOW_MS) found(`took ${Math.round(took)} ms`);
    if (ending === 'endless') found(`${STEPS_MAX} steps and no end`);
    tally.tries += liar.count;
    count(tally, typeof ending === 'string' ? ending : ending.fault);
    const gained = belief(world).filter((one) => !before.includes(one));
    const believed = gained.filter((one) => one !== undefined && one !== false);
    if (typeof ending !== 'string' && believed.length > 0 && !course.renegotiates)
      found(`fault ${ending.fault}, and yet something is believed`);
    return settled(world) && !course.renegotiates;
  } catch (error) {
    found(`threw ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`);
    return false;
  }
}

const SESSIONS_KEPT = 2;

/** Cleared away what a lie left half done; false if the two ends have come apart for good. */
function settled({ pair }: World): boolean {
  const { requester, responder, store } = pair;
  const { state } = responder;
  // Sessions one side alone knows of would fill the other up.
  for (const id of [...state.sessions.keys()])
    if (!requester.sessions.has(id)) state.endSession(id, [], 'one end is gone');
  const lost = [...requester.sessions.keys()].some((id) => !state.sessions.has(id));
  for (const id of [...requester.sessions.keys()].slice(SESSIONS_KEPT)) {
    requester.sessions.delete(id);
    state.endSession(id, [], 'enough of them');
  }
  // The two transcripts may have come apart, and a transfer been given up: they start anew.
  state.transfers.clear();
  state.encapsulated = [];
  state.held = undefined;
  store.deviceReset();
  for (const { b, c, mutB, mutC } of [requester.transcript, state.transcript])
    for (const log of [b, c, mutB, mutC]) log.clear();
  return !lost;
}

/** A session in good order, opened if there is none. */
function sessionOf({ pair }: World, draw: Draw): RequesterSession {
  const live = [...pair.requester.sessions.values()].filter(({ established }) => established);
  if (live.length > 0) return draw.pick(live);
  return draw.oneIn(3) ? pair.good(openPskSession(pair.requester, OPEN_PSK)) : pair.session();
}
