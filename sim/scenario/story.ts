/** Plays a scenario's story: chapter by chapter, step by step, each verb by the function named for it. */

import { LocalError } from '../../protocols/codec/refusal.ts';
import type { Task } from '../kernel/index.ts';
import { StepFailed, StoryContext } from './context.ts';
import type { Platform } from './platform.ts';
import type { Step, StepOf, Verb } from './schema.ts';
import {
  stepAuthenticate,
  stepEnumerate,
  stepHeartbeat,
  stepOpenSession,
  stepSecureLink,
} from './steps-connect.ts';
import { stepDma, stepFlipBit, stepHostPeek, stepMmio, stepWait } from './steps-data.ts';
import {
  stepAccept,
  stepCheckReport,
  stepEndSession,
  stepExpectState,
  stepLock,
  stepRecover,
  stepStart,
  stepStopInterface,
  stepTearDownLink,
} from './steps-interface.ts';

/** A step that takes simulated time is a task; one that only arranges something is not. */
type Play<V extends Verb> = (context: StoryContext, how: StepOf<V>) => Task<void> | void;

const plays: { readonly [V in Verb]: Play<V> } = {
  enumerate: stepEnumerate,
  authenticate: stepAuthenticate,
  'open-session': stepOpenSession,
  heartbeat: stepHeartbeat,
  'secure-link': stepSecureLink,
  lock: stepLock,
  'check-report': stepCheckReport,
  accept: stepAccept,
  start: stepStart,
  mmio: stepMmio,
  dma: stepDma,
  'host-peek': stepHostPeek,
  'flip-bit': stepFlipBit,
  'expect-state': stepExpectState,
  recover: stepRecover,
  'stop-interface': stepStopInterface,
  'tear-down-link': stepTearDownLink,
  'end-session': stepEndSession,
  wait: stepWait,
};

export interface StoryResult {
  readonly context: StoryContext;
  /** steps played and steps there are */
  played: number;
  readonly steps: number;
  /** the step that could not go on */
  broken: string | undefined;
  done: boolean;
}

/** The story as a process body; findings go to the trace bus, the result tells how far it came. */
export function* playStory(platform: Platform, result: StoryResult): Task<void> {
  const { bus } = platform.kernel;
  for (const { chapter, steps } of platform.scenario.story) {
    bus.emit('chapter', 'story', { title: chapter });
    for (const step of steps) {
      try {
        const task = play(result.context, step);
        if (task !== undefined) yield* task;
      } catch (error) {
        // A step out of order asks for what is not there yet: the story's mistake, not the program's.
        if (!(error instanceof StepFailed || error instanceof LocalError)) throw error;
        result.broken = step.verb;
        result.context.say('story', `${step.verb}: ${error.message}`);
        result.context.finding(step.verb, error.message);
        return;
      }
      result.played++;
    }
  }
  result.done = true;
}

function play(context: StoryContext, step: Step): Task<void> | undefined {
  const verb = plays[step.verb] as Play<Verb>;
  return verb(context, step.how as StepOf<Verb>) ?? undefined;
}

export function newStory(platform: Platform): StoryResult {
  const steps = platform.scenario.story.reduce((sum, chapter) => sum + chapter.steps.length, 0);
  const context = new StoryContext(platform);
  return { context, played: 0, steps, broken: undefined, done: false };
}
