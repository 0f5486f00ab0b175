/** What the steps of a story share: the machine, the host software on it, and where the story stands. */

import type { GuestAgent, HostAgent, MmioAgent } from '../../devices/host/agents.ts';
import type { Enumeration, FoundFunction } from '../../devices/host/pci.ts';
import type { TdiAssignment } from '../../devices/host/tdi-assignment.ts';
import type { Tsm } from '../../devices/host/tsm.ts';
import type { MemoryRegion } from '../../devices/memory.ts';
import { toHex } from '../../protocols/codec/bytes.ts';
import type { PeerFault } from '../../protocols/codec/refusal.ts';
import type { MeasurementBlockValue } from '../../protocols/spdm/measurements.ts';
import type { Platform } from './platform.ts';

/** A step's own word that it cannot go on: the story ends there, as a finding. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed';
}

export function fail(what: string, fault: PeerFault): never {
  throw new StepFailed(`${what}: ${fault.code} (${fault.detail})`);
}

/** A hash or key as people recognise it. */
export const short = (bytes: Uint8Array): string => `${toHex(bytes.subarray(0, 6))}..`;

/** A session id as both ends write it. */
export const sessionText = (id: number): string => `0x${id.toString(16).padStart(8, '0')}`;

interface Found {
  readonly enumeration: Enumeration;
  readonly tdi: FoundFunction;
  readonly tsm: Tsm;
  readonly assignment: TdiAssignment;
  readonly guest: GuestAgent;
  readonly host: HostAgent;
}

export class StoryContext {
  readonly platform: Platform;
  private found: Found | undefined;
  /** measurements the guest accepted the device with */
  accepted: readonly MeasurementBlockValue[] | undefined;
  slot = 0;
  streamId = 0;
  /** what the last write to device memory left there, by offset: the yardstick for reads */
  readonly deviceMemory = new Map<number, Uint8Array>();

  constructor(platform: Platform) {
    this.platform = platform;
  }

  /** After `enumerate`. @throws StepFailed if that step has not run. */
  get machine(): Found {
    if (this.found === undefined) throw new StepFailed('no device is known: run `enumerate` first');
    return this.found;
  }
  set machine(found: Found) {
    this.found = found;
  }
  /** Is there a machine to speak of yet? */
  get enumerated(): boolean {
    return this.found !== undefined;
  }

  agent(name: 'guest' | 'host'): MmioAgent {
    return name === 'guest' ? this.machine.guest : this.machine.host;
  }

  say(actor: string, text: string): void {
    this.platform.kernel.bus.emit('say', actor, { actor, text });
  }

  finding(step: string, detail: string): void {
    this.platform.kernel.bus.emit('finding', 'story', { step, detail });
  }

  region(name: string): MemoryRegion {
    const region = this.platform.memory.regions.find((each) => each.name === name);
    if (region === undefined) {
      const names = this.platform.memory.regions.map((each) => each.name).join(', ');
      throw new StepFailed(`no memory region "${name}"; there are ${names}`);
    }
    return region;
  }

  /** Bytes that look like nothing else, from the run's seed. */
  pattern(length: number): Uint8Array {
    return this.platform.kernel.random('workload').bytes(length);
  }
}
