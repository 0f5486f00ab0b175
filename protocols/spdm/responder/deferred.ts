/**
 * ResponseNotReady and RESPOND_IF_READY (DSP0274 10.9, 10.21). The answer is computed when its request
 * arrives, and held back; what it commits to happens when it is fetched. It belongs to the session it was
 * asked in, and is given to nobody else.
 */

import type { Effect, Work } from '../../engine.ts';
import { ErrorCodes, RequestCodes } from '../codes.ts';
import {
  type Answer,
  type ErrorAnswer,
  type ResponderState,
  type Turn,
  unexpected,
} from './state.ts';

/** When the requester may come back: 2^rdtExponent us, and at the latest after rdtm times that. */
export interface Deferral {
  readonly rdtExponent: number;
  /** 2 or more: requesters in the field refuse 0 and 1 */
  readonly rdtm: number;
}

export interface Held extends Deferral {
  readonly code: number;
  readonly token: number;
  readonly sessionId: number | undefined;
  readonly answer: Uint8Array;
  readonly commits: (() => void)[];
  /** where what it commits to tells of it */
  readonly effects: Effect[];
  /** what the silicon is busy with */
  readonly work: readonly Work[];
  ready: boolean;
}

/** Requests that must be answered at once (DSP0274 10.9). */
const immediate: readonly number[] = [
  RequestCodes.GET_VERSION,
  RequestCodes.GET_CAPABILITIES,
  RequestCodes.NEGOTIATE_ALGORITHMS,
  RequestCodes.RESPOND_IF_READY,
  RequestCodes.CHUNK_SEND,
  RequestCodes.CHUNK_GET,
  RequestCodes.END_SESSION,
];

function notReady(held: Held): ErrorAnswer {
  const extended = Uint8Array.of(held.rdtExponent, held.code, held.token, held.rdtm);
  return { error: ErrorCodes.ResponseNotReady, extended };
}

/** Holds a good answer back if the device says so; the answer to give instead, else the same. */
export function defer(state: ResponderState, turn: Turn, code: number, answer: Answer): Answer {
  if (!(answer instanceof Uint8Array) || immediate.includes(code)) return answer;
  const deferral = state.config.readiness?.(code, turn.work);
  if (deferral === undefined) return answer;
  const token = state.nextToken;
  state.nextToken = (token + 1) % 256;
  const sessionId = turn.session?.id;
  const { commits, effects } = turn;
  turn.commits = [];
  const work = turn.work.splice(0);
  state.held = {
    ...{ ...deferral, code, token, sessionId, answer, commits, effects, work },
    ready: false,
  };
  return notReady(state.held);
}

/** Any other request gives the held answer up, with all it would have committed to. */
export function dropHeld(state: ResponderState, code: number): void {
  if (code !== RequestCodes.RESPOND_IF_READY) state.held = undefined;
}

export function answerRespondIfReady(
  state: ResponderState,
  turn: Turn,
  value: { readonly Param1: number; readonly Param2: number },
): Answer {
  const { held } = state;
  const fits =
    held !== undefined &&
    held.code === value.Param1 &&
    held.token === value.Param2 &&
    held.sessionId === turn.session?.id;
  if (!fits) return unexpected;
  if (!held.ready) return notReady(held);
  state.held = undefined;
  turn.commits.push(...held.commits);
  turn.late.push(held.effects);
  return held.answer;
}
