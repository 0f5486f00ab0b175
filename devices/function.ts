/**
 * One function of an endpoint: configuration space, BARs and what stands behind them, and the engine
 * that makes it a device. Whether a request may reach it is the endpoint's and the TDI's business.
 */

import { readDwLE } from '../protocols/codec/bytes.ts';
import { LocalError } from '../protocols/codec/refusal.ts';
import { RangeAttributes } from '../protocols/tdisp/index.ts';
import type { MmioFact } from '../protocols/tdisp/report.ts';
import type { Kernel } from '../sim/kernel/index.ts';
import { BarMemory, type BarRegion, BarSpace } from './bar-space.ts';
import { MSIX_ENTRY_BYTES, MsixCapability } from './caps/msix.ts';
import { PcieCapability, PortTypes } from './caps/pcie.ts';
import { PowerManagementCapability, PowerStates } from './caps/power-management.ts';
import { ConfigSpace } from './config-space.ts';
import { type DmaBus, DmaEngine } from './dma-engine.ts';
import type { SimRecords } from './records.ts';

export interface BarPlan {
  readonly index: number;
  readonly size: number;
  readonly prefetchable: boolean;
}
/** Whole 4 KiB pages inside a BAR. */
export interface PageRun {
  readonly bar: number;
  readonly first: number;
  readonly count: number;
}

export interface FunctionPlan {
  readonly number: number;
  readonly vendorId: number;
  readonly deviceId: number;
  readonly classCode: number;
  readonly bars: readonly BarPlan[];
  readonly msix: { readonly vectors: number; readonly bar: number; readonly page: number };
  readonly nonTee: readonly PageRun[];
  readonly multiFunction: boolean;
  readonly link: { readonly generation: number; readonly lanes: number };
  readonly onFlr: () => void;
}

const PAGE_SIZE = 4096;
/** Pages the MSI-X table takes; the PBA has the page after them. */
const tablePages = ({ msix }: FunctionPlan) =>
  Math.ceil((msix.vectors * MSIX_ENTRY_BYTES) / PAGE_SIZE);
const MSE = 'Command.MSE';
const BME = 'Command.BME';

export class PciFunction {
  readonly plan: FunctionPlan;
  readonly config: ConfigSpace;
  readonly pcie: PcieCapability;
  readonly msix: MsixCapability;
  readonly power = new PowerManagementCapability();
  readonly engine: DmaEngine;
  /** device memory that the engine copies to and from */
  readonly local: BarMemory;
  readonly spaces: ReadonlyMap<number, BarSpace>;
  private readonly msixTable: BarMemory;
  private readonly status: BarMemory;
  private readonly kernel: Kernel<SimRecords>;

  /** @throws LocalError if BAR 0 or 2 is missing or too small for what stands behind it, or no whole pages. */
  constructor(kernel: Kernel<SimRecords>, plan: FunctionPlan, bus: DmaBus) {
    this.kernel = kernel;
    this.plan = plan;
    const sizeOf = (index: number) => plan.bars.find((bar) => bar.index === index)?.size ?? 0;
    const table = { bir: plan.msix.bar, offset: plan.msix.page * PAGE_SIZE };
    const pba = { bir: plan.msix.bar, offset: table.offset + tablePages(plan) * PAGE_SIZE };
    if (plan.bars.some(({ size }) => size % PAGE_SIZE !== 0))
      throw new LocalError('bars: each must be whole 4 KiB pages, as a report counts them');
    if (sizeOf(0) < pba.offset + PAGE_SIZE || table.offset < 2 * PAGE_SIZE || plan.msix.bar !== 0)
      throw new LocalError('bars: BAR 0 must hold engine, status page, MSI-X table and PBA');
    if (sizeOf(2) === 0) throw new LocalError('bars: BAR 2, the device memory, is missing');
    this.local = new BarMemory('memory', 0, sizeOf(2));
    this.engine = new DmaEngine(kernel, bus, this.local, 0);
    this.status = new BarMemory('status', PAGE_SIZE, PAGE_SIZE);
    this.msixTable = new BarMemory(
      'msix-table',
      table.offset,
      plan.msix.vectors * MSIX_ENTRY_BYTES,
    );
    const registers = [this.engine, this.status, this.msixTable];
    const behind: Readonly<Record<number, BarRegion[]>> = { 0: registers, 2: [this.local] };
    this.spaces = new Map(
      plan.bars.map(({ index, size }) => [index, new BarSpace(index, size, behind[index] ?? [])]),
    );
    this.config = new ConfigSpace({
      type: 0,
      vendorId: plan.vendorId,
      deviceId: plan.deviceId,
      classCode: plan.classCode,
      multiFunction: plan.multiFunction,
      bars: plan.bars.map(({ index, size, prefetchable }) => ({
        index,
        kind: 'memory',
        size,
        width: 64,
        prefetchable,
      })),
    });
    this.pcie = new PcieCapability({
      portType: PortTypes.ENDPOINT,
      flr: true,
      teeIo: true,
      ...plan.link,
      onFlr: plan.onFlr,
    });
    this.msix = new MsixCapability({ vectors: plan.msix.vectors, table, pba });
    this.config.addCapability(this.power);
    this.config.addCapability(this.pcie);
    this.config.addCapability(this.msix);
    this.refreshStatus();
  }

