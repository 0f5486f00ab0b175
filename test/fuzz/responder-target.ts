/**
 * Mutated requests into a responder, plain and inside sessions. What must hold: nothing throws, nothing
 * takes long, and what is refused leaves the state as it was.
 */

import { toHex } from '../../protocols/codec/bytes.ts';
import { errorNames } from '../../protocols/spdm/codes.ts';
import type { RequesterSession } from '../../protocols/spdm/requester/state.ts';
import type { Packet, ResponderOutcome } from '../../protocols/spdm/responder/responder.ts';
import { fromApplicationData, toApplicationData } from '../../protocols/spdm/secured-message.ts';
import type { Corpus } from './corpus.ts';
import { liveMessage } from './live.ts';
import { Draw, mutate } from './mutate.ts';
import { count, type Epoch, SLOW_MS, type Tally } from './target.ts';
import { type Place, Places, remembered, VERSIONS, type World, worldAt } from './world.ts';

const ERROR = 0x7f;
const CHUNK_SEND = 0x85;
const RESPONSE_NOT_READY = 0x42;
const LARGE_RESPONSE = 0x0f;
const DECRYPT_ERROR = 0x06;
/** An encapsulated answer that does not fit ends its flow. */
const INVALID_RESPONSE_CODE = 0x09;
/** A promise: what was asked for waits for the reset. */
const RESET_REQUIRED = 0x0c;
/** It is over until GET_VERSION. */
const REQUEST_RESYNCH = 0x43;
/** A full comparison costs as much as a message: one in so many, and the cheap one always. */
const FULL_EVERY = 8;
/** Another place and version after so many messages, lest one be stuck where little is legal. */
const MOVE_EVERY = 64;
/** Most is legal late in a connection: that is where most of the time goes. */
const starts: readonly Place[] = [
  ...Places,
  'NEGOTIATED',
  'NEGOTIATED',
  'handshake',
  'established',
  'established',
  'several',
];

/** What must not change with a refusal, told by identity where that is enough. */
function essence({ pair }: World): readonly unknown[] {
  const { state } = pair.responder;
  const sessions = [...state.sessions.values()].flatMap((session) => [
    session.id,
    session.established,
    session.keyUpdate,
    (session.keys as unknown as { directions: { request: { keys: unknown } } }).directions.request
      .keys,
  ]);
  return [state.phase, state.version, state.negotiated, state.authenticated, ...sessions];
}
const same = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);

interface Message {
  readonly bytes: Uint8Array;
  /** where it belongs; undefined: outside sessions */
  readonly session: RequesterSession | undefined;
}

/** The message in hand: mostly of the right version, mostly mutated, now and then what comes next. */
function nextMessage(world: World, corpus: Corpus, draw: Draw): Message {
  const { state } = world.pair.responder;
  const live = [...world.sessions].filter(({ id }) => state.sessions.has(id));
  const session = live.length === 0 || draw.oneIn(6) ? undefined : draw.pick(live);
  const next = draw.oneIn(5) ? liveMessage(world, session, draw) : undefined;
  if (next !== undefined)
    return {
      bytes: draw.oneIn(2) ? next : mutate(next, draw, draw.pick(corpus.requests)),
      session,
    };
  const fitting = corpus.byVersion.get(world.version) ?? corpus.requests;
  const base = draw.pick(draw.oneIn(4) ? corpus.requests : fitting);
  const bytes = draw.oneIn(12) ? base.slice() : mutate(base, draw, draw.pick(corpus.requests));
  // A good GET_VERSION starts all over, which is soon known.
  if (bytes[1] === 0x84 && !draw.oneIn(50)) bytes[1] = draw.below(256);
  if (bytes.length > 0 && !draw.oneIn(10))
    bytes[0] = state.phase === 'NOT_STARTED' ? 0x10 : world.version;
  return { bytes, session };
}

function packetOf({ pair }: World, { bytes, session }: Message, draw: Draw): Packet {
  if (session === undefined || session.keys.exhausted('request')) return { secured: false, bytes };
  const { binding } = pair.responder.state.config;
  const data = draw.oneIn(100) ? bytes : toApplicationData(binding, bytes);
  const sealed = session.keys.seal('request', session.id, data);
  return { secured: true, bytes: draw.oneIn(200) ? mutate(sealed, draw, bytes) : sealed };
}

