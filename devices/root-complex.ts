/**
 * The root complex: the CPU's way to configuration and memory space, and the devices' way to memory
 * through the IOMMU. A request that fails reads as all ones, as on real hosts.
 */

import { readDwLE } from '../protocols/codec/bytes.ts';
import {
  bdf,
  byteEnabled,
  CompletionStatuses,
  cfgRead,
  cfgWrite,
  completionFor,
  FlowClasses,
  flowClass,
  hasData,
  memoryRead,
  memoryWrite,
  requesterId,
  splitCompletions,
  splitRequest,
  transferAddress,
  transferBytes,
  transferData,
  typeOf,
} from '../protocols/tlp/index.ts';
import { delay, type Kernel, Signal, type Task } from '../sim/kernel/index.ts';
import type { Iommu } from './iommu.ts';
import type { HostMemory } from './memory.ts';
import type { Received } from './pcie-port.ts';
import type { SimRecords } from './records.ts';
import { RootPort, type RootPortOptions } from './root-port.ts';

export interface RootComplexOptions {
  readonly rootPort: Omit<RootPortOptions, 'onRequest'>;
  readonly memory: HostMemory;
  readonly iommu: Iommu;
  /** one CPU access: core to root port and back */
  readonly cpuPs: number;
  readonly rootPortPs: number;
  readonly iommuPs: number;
  readonly memoryPs: number;
}

/** What a CPU access came to; `data` is all ones unless `ok`. */
export interface AccessResult {
  readonly ok: boolean;
  readonly data: Uint8Array;
  readonly reason: string;
}

const ALL_ONES = 0xffffffff;
const RCB = 64;
const HOST_MAX_PAYLOAD = 256;
const INTERRUPT_BASE = 0xfee00000;
const INTERRUPT_END = 0xfef00000;

export class RootComplex {
  readonly rootPort: RootPort;
  /** messages in the interrupt range, by vector */
  readonly interrupts = new Signal<{ rid: number; tee: boolean; vector: number }>();
  private readonly kernel: Kernel<SimRecords>;
  private readonly options: RootComplexOptions;

  constructor(kernel: Kernel<SimRecords>, options: RootComplexOptions) {
    this.kernel = kernel;
    this.options = options;
    this.rootPort = new RootPort(kernel, {
      ...options.rootPort,
      onRequest: (request) => kernel.schedule(this.inboundPs, () => this.inbound(request)),
    });
  }

  private get inboundPs(): number {
    const { rootPortPs, iommuPs, memoryPs } = this.options;
    return rootPortPs + iommuPs + memoryPs;
  }

  /** Config read of a DW; all ones where nobody answers. */
  *configRead(target: number, register: number): Task<number> {
    const { rootPort } = this;
    yield* delay(this.options.cpuPs);
    if (target === rootPort.rid) return rootPort.config.read(register);
    const type = this.configType(target);
    if (type === undefined) return ALL_ONES;
    yield* delay(this.options.rootPortPs);
    const requester = rootPort.rid;
    const build = (tag: number) =>
      cfgRead({ requesterId: requester, tag, type, destinationId: target, register });
    const done = yield* rootPort.port.request(build, false);
    return done.status === 'SC' ? readDwLE(done.data, 0) : ALL_ONES;
  }

  /** Config write of the enabled bytes of a DW; false where nobody takes it. */
  *configWrite(target: number, register: number, data: number, byteEnable = 0xf): Task<boolean> {
    const { rootPort } = this;
    yield* delay(this.options.cpuPs);
    if (target === rootPort.rid) {
      rootPort.config.write(register, data, byteEnable);
      return true;
    }
    const type = this.configType(target);
    if (type === undefined) return false;
    yield* delay(this.options.rootPortPs);
    const common = { requesterId: rootPort.rid, destinationId: target, register };
    const build = (tag: number) => cfgWrite({ ...common, tag, type, byteEnable, data });
    const done = yield* rootPort.port.request(build, false);
    return done.status === 'SC';
  }

  /** Type 0 on the secondary bus itself, type 1 beyond it; undefined: not behind this port. */
  private configType(target: number): 0 | 1 | undefined {
    const bus = target >> 8;
    const { secondary, subordinate } = this.rootPort.buses();
    if (bus === 0 || bus < secondary || bus > subordinate) return undefined;
    return bus === secondary ? 0 : 1;
  }