  /** The status page says what the function is; it stays readable for the host. */
  private refreshStatus(): void {
    const text = `function ${this.plan.number} ready`;
    for (const [i, c] of [...text].entries()) this.status.bytes[i] = c.charCodeAt(0);
  }

  get memoryEnabled(): boolean {
    return this.config.get(MSE) === 1 && this.awake;
  }
  get busMaster(): boolean {
    return this.config.get(BME) === 1 && this.awake;
  }
  /** In D3hot a function takes configuration requests alone (PCIe Base 6.x 5.3.1.4). */
  private get awake(): boolean {
    return this.power.powerState !== PowerStates.D3HOT;
  }

  /** Where `address` stands in a BAR that decodes now. */
  decode(address: number): { bar: number; offset: number } | undefined {
    if (!this.memoryEnabled) return undefined;
    for (const { index, base, size } of this.config.bars()) {
      const offset = address - Number(base);
      if (offset >= 0 && offset < Number(size)) return { bar: index, offset };
    }
    return undefined;
  }

  /** Pages that are not TEE memory even while the TDI runs. */
  isNonTee(bar: number, offset: number): boolean {
    const page = Math.floor(offset / PAGE_SIZE);
    return this.plan.nonTee.some(
      (run) => run.bar === bar && page >= run.first && page < run.first + run.count,
    );
  }

  /** MMIO ranges for the interface report: each BAR cut where the attributes change. */
  ranges(): MmioFact[] {
    const facts: MmioFact[] = [];
    for (const { index, base, size } of this.config.bars()) {
      const pages = Number(size) / PAGE_SIZE;
      for (let page = 0; page < pages; ) {
        const attributes = this.attributesOf(index, page);
        let end = page + 1;
        while (end < pages && this.attributesOf(index, end) === attributes) end++;
        const address = base + BigInt(page * PAGE_SIZE);
        facts.push({ barIndex: index, address, pages: end - page, attributes });
        page = end;
      }
    }
    return facts;
  }

  private attributesOf(bar: number, page: number): number {
    const { msix } = this.plan;
    const after = msix.page + tablePages(this.plan);
    if (bar === msix.bar && page >= msix.page && page < after) return RangeAttributes.MSI_X_TABLE;
    if (bar === msix.bar && page === after) return RangeAttributes.MSI_X_PBA;
    return this.isNonTee(bar, page * PAGE_SIZE) ? RangeAttributes.IS_NON_TEE_MEM : 0;
  }

  /**
   * Address and data of an unmasked MSI-X vector; undefined: no interrupt is to be sent. The two low
   * address bits are taken as 0, and an address beyond exact numbers as none: choices, as software must
   * write neither.
   */
  vector(number: number): { address: number; data: number } | undefined {
    if (!this.msix.enabled || this.msix.functionMask || number >= this.plan.msix.vectors)
      return undefined;
    const at = number * MSIX_ENTRY_BYTES;
    const dw = (offset: number) => readDwLE(this.msixTable.bytes, at + offset);
    if ((dw(12) & 1) === 1) return undefined;
    const address = dw(4) * 2 ** 32 + (dw(0) - (dw(0) % 4));
    return Number.isSafeInteger(address + 4) ? { address, data: dw(8) } : undefined;
  }

  /** Everything a tenant may have left: device memory, registers, status page, interrupt vectors. */
  scrub(functionId: number): void {
    this.engine.reset('scrubbed');
    this.local.scrub();
    this.msixTable.scrub();
    this.status.scrub();
    this.refreshStatus();
    const bytes = this.local.size + this.msixTable.size + this.status.size;
    this.kernel.bus.emit('scrub', `function ${this.plan.number}`, { functionId, bytes });
  }
}