const KEY_UPDATE_ACK = 0x69;
const UPDATE_ALL_KEYS = 2;

/** The other end follows, so that the next record fits too. */
function follow({ pair }: World, { session }: Message, { reply, answer }: ResponderOutcome): void {
  if (session === undefined || reply === undefined || !reply.secured) return;
  const { keys } = session;
  const updated = answer?.[1] === KEY_UPDATE_ACK ? answer[2]! : 0;
  const { binding } = pair.responder.state.config;
  const opens = () => fromApplicationData(binding, keys.open('response', reply.bytes)).ok;
  if (updated === UPDATE_ALL_KEYS) keys.update('response');
  opens();
  if (updated === UPDATE_ALL_KEYS) keys.confirm('response');
  if (updated === 1 || updated === UPDATE_ALL_KEYS) {
    keys.update('request');
    keys.confirm('request');
  }
}

/** The answer in the clear; its name for the tally. */
function outcomeOf(answer: Uint8Array | undefined): string {
  if (answer === undefined) return 'silence';
  if (answer[1] !== ERROR) return 'answered';
  return `ERROR ${errorNames[answer[2]!] ?? answer[2]}`;
}

const byDesign: readonly number[] = [
  RESPONSE_NOT_READY,
  LARGE_RESPONSE,
  DECRYPT_ERROR,
  INVALID_RESPONSE_CODE,
  RESET_REQUIRED,
  REQUEST_RESYNCH,
];

/** ERRORs that are refusals: the others announce an answer, or end a session by design. */
const refuses = (answer: Uint8Array | undefined): boolean =>
  answer === undefined || (answer[1] === ERROR && !byDesign.includes(answer[2]!));

export function responderEpoch(corpus: Corpus, seed: number): Epoch {
  return (epoch, tries, tally) => {
    const draw = new Draw(seed * 0x10001 + epoch);
    const start = () => worldAt(draw.pick(starts), draw.pick(VERSIONS), 1 + draw.below(1e6), draw);
    let world = start();
    for (let index = 0; index < tries; index++) {
      if (index % MOVE_EVERY === 0) world = start();
      const message = nextMessage(world, corpus, draw);
      const changed = tryOne(world, message, { epoch, index, draw, tally });
      if (changed) world = start();
    }
  };
}

interface Try {
  readonly epoch: number;
  readonly index: number;
  readonly draw: Draw;
  readonly tally: Tally;
}

/** True if the world is no longer where it was. */
function tryOne(world: World, message: Message, at: Try): boolean {
  const { draw, tally, epoch, index } = at;
  const { responder } = world.pair;
  const found = (what: string) =>
    tally.findings.push({ role: 'responder', epoch, index, what, bytes: toHex(message.bytes) });
  // What is held is given up by any other request that is looked at.
  const full = index % FULL_EVERY === 0 && responder.state.held === undefined;
  const before = full ? remembered(world.pair) : '';
  const core = essence(world);
  tally.tries++;
  const began = performance.now();
  try {
    const outcome = responder.receive(packetOf(world, message, draw));
    const took = performance.now() - began;
    tally.slowestMs = Math.max(tally.slowestMs, took);
    if (took > SLOW_MS) found(`took ${Math.round(took)} ms`);
    count(tally, outcomeOf(outcome.answer));
    follow(world, message, outcome);
    const ended = outcome.effects.some((effect) => effect.type === 'session-ended');
    const moved = !same(core, essence(world));
    // The last chunk may complete a request that its own protocol meets with silence.
    const completes = outcome.answer === undefined && outcome.request[1] === CHUNK_SEND;
    if (refuses(outcome.answer) && !ended && !completes) {
      if (moved) found(`${outcomeOf(outcome.answer)} changed the state`);
      else if (full && remembered(world.pair) !== before)
        found(`${outcomeOf(outcome.answer)} changed what is remembered`);
    }
    return ended || (moved && draw.oneIn(2));
  } catch (error) {
    found(`threw ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`);
    return true;
  }
}
