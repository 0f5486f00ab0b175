/** A TDI in RUN implies that its stream is Secure at the device and was keyed over the TDI's session. */

import type { SimRecords } from '../../devices/records.ts';
import { bdf } from '../../protocols/tlp/index.ts';
import type { Kernel } from '../kernel/index.ts';
import { BaseChecker } from './checker.ts';

interface Lock {
  readonly sessionId: number;
  readonly streamId: number;
}

export class RunImpliesSecure extends BaseChecker {
  readonly name = 'run-implies-secure';
  readonly claim = 'a TDI in RUN has a Secure stream, keyed over its own live session';
  private readonly port: string;
  private readonly states = new Map<number, string>();
  private readonly locks = new Map<number, Lock>();
  private readonly streams = new Map<number, string>();
  /** sessions that programmed the keys of a stream since it was last without */
  private readonly keyed = new Map<number, Set<number>>();
  private readonly live = new Set<number>();
  private dirtySince: number | undefined;

  /** `port`: the endpoint's port, as its records name it. */
  constructor(kernel: Kernel<SimRecords>, port: string) {
    super(kernel);
    this.port = port;
    const { bus } = kernel;
    // What one event does at one instant is judged once time moves on: a cascade is not half done.
    bus.on('*', ({ time }) => this.settle(time));
    bus.on('ide-seal', () => this.judge());
    bus.on('tdi', ({ data, time }) =>
      this.change(time, () => this.states.set(data.functionId, data.to)),
    );
    bus.on('tdi-locked', ({ data, time }) =>
      this.change(time, () => this.locks.set(data.functionId, data)),
    );
    bus.on('session', ({ data, time }) =>
      this.change(time, () => {
        if (data.state === 'established') this.live.add(data.sessionId);
        else this.live.delete(data.sessionId);
      }),
    );
    bus.on('ide-stream', ({ data, source, time }) => {
      if (source !== this.port) return;
      this.change(time, () => this.streams.set(data.streamId, data.to));
      if (data.to === 'INSECURE_NO_KEYS') this.keyed.delete(data.streamId);
    });
    bus.on('ide-key', ({ data, source }) => {
      if (source !== this.port || data.event !== 'programmed') return;
      const sessions = this.keyed.get(data.streamId) ?? new Set();
      sessions.add(data.sessionId ?? -1);
      this.keyed.set(data.streamId, sessions);
    });
  }

  /** Judges what earlier instants left before this one changes it. */
  private change(time: number, apply: () => void): void {
    this.settle(time);
    apply();
    this.dirtySince ??= time;
  }

  private settle(time: number): void {
    if (this.dirtySince === undefined || time <= this.dirtySince) return;
    this.dirtySince = undefined;
    this.judge();
  }

  private judge(): void {
    for (const [functionId, state] of this.states)
      if (state === 'RUN') this.look(this.wrong(functionId));
  }

  private wrong(functionId: number): string | undefined {
    const lock = this.locks.get(functionId);
    if (lock === undefined) return `${bdf(functionId)} runs without ever having been locked`;
    const { streamId, sessionId } = lock;
    const stream = this.streams.get(streamId);
    if (stream !== 'SECURE') return `${bdf(functionId)} runs while stream ${streamId} is ${stream}`;
    if (!this.live.has(sessionId)) return `${bdf(functionId)} runs while its session has ended`;
    const sessions = [...(this.keyed.get(streamId) ?? [])];
    const own = sessions.length === 1 && sessions[0] === sessionId;
    return own ? undefined : `stream ${streamId} was keyed over sessions ${sessions}`;
  }

  override finish(): void {
    if (this.dirtySince !== undefined) this.judge();
  }
}