  /** A CPU load from MMIO; `tee`: from inside the guest's TEE. */
  *mmioRead(address: number, length: number, tee: boolean): Task<AccessResult> {
    const { rootPort } = this;
    yield* delay(this.options.cpuPs + this.options.rootPortPs);
    const data = new Uint8Array(length).fill(0xff);
    const failed = (reason: string): AccessResult => ({
      ok: false,
      data: new Uint8Array(length).fill(0xff),
      reason,
    });
    if (!rootPort.forwards(address, length)) return failed('no root port forwards this address');
    for (const span of splitRequest(address, length, RCB)) {
      const build = (tag: number) =>
        memoryRead({ requesterId: rootPort.rid, tag, address: span.address, length: span.length });
      const done = yield* rootPort.port.request(build, tee);
      if (done.status !== 'SC') return failed(`${done.status}: ${done.reason}`);
      data.set(done.data, span.address - address);
    }
    return { ok: true, data, reason: '' };
  }

  /** A CPU store to MMIO: posted, so success says only that it left. */
  *mmioWrite(address: number, data: Uint8Array, tee: boolean): Task<AccessResult> {
    const { rootPort } = this;
    yield* delay(this.options.cpuPs + this.options.rootPortPs);
    if (!rootPort.forwards(address, data.length))
      return { ok: false, data, reason: 'no root port forwards this address' };
    for (const span of splitRequest(address, data.length, RCB)) {
      const from = span.address - address;
      const part = data.subarray(from, from + span.length);
      const tlp = memoryWrite({ requesterId: rootPort.rid, address: span.address, data: part });
      const { sent, reason } = rootPort.port.post(tlp, tee);
      if (!sent) return { ok: false, data, reason };
    }
    return { ok: true, data, reason: '' };
  }

  private inbound(request: Received): void {
    const type = typeOf(request.tlp);
    const memory = type.startsWith('MRd') || type.startsWith('MWr');
    const master = this.rootPort.config.get('Command.BME') === 1;
    if (memory && master) this.memory(request);
    else if (flowClass(request.tlp) === FlowClasses.NON_POSTED) this.refuse(request);
  }

  private refuse(request: Received): void {
    const completerId = this.rootPort.rid;
    const status = CompletionStatuses.UR;
    this.rootPort.port.complete(request, completionFor(request.tlp, { completerId, status }));
  }

  private memory(request: Received): void {
    const { tlp, tee } = request;
    const iova = transferAddress(tlp);
    const length = transferBytes(tlp);
    const rid = requesterId(tlp);
    const write = hasData(tlp);
    if (write && iova >= INTERRUPT_BASE && iova < INTERRUPT_END) {
      // A message signaled interrupt is one whole DW.
      if (length !== 4 || iova % 4 !== 0) {
        this.drop('BAD_INTERRUPT', `${length} bytes in the interrupt range`, tlp);
        return;
      }
      this.interrupt(rid, tee, readDwLE(transferData(tlp), 0));
      return;
    }
    const { iommu, memory } = this.options;
    const where = iommu.translate(rid, tee, iova, length, write);
    if (!where.ok) {
      if (write) this.drop('IOMMU_FAULT', where.reason, tlp);
      else this.refuse(request);
      return;
    }
    const by = bdf(rid);
    if (write) {
      if (!this.store(by, tee, where.address, tlp)) this.drop('NO_MEMORY', 'no memory there', tlp);
      return;
    }
    const data = memory.read(by, tee, where.address, length);
    if (data === undefined) {
      this.refuse(request);
      return;
    }
    const completerId = this.rootPort.rid;
    const answer = { completerId, data, rcb: RCB, maxPayload: HOST_MAX_PAYLOAD };
    for (const part of splitCompletions(tlp, answer)) this.rootPort.port.complete(request, part);
  }

  /** Writes the enabled bytes, run by run. */
  private store(by: string, tee: boolean, address: number, tlp: Uint8Array): boolean {
    const data = transferData(tlp);
    const skip = transferAddress(tlp) % 4;
    const on = (i: number) => i < data.length && byteEnabled(tlp, i + skip);
    for (let from = 0; from < data.length; ) {
      let end = from;
      while (on(end)) end++;
      if (end > from) {
        const part = data.slice(from, end);
        if (!this.options.memory.write(by, tee, address + from, part)) return false;
      }
      from = end === from ? from + 1 : end;
    }
    return true;
  }

  private drop(code: string, reason: string, bytes: Uint8Array): void {
    this.kernel.bus.emit('tlp-dropped', this.rootPort.name, { code, reason, bytes });
  }

  private interrupt(rid: number, tee: boolean, data: number): void {
    const vector = data & 0xff;
    this.kernel.bus.emit('interrupt', 'root-complex', { rid, tee, vector });
    this.interrupts.fire({ rid, tee, vector });
  }
}
