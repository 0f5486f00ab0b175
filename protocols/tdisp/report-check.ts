/**
 * What a host or guest holds a DEVICE_INTERFACE_REPORT to before it maps anything (PCIe Base 6.x 11.3;
 * rejection rules as Linux drivers/pci/tsm has them). One wrong range and there are no descriptors.
 */

import { decode } from '../codec/layout.ts';
import { LocalError, refusalText } from '../codec/refusal.ts';
import {
  INTERFACE_INFO_DEFINED,
  InterfaceInfo,
  LockFlags,
  RANGE_ATTRIBUTES_DEFINED,
  RangeAttributes,
  TDISP_PAGE_SHIFT,
} from './codes.ts';
import { type InterfaceReport, interfaceReport, type MmioRange } from './messages.ts';
import { deviceAddress } from './report.ts';

/** What is wrong with a report; every name is stable. */
export const ReportFindings = {
  /** header, MMIO_RANGE_COUNT entries or device specific info run past the end, or bytes are left */
  REPORT_LENGTH: 'REPORT_LENGTH',
  INTERFACE_INFO_RESERVED: 'INTERFACE_INFO_RESERVED',
  INTERFACE_INFO_UNEXPECTED: 'INTERFACE_INFO_UNEXPECTED',
  /** LOCK_INTERFACE_REQUEST asked for NO_FW_UPDATE and the report does not confirm it */
  NO_FW_UPDATE_MISSING: 'NO_FW_UPDATE_MISSING',
  /** MSI-X control or MSI-X range attributes without LOCK_MSIX */
  MSIX_NOT_LOCKED: 'MSIX_NOT_LOCKED',
  RANGE_ATTRIBUTES_RESERVED: 'RANGE_ATTRIBUTES_RESERVED',
  /** RANGE_ID above 5 */
  BAR_ID_INVALID: 'BAR_ID_INVALID',
  BAR_ABSENT: 'BAR_ABSENT',
  BAR_NOT_MEMORY: 'BAR_NOT_MEMORY',
  BAR_ID_DESCENDING: 'BAR_ID_DESCENDING',
  RANGE_EMPTY: 'RANGE_EMPTY',
  RANGE_WRAPS: 'RANGE_WRAPS',
  RANGE_DESCENDING: 'RANGE_DESCENDING',
  RANGE_OVERLAP: 'RANGE_OVERLAP',
  RANGE_OUTSIDE_BAR: 'RANGE_OUTSIDE_BAR',
  /** with the reporting offset taken off, the range is not where the BAR is */
  RANGE_NOT_AT_BAR: 'RANGE_NOT_AT_BAR',
} as const;
export type ReportFindingName = keyof typeof ReportFindings;

export interface ReportFinding {
  readonly name: ReportFindingName;
  /** index into MMIO_RANGE, where the finding is about one */
  readonly range?: number;
  readonly detail: string;
}

/** Not wrong, but worth a line in a trace. */
export type ReportNoteName = 'OFFSET_RULES_DISAGREE' | 'OFFSET_NOT_BAR_ALIGNED';
export interface ReportNote {
  readonly name: ReportNoteName;
  readonly range: number;
  readonly detail: string;
}

export interface BarFact {
  /** 0 to 5 */
  readonly index: number;
  /** bytes, positive */
  readonly size: bigint;
  /** where it decodes; without it nothing can be said about absolute addresses */
  readonly address?: bigint;
  readonly kind?: 'memory' | 'io';
}

/**
 * How a reported page becomes an offset into its BAR: counted from the first reported range of the
 * BAR, reported address modulo BAR size, or reported address less reporting offset and BAR address.
 */
export type OffsetRule = 'relative' | 'modulo' | 'absolute';

export interface ReportExpectation {
  readonly bars: readonly BarFact[];
  /** MMIO_REPORTING_OFFSET of the lock, unsigned 64 bits */
  readonly reportingOffset: bigint;
  /** default: relative */
  readonly offsetRule?: OffsetRule;
  /** FLAGS of the lock; without them nothing is held against them */
  readonly lockFlags?: number;
  /** bits of INTERFACE_INFO that must have these values */
  readonly interfaceInfo?: { readonly mask: number; readonly value: number };
}

/** One run of pages of a BAR. Only `encrypted` ones may be mapped private (T=1). */
export interface MmioDescriptor {
  readonly barIndex: number;
  /** bytes from the start of the BAR, by the chosen rule */
  readonly offset: bigint;
  /** 4 KiB pages */
  readonly pages: number;
  readonly kind: 'tee' | 'non-tee' | 'msix';
  /** TEE memory that is neither MSI-X table nor PBA: those stay shared */
  readonly encrypted: boolean;
  readonly updatable: boolean;
}

