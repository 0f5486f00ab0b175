/** Steps that bring the device up: enumerate, authenticate, open the session, secure the link. */

import { CapabilityIds, ExtendedCapabilityIds } from '../../devices/caps/names.ts';
import { GuestAgent, HostAgent } from '../../devices/host/agents.ts';
import { DoeDriver } from '../../devices/host/doe.ts';
import { capabilityOffset, enumerate, extendedOffset } from '../../devices/host/pci.ts';
import { TdiAssignment } from '../../devices/host/tdi-assignment.ts';
import { compareMeasurements } from '../../devices/host/trust.ts';
import { Tsm } from '../../devices/host/tsm.ts';
import { isPeerFault } from '../../protocols/codec/refusal.ts';
import { supportsSecuredSpdm } from '../../protocols/doe/initiator.ts';
import { objectTypeName } from '../../protocols/doe/object.ts';
import { measurementTypeNames } from '../../protocols/spdm/codes.ts';
import type { MeasurementBlockValue } from '../../protocols/spdm/measurements.ts';
import type { Task } from '../kernel/index.ts';
import { fail, StepFailed, type StoryContext, sessionText, short } from './context.ts';
import { referenceBlocks } from './platform.ts';
import type { StepOf } from './schema.ts';

const ROOM = { memoryBase: 0xc000_0000, prefetchableBase: 0x80_0000_0000 };
/** Guests see MMIO at addresses of their own; a multiple of every BAR size, so both offset rules agree. */
const REPORTING_OFFSET = 0x10_0000_0000n;
const ADDRESS_WIDTH_MIN = 48;
const REPORT_PORTION = 48;
const hex = (value: number) => `0x${value.toString(16)}`;

export function* stepEnumerate(context: StoryContext): Task<void> {
  const { platform } = context;
  const { complex, kernel, iommu } = platform;
  const found = yield* enumerate(complex, ROOM);
  if (found === undefined) throw new StepFailed('no device answers below the root port');
  for (const each of [found.rootPort, ...found.functions]) {
    const names = [...each.capabilities.standard, ...each.capabilities.extended].map((c) => c.name);
    const tee = each.teeIo ? ', TEE-IO supported' : '';
    const bars = each.bars.map(
      (bar) => `BAR${bar.index} ${hex(bar.address)} (${bar.size / 1024} KiB)`,
    );
    context.say('kernel', `${each.bdf} class ${hex(each.classCode)}${tee}: ${names.join(', ')}`);
    if (bars.length > 0) context.say('kernel', `${each.bdf} ${bars.join(', ')}`);
  }
  const first = found.functions[0]!;
  const tdi = found.functions.find((each) => each.bdf === platform.scenario.device.tdi);
  if (tdi === undefined || !tdi.teeIo)
    throw new StepFailed(
      `device.tdi: no TEE-IO function ${platform.scenario.device.tdi} was found`,
    );
  const doeBase = extendedOffset(first, ExtendedCapabilityIds.DOE);
  if (doeBase === undefined || capabilityOffset(first, CapabilityIds.EXPRESS) === undefined)
    throw new StepFailed(`${first.bdf} has no DOE mailbox`);
  const version = first.capabilities.extended.find((cap) => cap.offset === doeBase)!.version;
  const pollPs = platform.scenario.platform.latencies['doe-poll'];
  const doe = new DoeDriver(kernel, complex, first.rid, doeBase, pollPs);
  const types = yield* doe.open(version);
  if (isPeerFault(types)) fail('DOE discovery', types);
  context.say(
    'kernel',
    `DOE mailbox at ${first.bdf}+${hex(doeBase)}: ${types.map(objectTypeName).join(', ')}`,
  );
  if (!supportsSecuredSpdm(types)) throw new StepFailed('the mailbox carries no secured SPDM');
  const { requester, scenario } = platform;
  const tsm = new Tsm({
    bus: kernel.bus,
    complex,
    doe,
    spdm: requester,
    costs: scenario.platform.costs,
  });
  const mappings = platform.memory.regions
    .filter((region) => region.kind === 'private')
    .map(({ base, size }) => ({ iova: base, address: base, size, writable: true }));
  const assignment = new TdiAssignment({
    ...{ tsm, iommu, function: tdi, reportPortion: REPORT_PORTION },
    ...{ reportingOffset: REPORTING_OFFSET, mappings, addressWidthMin: ADDRESS_WIDTH_MIN },
  });
  const guest = new GuestAgent(complex, tdi, assignment);
  const host = new HostAgent(complex, tdi);
  context.machine = { enumeration: found, tdi, tsm, assignment, guest, host };
  mapForHost(context);
}

