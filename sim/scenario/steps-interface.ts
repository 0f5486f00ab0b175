/** Steps on the TDI: lock, check the report, accept, start, recover, and the way down. */

import { isPeerFault } from '../../protocols/codec/refusal.ts';
import type { Task } from '../kernel/index.ts';
import { fail, StepFailed, type StoryContext, sessionText, short } from './context.ts';
import type { StepOf } from './schema.ts';
import { judgeMeasurements, stepSecureLink } from './steps-connect.ts';

const PAGE_KIB = 4;

export function* stepLock(context: StoryContext): Task<void> {
  const { assignment, tdi } = context.machine;
  const locked = yield* assignment.lock(context.streamId);
  if (isPeerFault(locked)) fail('LOCK_INTERFACE_REQUEST', locked);
  context.say(
    'tsm',
    `${tdi.bdf} locked on stream ${context.streamId}; its nonce is kept for START`,
  );
}

export function* stepCheckReport(context: StoryContext): Task<void> {
  const { assignment } = context.machine;
  const report = yield* assignment.readReport();
  if (isPeerFault(report)) fail('GET_DEVICE_INTERFACE_REPORT', report);
  const verdict = assignment.judgeReport();
  if (!verdict.ok) {
    for (const { name, detail } of verdict.findings)
      context.say('tsm', `report: ${name} ${detail}`);
    const names = verdict.findings.map((each) => each.name).join(', ');
    throw new StepFailed(`the interface report does not fit the BARs: ${names}`);
  }
  context.say(
    'tsm',
    `interface report of ${report.length} bytes read in portions; every range lies in its BAR`,
  );
  for (const each of verdict.descriptors) {
    const first = `0x${each.offset.toString(16)}`;
    context.say('tsm', `BAR${each.barIndex}+${first}: ${each.pages * PAGE_KIB} KiB ${each.kind}`);
  }
}

export function* stepAccept(context: StoryContext): Task<void> {
  const { assignment, tsm, tdi } = context.machine;
  const blocks = yield* tsm.measure(context.slot);
  if (isPeerFault(blocks)) fail('GET_MEASUREMENTS', blocks);
  judgeMeasurements(context, blocks);
  const accepted = assignment.accept();
  if (isPeerFault(accepted)) fail('accept', accepted);
  context.accepted = blocks;
  context.say('guest', `evidence of ${tdi.bdf} is good: accepted, its TEE ranges mapped private`);
}

export function* stepStart(context: StoryContext): Task<void> {
  const { assignment, tdi } = context.machine;
  const started = yield* assignment.start();
  if (isPeerFault(started)) fail('START_INTERFACE_REQUEST', started);
  const state = yield* assignment.readState();
  if (isPeerFault(state)) fail('GET_DEVICE_INTERFACE_STATE', state);
  context.say(
    'tsm',
    `START with the lock's nonce: ${tdi.bdf} is in ${state}, the IOMMU lets its T=1 through`,
  );
}

export function* stepExpectState(
  context: StoryContext,
  { tdi, stream }: StepOf<'expect-state'>,
): Task<void> {
  const { tsm, assignment, tdi: found } = context.machine;
  if (stream !== undefined) {
    const secure = yield* tsm.streamSecure();
    const is = secure ? 'Secure' : 'Insecure';
    if (is !== stream) context.finding('expect-state', `the stream is ${is}, expected ${stream}`);
    context.say('kernel', secure ? 'both ports read Secure' : 'the stream is Insecure');
  }
  if (tdi === undefined) return;
  // Without a session TDISP cannot be asked; what is left is that no TDI may outlive it.
  const state = tsm.session === undefined ? modelState(context) : yield* assignment.readState();
  if (isPeerFault(state)) fail('GET_DEVICE_INTERFACE_STATE', state);
  if (state !== tdi)
    context.finding('expect-state', `${found.bdf} is in ${state}, expected ${tdi}`);
  context.say('tsm', `${found.bdf} is in ${state}`);
}

function modelState(context: StoryContext) {
  const { endpoint } = context.platform;
  return endpoint.dsm.tdisp.state(context.machine.tdi.rid);
}

/** The host's way back to RUN: close, stop, re-key, re-lock, re-measure, compare, start. */
export function* stepRecover(context: StoryContext): Task<void> {
  const { tsm, assignment, tdi } = context.machine;
  const before = context.accepted;
  const stopped = yield* assignment.stop();
  if (isPeerFault(stopped)) fail('STOP_INTERFACE_REQUEST', stopped);
  context.say(
    'tsm',
    `IOMMU closed, ${tdi.bdf} stopped: the device has scrubbed what the guest left`,
  );
  const torn = yield* tsm.tearDownStream();
  if (isPeerFault(torn)) fail('stream tear-down', torn);
  context.deviceMemory.clear();
  yield* stepSecureLink(context, { 'stream-id': context.streamId });
  yield* stepLock(context);
  yield* stepCheckReport(context);
  yield* stepAccept(context);
  const same = before?.every(
    (block, i) => short(block.Value) === short(context.accepted![i]!.Value),
  );
  context.say('guest', same === true ? 'measurements are those of before' : 'measurements changed');
  yield* stepStart(context);
}

export function* stepStopInterface(context: StoryContext): Task<void> {
  const { assignment, tdi } = context.machine;
  const stopped = yield* assignment.stop();
  if (isPeerFault(stopped)) fail('STOP_INTERFACE_REQUEST', stopped);
  context.deviceMemory.clear();
  context.say('tsm', `${tdi.bdf} stopped: IOMMU closed first, then drained, scrubbed and unlocked`);
}

export function* stepTearDownLink(context: StoryContext): Task<void> {
  const { tsm } = context.machine;
  const torn = yield* tsm.tearDownStream();
  if (isPeerFault(torn)) fail('stream tear-down', torn);
  context.say(
    'tsm',
    'Enable clear at device, then host; K_SET_STOP for all twelve keys; registers cleared',
  );
}

export function* stepEndSession(context: StoryContext): Task<void> {
  const { tsm } = context.machine;
  const { id } = tsm.liveSession;
  const ended = yield* tsm.disconnect();
  if (isPeerFault(ended)) fail('END_SESSION', ended);
  const { endpoint, complex } = context.platform;
  const keyed = [endpoint.ide, complex.rootPort.ide].some((ide) =>
    ide.streams.some((stream) => stream.keys.keyedBy !== undefined),
  );
  if (keyed) context.finding('end-session', 'a port still holds keys after the session ended');
  context.say(
    'tsm',
    `session ${sessionText(id)} ended; ${keyed ? 'keys are left behind' : 'nothing is keyed any more'}`,
  );
}