export type ReportVerdict =
  | {
      readonly ok: true;
      readonly report: InterfaceReport;
      readonly descriptors: readonly MmioDescriptor[];
      readonly notes: readonly ReportNote[];
    }
  | { readonly ok: false; readonly findings: readonly ReportFinding[] };

const MSIX = RangeAttributes.MSI_X_TABLE | RangeAttributes.MSI_X_PBA;
const BAR_ID_MAX = 5;
const PAGES_END = 1n << 52n;

/** The three offsets of one range into its BAR; `absolute` only where the BAR's address is known. */
interface Offsets {
  readonly relative: bigint;
  readonly modulo: bigint;
  readonly absolute?: bigint;
}

class Check {
  readonly findings: ReportFinding[] = [];
  readonly notes: ReportNote[] = [];
  readonly descriptors: MmioDescriptor[] = [];
  readonly expectation: ReportExpectation;
  readonly bars: ReadonlyMap<number, BarFact>;
  /** first reported page per BAR, and the page after the last range */
  readonly first = new Map<number, bigint>();
  readonly last = new Map<number, MmioRange>();
  highestBar = 0;

  constructor(expectation: ReportExpectation) {
    this.expectation = expectation;
    this.bars = new Map(expectation.bars.map((bar) => [bar.index, bar]));
  }

  found(name: ReportFindingName, detail: string, range?: number): void {
    this.findings.push(range === undefined ? { name, detail } : { name, range, detail });
  }

  info(report: InterfaceReport): void {
    const { lockFlags, interfaceInfo } = this.expectation;
    const info = report.INTERFACE_INFO;
    if ((info & ~INTERFACE_INFO_DEFINED) !== 0)
      this.found('INTERFACE_INFO_RESERVED', `INTERFACE_INFO is 0x${info.toString(16)}`);
    if (interfaceInfo !== undefined && (info & interfaceInfo.mask) !== interfaceInfo.value)
      this.found(
        'INTERFACE_INFO_UNEXPECTED',
        `INTERFACE_INFO is 0x${info.toString(16)}, expected 0x${interfaceInfo.value.toString(16)} under mask 0x${interfaceInfo.mask.toString(16)}`,
      );
    if (lockFlags === undefined) return;
    const wanted = (lockFlags & LockFlags.NO_FW_UPDATE) !== 0;
    if (wanted && (info & InterfaceInfo.NO_FW_UPDATE) === 0)
      this.found('NO_FW_UPDATE_MISSING', 'locked with NO_FW_UPDATE, reported without');
    if ((lockFlags & LockFlags.LOCK_MSIX) === 0 && report.MSI_X_MESSAGE_CONTROL !== 0)
      this.found('MSIX_NOT_LOCKED', 'MSI_X_MESSAGE_CONTROL reported without LOCK_MSIX');
  }

  attributes(range: MmioRange, i: number): void {
    const attributes = range.RANGE_ATTRIBUTES;
    if ((attributes & ~RANGE_ATTRIBUTES_DEFINED) !== 0)
      this.found('RANGE_ATTRIBUTES_RESERVED', `attributes 0x${attributes.toString(16)}`, i);
    const { lockFlags } = this.expectation;
    if (lockFlags !== undefined && (lockFlags & LockFlags.LOCK_MSIX) === 0 && attributes & MSIX)
      this.found('MSIX_NOT_LOCKED', 'MSI-X range reported without LOCK_MSIX', i);
  }

  /** The BAR a range claims to be part of, if it exists and is memory. */
  bar(range: MmioRange, i: number): BarFact | undefined {
    const id = range.RANGE_ID;
    if (id > BAR_ID_MAX) {
      this.found('BAR_ID_INVALID', `RANGE_ID ${id}`, i);
      return undefined;
    }
    if (id < this.highestBar)
      this.found('BAR_ID_DESCENDING', `RANGE_ID ${id} after ${this.highestBar}`, i);
    this.highestBar = Math.max(this.highestBar, id);
    const bar = this.bars.get(id);
    if (bar === undefined) this.found('BAR_ABSENT', `no BAR ${id}`, i);
    else if (bar.kind === 'io') this.found('BAR_NOT_MEMORY', `BAR ${id} is I/O space`, i);
    else return bar;
    return undefined;
  }

