/**
 * A machine for tests: the shipped scenario's platform, brought to a named point by the story's own
 * steps, with every trace record kept. Tests then drive or break it themselves.
 */

import { DmaCommands, DmaRegisters } from '../../devices/dma-engine.ts';
import type { SimRecordKind, SimRecords } from '../../devices/records.ts';
import { concat, le } from '../../protocols/codec/bytes.ts';
import { nodeProvider } from '../../protocols/crypto/node.ts';
import type { CryptoProvider } from '../../protocols/crypto/provider.ts';
import type { TdiState } from '../../protocols/tdisp/index.ts';
import { typeOf } from '../../protocols/tlp/index.ts';
import type { AnyRecord, Kernel, Task } from '../../sim/kernel/index.ts';
import { StoryContext } from '../../sim/scenario/context.ts';
import { buildPlatform, type Platform } from '../../sim/scenario/platform.ts';
import type { DeviceProfile, Scenario } from '../../sim/scenario/schema.ts';
import {
  stepAuthenticate,
  stepEnumerate,
  stepOpenSession,
  stepSecureLink,
} from '../../sim/scenario/steps-connect.ts';
import {
  stepAccept,
  stepCheckReport,
  stepLock,
  stepStart,
} from '../../sim/scenario/steps-interface.ts';
import { profileWith, scenarioWith } from '../sim/scenario/shipped.ts';

export const STREAM_ID = 1;
export const points = ['off', 'enumerated', 'connected', 'secure', 'locked', 'run'] as const;
export type Point = (typeof points)[number];

/** How each point is reached from the one before. */
const ways: Readonly<Record<Point, (context: StoryContext) => Task<void>>> = {
  *off() {},
  enumerated: stepEnumerate,
  *connected(context) {
    yield* stepAuthenticate(context, { slot: 0 });
    yield* stepOpenSession(context, { slot: 0 });
  },
  secure: (context) => stepSecureLink(context, { 'stream-id': STREAM_ID }),
  locked: stepLock,
  *run(context) {
    yield* stepCheckReport(context);
    yield* stepAccept(context);
    yield* stepStart(context);
  },
};

export interface MachineOptions {
  readonly scenario?: Scenario;
  readonly profile?: DeviceProfile;
  readonly crypto?: CryptoProvider;
}

/** Runs `task` as a process until it ends, and no further. @throws Error if it never does */
export function runTask<T, R extends object>(
  kernel: Kernel<R & Record<keyof R, object>>,
  task: () => Task<T>,
): T {
  function* body(): Task<T> {
    const value = yield* task();
    kernel.stop();
    return value;
  }
  const process = kernel.spawn('test', body());
  const { reason } = kernel.run();
  const { outcome } = process;
  if (outcome?.status !== 'done') throw new Error(`the task did not end: the kernel is ${reason}`);
  return outcome.value;
}

export class Machine {
  readonly platform: Platform;
  readonly context: StoryContext;
  readonly records: AnyRecord<SimRecords>[] = [];
  private point: Point = 'off';

  constructor(options: MachineOptions = {}) {
    const { scenario = scenarioWith(), profile = profileWith() } = options;
    this.platform = buildPlatform(scenario, profile, options.crypto ?? nodeProvider);
    this.kernel.bus.on('*', (record) => this.records.push(record));
    this.context = new StoryContext(this.platform);
  }

  get kernel() {
    return this.platform.kernel;
  }
  get endpoint() {
    return this.platform.endpoint;
  }
  get complex() {
    return this.platform.complex;
  }
  get tsm() {
    return this.context.machine.tsm;
  }
  get assignment() {
    return this.context.machine.assignment;
  }
  get guest() {
    return this.context.machine.guest;
  }
  get host() {
    return this.context.machine.host;
  }
  /** the function the guest gets */
  get tdi() {
    return this.context.machine.tdi;
  }
  /** the model of that function */
  get device() {
    return this.endpoint.functions.find((each) => each.plan.number === (this.tdi.rid & 7))!;
  }
  get state(): TdiState {
    return this.endpoint.dsm.tdisp.state(this.endpoint.requesterId(this.tdi.rid & 7));
  }

  run<T>(task: () => Task<T>): T {
    return runTask(this.kernel, task);
  }

  /** Lets `ps` pass. */
  pass(ps: number): void {
    this.kernel.run(this.kernel.now + ps);
  }

  /** Goes on from where it is to `point`. */
  reach(point: Point): this {
    for (const each of points.slice(points.indexOf(this.point) + 1, points.indexOf(point) + 1))
      this.run(() => ways[each](this.context));
    this.point = point;
    return this;
  }

  /** A test has taken it back to an earlier point: `reach` goes on from there. */
  backTo(point: Point): this {
    this.point = point;
    return this;
  }

  /** Data of the records of a kind, from record `since` on. */
  of<K extends SimRecordKind>(kind: K, since = 0): SimRecords[K][] {
    return this.records
      .slice(since)
      .filter((record) => record.kind === kind)
      .map((record) => record.data as SimRecords[K]);
  }

  /** Forgets the records so far. */
  forget(): void {
    this.records.length = 0;
  }

  /** Address of a byte in a BAR of the guest's function. */
  address(bar: number, offset: number): number {
    return this.tdi.bars.find((each) => each.index === bar)!.address + offset;
  }

  /** Offset of a capability of a function, by its name in the list. */
  capability(functionNumber: number, name: string): number {
    const { functions } = this.context.machine.enumeration;
    const found = functions.find((each) => (each.rid & 7) === functionNumber)!;
    const { standard, extended } = found.capabilities;
    return [...standard, ...extended].find((each) => each.name === name)!.offset;
  }
}

export const machineAt = (point: Point, options: MachineOptions = {}) =>
  new Machine(options).reach(point);

/** Starts a copy from host memory to the start of device memory and does not wait for it. */
export function startCopy(
  machine: Machine,
  by: 'guest' | 'host',
  iova: number,
  length: number,
  more = 0,
) {
  const agent = machine[by];
  machine.run(function* () {
    yield* agent.write(0, DmaRegisters.IOVA, concat(le(iova, 8), le(0, 4), le(length, 4)));
    yield* agent.write(0, DmaRegisters.DOORBELL, le(DmaCommands.TO_DEVICE | more, 4));
  });
}

/** Keeps completions with data from the device until `release`. */
export function holdCompletions(machine: Machine): { held: Uint8Array[]; release(): void } {
  const held: Uint8Array[] = [];
  let holding = true;
  machine.platform.link.interpose((next) => (bytes, direction) => {
    const passed = next(bytes, direction);
    const plain = bytes[0] === 0x92 ? bytes.subarray(4) : bytes;
    const big = typeOf(plain) === 'CplD' && bytes.length > 64;
    if (!holding || direction !== 'downstream' || !big) return passed;
    held.push(...passed);
    return [];
  });
  return {
    held,
    release() {
      holding = false;
      for (const each of held.splice(0)) machine.endpoint.port.receive(each);
    },
  };
}
