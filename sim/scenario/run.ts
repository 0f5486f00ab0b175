/** One run of a scenario from power-on to its last step: machine, story, checkers, trace hash. */

import type { SimRecords } from '../../devices/records.ts';
import type { CryptoProvider } from '../../protocols/crypto/provider.ts';
import { bdf } from '../../protocols/tlp/index.ts';
import { attachCheckers, type Checker } from '../checkers/index.ts';
import type { AnyRecord, RunReason } from '../kernel/index.ts';
import { TraceHash } from '../kernel/index.ts';
import { buildPlatform, type Platform } from './platform.ts';
import type { DeviceProfile, Scenario } from './schema.ts';
import { newStory, playStory, type StoryResult } from './story.ts';

export interface Finding {
  /** simulated time, ps */
  readonly time: number;
  readonly step: string;
  readonly detail: string;
}

export interface RunOptions {
  readonly scenario: Scenario;
  readonly profile: DeviceProfile;
  readonly crypto: CryptoProvider;
  readonly seed?: string | number;
  /** sees every record, in order */
  readonly onRecord?: (record: AnyRecord<SimRecords>) => void;
  /** a chance to reach into the machine before time starts: faults, other observers */
  readonly prepare?: (platform: Platform) => void;
}

export interface TdiSummary {
  readonly id: string;
  readonly state: string;
}

export interface RunSummary {
  readonly scenario: string;
  readonly seed: string | number;
  readonly traceHash: string;
  readonly simTimePs: number;
  readonly events: number;
  readonly tdis: readonly TdiSummary[];
  readonly checkers: readonly Checker[];
  readonly findings: readonly Finding[];
  /** how the event loop ended; a limit is a finding of its own */
  readonly reason: RunReason;
  readonly stepsPlayed: number;
  readonly steps: number;
}

/** A run that can be advanced in slices, so that a program can show progress between them. */
export class ScenarioRun {
  readonly platform: Platform;
  readonly story: StoryResult;
  readonly checkers: readonly Checker[];
  private readonly hash = new TraceHash();
  private readonly findings: Finding[] = [];
  private readonly seed: string | number;
  private reason: RunReason = 'more';

  constructor(options: RunOptions) {
    const { scenario, profile, crypto, onRecord } = options;
    this.seed = options.seed ?? scenario.seed;
    this.platform = buildPlatform(scenario, profile, crypto, this.seed);
    const { bus } = this.platform.kernel;
    this.hash.listen(bus);
    if (onRecord !== undefined) bus.on('*', onRecord);
    bus.on('finding', ({ time, data }) => this.findings.push({ time, ...data }));
    const { kernel, memory, endpoint, complex } = this.platform;
    const endpointPort = endpoint.port.options.name;
    const rootPort = complex.rootPort.name;
    this.checkers = attachCheckers({ kernel, memory, endpointPort, rootPort });
    options.prepare?.(this.platform);
    this.story = newStory(this.platform);
    this.platform.kernel.spawn('story', playStory(this.platform, this.story));
  }

  /** Runs at most `events` more events; true when the run is over. */
  advance(events: number): boolean {
    const { reason } = this.platform.kernel.runSome(events);
    this.reason = reason;
    if (reason === 'more') return false;
    for (const checker of this.checkers) checker.finish();
    return true;
  }

  get progress(): number {
    return this.story.played / this.story.steps;
  }

  summary(): RunSummary {
    const { kernel, endpoint, scenario } = this.platform;
    const tdis = endpoint.functions.map(({ plan }) => {
      const rid = endpoint.requesterId(plan.number);
      return { id: bdf(rid), state: endpoint.dsm.tdisp.state(rid) };
    });
    return {
      scenario: scenario.name,
      seed: this.seed,
      traceHash: this.hash.digest(),
      simTimePs: kernel.now,
      events: kernel.events,
      tdis,
      checkers: this.checkers,
      findings: [...this.findings, ...this.ending()],
      reason: this.reason,
      stepsPlayed: this.story.played,
      steps: this.story.steps,
    };
  }

  /** Findings about how the run ended, and violations. */
  private ending(): Finding[] {
    const { now } = this.platform.kernel;
    const out: Finding[] = [];
    if (this.reason === 'event-limit' || this.reason === 'time-limit')
      out.push({ time: now, step: 'limits', detail: `the run met its ${this.reason}` });
    else if (!this.story.done && this.story.broken === undefined)
      out.push({
        time: now,
        step: 'story',
        detail: 'nothing is left to happen, but the story waits',
      });
    for (const checker of this.checkers)
      for (const { time, detail } of checker.violations)
        out.push({ time, step: `checker ${checker.name}`, detail });
    return out;
  }
}

/** Runs a scenario to its end. */
export function runScenario(options: RunOptions): RunSummary {
  const run = new ScenarioRun(options);
  while (!run.advance(Number.MAX_SAFE_INTEGER));
  return run.summary();
}