  /** Order and overlap inside one BAR; true if the range makes sense by itself. */
  order(range: MmioRange, i: number): boolean {
    const { FIRST_PAGE: first, NUMBER_OF_PAGES: pages, RANGE_ID: id } = range;
    if (pages === 0) {
      this.found('RANGE_EMPTY', 'no pages', i);
      return false;
    }
    if (first + BigInt(pages) > PAGES_END) {
      this.found('RANGE_WRAPS', `page 0x${first.toString(16)} + ${pages} is past 2^64 bytes`, i);
      return false;
    }
    const before = this.last.get(id);
    this.last.set(id, range);
    if (before === undefined) {
      this.first.set(id, first);
      return true;
    }
    if (first < before.FIRST_PAGE)
      this.found('RANGE_DESCENDING', `page 0x${first.toString(16)} below the range before`, i);
    else if (first < before.FIRST_PAGE + BigInt(before.NUMBER_OF_PAGES))
      this.found('RANGE_OVERLAP', `page 0x${first.toString(16)} inside the range before`, i);
    return true;
  }

  offsets(range: MmioRange, bar: BarFact): Offsets {
    const address = range.FIRST_PAGE << TDISP_PAGE_SHIFT;
    const first = this.first.get(range.RANGE_ID) ?? range.FIRST_PAGE;
    const both = {
      relative: (range.FIRST_PAGE - first) << TDISP_PAGE_SHIFT,
      modulo: address % bar.size,
    };
    if (bar.address === undefined) return both;
    const real = deviceAddress(range.FIRST_PAGE, this.expectation.reportingOffset);
    return { ...both, absolute: real - bar.address };
  }

  place(range: MmioRange, bar: BarFact, i: number): bigint {
    const rule = this.expectation.offsetRule ?? 'relative';
    const offsets = this.offsets(range, bar);
    const bytes = BigInt(range.NUMBER_OF_PAGES) << TDISP_PAGE_SHIFT;
    const fits = (offset: bigint) => offset >= 0n && offset + bytes <= bar.size;
    // checkReport has made sure that the absolute rule has the addresses it needs
    const offset = offsets[rule] ?? offsets.relative;
    if (!fits(offset))
      this.found('RANGE_OUTSIDE_BAR', `offset ${offset} + ${bytes} bytes, BAR ${bar.size}`, i);
    const { absolute } = offsets;
    if (absolute !== undefined && !fits(absolute))
      this.found('RANGE_NOT_AT_BAR', `${absolute} bytes from the start of BAR ${bar.index}`, i);
    this.note(offsets, bar, i);
    return offset;
  }

  note(offsets: Offsets, bar: BarFact, range: number): void {
    const { relative, modulo, absolute } = offsets;
    if (relative !== modulo || (absolute !== undefined && absolute !== relative))
      this.notes.push({
        name: 'OFFSET_RULES_DISAGREE',
        range,
        detail: `relative ${relative}, modulo ${modulo}, absolute ${absolute ?? 'unknown'}`,
      });
    if (this.expectation.reportingOffset % bar.size !== 0n)
      this.notes.push({
        name: 'OFFSET_NOT_BAR_ALIGNED',
        range,
        detail: `MMIO_REPORTING_OFFSET is no multiple of ${bar.size}: the modulo rule does not hold`,
      });
  }

  range(range: MmioRange, i: number): void {
    this.attributes(range, i);
    const bar = this.bar(range, i);
    if (!this.order(range, i) || bar === undefined) return;
    const offset = this.place(range, bar, i);
    const attributes = range.RANGE_ATTRIBUTES;
    const msix = (attributes & MSIX) !== 0;
    const nonTee = (attributes & RangeAttributes.IS_NON_TEE_MEM) !== 0;
    this.descriptors.push({
      barIndex: bar.index,
      offset,
      pages: range.NUMBER_OF_PAGES,
      kind: nonTee ? 'non-tee' : msix ? 'msix' : 'tee',
      encrypted: !nonTee && !msix,
      updatable: (attributes & RangeAttributes.IS_MEM_ATTR_UPDATABLE) !== 0,
    });
  }
}

/**
 * Judges a whole report against what the host or guest knows.
 * @returns descriptors of every range in report order, or everything that is wrong
 * @throws LocalError on a BAR without size, or the absolute rule for a BAR without address
 */
export function checkReport(report: Uint8Array, expectation: ReportExpectation): ReportVerdict {
  for (const bar of expectation.bars) {
    if (bar.size <= 0n) throw new LocalError(`bars: BAR ${bar.index} has size ${bar.size}`);
    if (expectation.offsetRule === 'absolute' && bar.address === undefined)
      throw new LocalError(`bars: the absolute rule needs the address of BAR ${bar.index}`);
  }
  const decoded = decode(interfaceReport, report);
  if (!decoded.ok)
    return { ok: false, findings: [{ name: 'REPORT_LENGTH', detail: refusalText(decoded) }] };
  const check = new Check(expectation);
  check.info(decoded.value);
  for (const [i, range] of decoded.value.MMIO_RANGE.entries()) check.range(range, i);
  if (check.findings.length > 0) return { ok: false, findings: check.findings };
  const { descriptors, notes } = check;
  return { ok: true, report: decoded.value, descriptors, notes };
}
