/** Steps that move data, or try to: MMIO, DMA, the host peeking, and the fault on the link. */

import type { MmioAgent } from '../../devices/host/agents.ts';
import { equal } from '../../protocols/codec/bytes.ts';
import { armFlipBit } from '../faults/flip-bit.ts';
import { delay, type Task } from '../kernel/index.ts';
import type { StoryContext } from './context.ts';
import type { StepOf } from './schema.ts';

const DEVICE_MEMORY_BAR = 2;
/** Where in device memory DMA steps put and take their bytes. */
const DMA_LOCAL = 0x8000;
const CHUNK = 256;
const DOORBELL_SETTLE_PS = 2_000_000;

/** Compares what happened with what the scenario expects; a difference is a finding. */
function judge(
  context: StoryContext,
  step: string,
  expected: 'ok' | 'refused',
  happened: { ok: boolean; text: string },
): void {
  const { ok, text } = happened;
  context.say(step, text);
  if (ok !== (expected === 'ok'))
    context.finding(
      step,
      `expected ${expected}, but ${ok ? 'it went through' : 'it was refused'}: ${text}`,
    );
}

const kib = (length: number) => (length % 1024 === 0 ? `${length / 1024} KiB` : `${length} B`);
const at = (bar: number, offset: number) => `BAR${bar}+0x${offset.toString(16)}`;
const tBit = (agent: MmioAgent) => (agent.name === 'guest' ? 'T=1' : 'T=0');

export function* stepMmio(context: StoryContext, step: StepOf<'mmio'>): Task<void> {
  const agent = context.agent(step.by);
  const where = at(step.bar, step.offset);
  const who = `${step.by} ${step.op === 'read' ? 'load' : 'store'} ${tBit(agent)} ${where}`;
  if (step.op === 'read') {
    const result = yield* agent.read(step.bar, step.offset, step.length);
    const known =
      step.bar === DEVICE_MEMORY_BAR ? context.deviceMemory.get(step.offset) : undefined;
    const right = known === undefined || equal(known.subarray(0, step.length), result.data);
    const text = result.ok
      ? `${who}: ${step.length} bytes${known === undefined ? '' : ', as written'}`
      : `${who}: all ones (${result.reason})`;
    judge(context, 'mmio', step.expect, { ok: result.ok, text });
    if (result.ok && !right) context.finding('mmio', `${who}: not the bytes written before`);
    return;
  }
  const data = context.pattern(step.length);
  const result = yield* agent.write(step.bar, step.offset, data);
  // A store is posted: whether it arrived shows when it is read back.
  const back = yield* agent.read(step.bar, step.offset, step.length);
  const ok = result.ok && back.ok && equal(back.data, data);
  if (ok && step.bar === DEVICE_MEMORY_BAR) context.deviceMemory.set(step.offset, data);
  const reason = result.ok ? back.reason || 'not there on reading back' : result.reason;
  const text = ok ? `${who}: ${step.length} bytes, read back` : `${who}: refused (${reason})`;
  judge(context, 'mmio', step.expect, { ok, text });
}

/** Puts known bytes into device memory through MMIO, in pieces. */
function* fillDevice(agent: MmioAgent, data: Uint8Array): Task<void> {
  for (let done = 0; done < data.length; done += CHUNK)
    yield* agent.write(DEVICE_MEMORY_BAR, DMA_LOCAL + done, data.subarray(done, done + CHUNK));
}

function* readDevice(agent: MmioAgent, length: number): Task<Uint8Array> {
  const out = new Uint8Array(length);
  for (let done = 0; done < length; done += CHUNK) {
    const size = Math.min(CHUNK, length - done);
    const part = yield* agent.read(DEVICE_MEMORY_BAR, DMA_LOCAL + done, size);
    if (!part.ok) return out;
    out.set(part.data, done);
  }
  return out;
}

export function* stepDma(context: StoryContext, step: StepOf<'dma'>): Task<void> {
  const { memory } = context.platform;
  const agent = context.agent(step.by);
  const region = context.region(step.buffer);
  const data = context.pattern(step.length);
  const toDevice = step.direction === 'to-device';
  if (toDevice) memory.guestWrite(region.base, data);
  else {
    memory.guestWrite(region.base, new Uint8Array(step.length));
    yield* fillDevice(agent, data);
  }
  const job = {
    direction: step.direction,
    iova: region.base,
    local: DMA_LOCAL,
    length: step.length,
  };
  const done = yield* agent.dma(job);
  yield* delay(DOORBELL_SETTLE_PS);
  const reachable = done.status !== 'unreachable';
  const landed = !toDevice
    ? memory.peek(region.base, step.length)
    : reachable
      ? yield* readDevice(agent, step.length)
      : new Uint8Array(0);
  const ok = done.status === 'done' && equal(landed, data);
  const arrow = toDevice ? `${step.buffer} memory -> device` : `device -> ${step.buffer} memory`;
  const who = `DMA ${arrow}, ${kib(step.length)}, rung by the ${step.by} (${tBit(agent)})`;
  const why = done.status === 'done' ? 'the data did not arrive' : done.reason;
  judge(context, 'dma', step.expect, {
    ok,
    text: ok ? `${who}: every byte arrived` : `${who}: refused (${why})`,
  });
}

export function stepHostPeek(context: StoryContext, step: StepOf<'host-peek'>): void {
  const { memory } = context.platform;
  const region = context.region(step.region);
  const seen = memory.hostRead(region.base, 64);
  const ok = equal(seen, memory.peek(region.base, 64));
  const text = ok
    ? `host load from ${step.region} memory: 64 bytes`
    : `host load from ${step.region} memory: all ones, the memory is the guest's`;
  judge(context, 'host-peek', step.expect, { ok, text });
}

export function stepFlipBit(context: StoryContext, step: StepOf<'flip-bit'>): void {
  const { kernel, link } = context.platform;
  armFlipBit(kernel, link, step);
  context.say(
    'interposer',
    `waits for the next ${step.direction} ${step.tlp} to flip one bit of it`,
  );
}

export function* stepWait(_context: StoryContext, step: StepOf<'wait'>): Task<void> {
  yield* delay(step.for);
}