/** The host's own tables let the device reach all memory the host knows of, private regions included. */
function mapForHost(context: StoryContext): void {
  const { iommu, memory } = context.platform;
  const { rid } = context.machine.tdi;
  for (const { base, size } of memory.regions)
    iommu.map('legacy', rid, { iova: base, address: base, size, writable: true });
  iommu.enable('legacy', rid, true);
}

/** Says what was measured, and ends the story if it is not what the vendor published. */
export function judgeMeasurements(
  context: StoryContext,
  blocks: readonly MeasurementBlockValue[],
): void {
  const findings = compareMeasurements(blocks, referenceBlocks(context.platform));
  for (const { index, detail } of findings)
    context.say('verifier', `measurement ${index} ${detail}`);
  if (findings.length > 0) {
    const which = findings.map((each) => each.index).join(', ');
    throw new StepFailed(`measurements ${which} differ from the reference: not this device`);
  }
}

export function* stepAuthenticate(
  context: StoryContext,
  { slot }: StepOf<'authenticate'>,
): Task<void> {
  const { tsm } = context.machine;
  context.slot = slot;
  const blocks = yield* tsm.authenticate(slot, (text) => context.say('tsm', text));
  if (isPeerFault(blocks)) fail('authentication', blocks);
  for (const block of blocks) {
    const type = measurementTypeNames[(block.ValueType ?? 0) & 0x7f];
    context.say('tsm', `measurement ${block.Index} ${type}: ${short(block.Value)}`);
  }
  judgeMeasurements(context, blocks);
  context.say('verifier', `all ${blocks.length} measurements are what the vendor published`);
  context.accepted = blocks;
}

export function* stepOpenSession(
  context: StoryContext,
  { slot }: StepOf<'open-session'>,
): Task<void> {
  const { tsm } = context.machine;
  const session = yield* tsm.connect(slot);
  if (isPeerFault(session)) fail('key exchange', session);
  context.say(
    'tsm',
    `secured session ${sessionText(session.id)} established, heartbeat every ${session.heartbeatPeriod} s`,
  );
}

export function* stepHeartbeat(context: StoryContext): Task<void> {
  const beat = yield* context.machine.tsm.heartbeat();
  if (isPeerFault(beat)) fail('HEARTBEAT', beat);
  context.say('tsm', 'HEARTBEAT answered inside the session');
}

export function* stepSecureLink(context: StoryContext, step: StepOf<'secure-link'>): Task<void> {
  const streamId = step['stream-id'];
  const { tsm, enumeration } = context.machine;
  const { rootPort, functions } = enumeration;
  const port = extendedOffset(rootPort, ExtendedCapabilityIds.IDE);
  const endpoint = extendedOffset(functions[0]!, ExtendedCapabilityIds.IDE);
  if (port === undefined || endpoint === undefined)
    throw new StepFailed('root port or endpoint has no IDE capability');
  const prepared = yield* tsm.prepareStream(enumeration, streamId, { port, endpoint });
  if (isPeerFault(prepared)) fail('IDE registers', prepared);
  context.say(
    'kernel',
    `IDE stream ${streamId}: associations and Stream ID written at both ports, Enable clear`,
  );
  const keyed = yield* tsm.keyStream();
  if (isPeerFault(keyed)) fail('IDE_KM', keyed);
  context.say(
    'tsm',
    'QUERY answered; six KEY_PROG to each port; K_SET_GO Rx at both, then Tx at both',
  );
  const secure = yield* tsm.enableStream();
  if (!secure) throw new StepFailed('a port does not read Secure after Enable');
  context.streamId = streamId;
  context.say('kernel', `Enable at the device, then at the host: both ports read Secure`);
}
