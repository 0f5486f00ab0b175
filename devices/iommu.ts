/**
 * The IOMMU: two context tables by Requester ID, one for T=0 that the host fills and one for T=1 that
 * only the TSM fills. A T=1 request passes if its TDI's trusted context is enabled; a T=0 request
 * never reaches private memory.
 */

import { LocalError } from '../protocols/codec/refusal.ts';
import { bdf } from '../protocols/tlp/index.ts';
import type { Kernel } from '../sim/kernel/index.ts';
import type { HostMemory } from './memory.ts';
import type { SimRecords } from './records.ts';

export type IommuTable = 'legacy' | 'trusted';

export interface IommuMapping {
  readonly iova: number;
  readonly address: number;
  /** bytes, whole 4 KiB pages */
  readonly size: number;
  readonly writable: boolean;
}

interface Context {
  enabled: boolean;
  readonly mappings: IommuMapping[];
}

export type Translation =
  | { readonly ok: true; readonly address: number }
  | { readonly ok: false; readonly reason: string };

const PAGE_SIZE = 4096;

export class Iommu {
  private readonly kernel: Kernel<SimRecords>;
  private readonly memory: HostMemory;
  private readonly tables: Record<IommuTable, Map<number, Context>> = {
    legacy: new Map(),
    trusted: new Map(),
  };

  constructor(kernel: Kernel<SimRecords>, memory: HostMemory) {
    this.kernel = kernel;
    this.memory = memory;
  }

  private context(table: IommuTable, rid: number): Context {
    let context = this.tables[table].get(rid);
    if (context === undefined) {
      context = { enabled: false, mappings: [] };
      this.tables[table].set(rid, context);
    }
    return context;
  }

  /** @throws LocalError on a mapping that is not whole pages. */
  map(table: IommuTable, rid: number, mapping: IommuMapping): void {
    const { iova, address, size } = mapping;
    if (iova % PAGE_SIZE !== 0 || address % PAGE_SIZE !== 0 || size % PAGE_SIZE !== 0)
      throw new LocalError('mapping: iova, address and size must be whole 4 KiB pages');
    this.context(table, rid).mappings.push(mapping);
    this.kernel.bus.emit('iommu-map', 'iommu', { rid, table, iova, address, size });
  }

  /** Opens or closes a Requester ID's context. */
  enable(table: IommuTable, rid: number, enabled: boolean): void {
    const context = this.context(table, rid);
    if (context.enabled === enabled) return;
    context.enabled = enabled;
    this.kernel.bus.emit('iommu-context', 'iommu', { rid, table, enabled });
  }

  /** Forgets a Requester ID's mappings and closes its context. */
  clear(table: IommuTable, rid: number): void {
    this.enable(table, rid, false);
    this.tables[table].delete(rid);
  }

  isEnabled(table: IommuTable, rid: number): boolean {
    return this.tables[table].get(rid)?.enabled === true;
  }

  /** Translates one request; a refusal is recorded as a fault. */
  translate(rid: number, tee: boolean, iova: number, length: number, write: boolean): Translation {
    const verdict = this.judge(rid, tee, iova, length, write);
    if (!verdict.ok) {
      const { reason } = verdict;
      this.kernel.bus.emit('iommu-fault', 'iommu', { rid, tee, iova, write, reason });
    }
    return verdict;
  }

  private judge(
    rid: number,
    tee: boolean,
    iova: number,
    length: number,
    write: boolean,
  ): Translation {
    const table: IommuTable = tee ? 'trusted' : 'legacy';
    const context = this.tables[table].get(rid);
    if (context === undefined || !context.enabled)
      return { ok: false, reason: `${table} context of ${bdf(rid)} is closed` };
    const mapping = context.mappings.find(
      (entry) => iova >= entry.iova && iova + length <= entry.iova + entry.size,
    );
    if (mapping === undefined) return { ok: false, reason: `iova is not mapped (${table})` };
    if (write && !mapping.writable) return { ok: false, reason: `mapping is read-only (${table})` };
    const address = mapping.address + (iova - mapping.iova);
    const region = this.memory.regionOf(address, Math.max(1, length));
    if (!tee && region?.kind === 'private') return { ok: false, reason: 'T=0 to private memory' };
    return { ok: true, address };
  }
}
