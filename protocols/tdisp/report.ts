/**
 * Builds a DEVICE_INTERFACE_REPORT (PCIe Base 6.x 11.3) from what a device knows of itself.
 *
 * Addresses are reported with MMIO_REPORTING_OFFSET added, two's complement modulo 2^64, and counted
 * in 4 KiB pages. RANGE_ID is the BAR number, which is what Linux looks for.
 */

import { encode } from '../codec/layout.ts';
import { LocalError } from '../codec/refusal.ts';
import {
  InterfaceInfo,
  LockFlags,
  RangeAttributes,
  TDISP_PAGE_SHIFT,
  TDISP_PAGE_SIZE,
} from './codes.ts';
import { interfaceReport, type MmioRange } from './messages.ts';

/** One run of pages behind a BAR, as the device sees it. */
export interface MmioFact {
  /** 0 to 5 */
  readonly barIndex: number;
  /** address on the bus, 4 KiB aligned */
  readonly address: bigint;
  /** 4 KiB pages, at least one */
  readonly pages: number;
  /** `RangeAttributes` masks */
  readonly attributes: number;
}

export interface ReportFacts {
  /** `InterfaceInfo` masks; NO_FW_UPDATE is added when the lock asked for it */
  readonly interfaceInfo: number;
  /** Message Control of the MSI-X capability; reported only under LOCK_MSIX */
  readonly msixMessageControl: number;
  readonly lnrControl: number;
  readonly tphControl: number;
  readonly ranges: readonly MmioFact[];
  readonly deviceSpecificInfo: Uint8Array;
  /** an MSI-X table or PBA that is not locked: leave it out (default) or report it as non-TEE memory */
  readonly unlockedMsix?: 'omit' | 'non-tee';
}

/** What of LOCK_INTERFACE_REQUEST shapes the report. */
export interface ReportLock {
  /** FLAGS */
  readonly flags: number;
  /** MMIO_REPORTING_OFFSET, unsigned 64 bits */
  readonly mmioReportingOffset: bigint;
}

/** A range as reported, and the fact it stands for. */
export interface ReportedRange {
  readonly fact: MmioFact;
  readonly range: MmioRange;
}

/** OFFSET and REMAINDER_LENGTH have 16 bits: no report may be longer. */
export const REPORT_BYTES_MAX = 0xffff;
const ADDRESS_BITS = 64;
const ADDRESS_END = 1n << 64n;
const MSIX = RangeAttributes.MSI_X_TABLE | RangeAttributes.MSI_X_PBA;
const PAGES_MAX = 0xffffffff;

const wrap = (value: bigint): bigint => BigInt.asUintN(ADDRESS_BITS, value);
const endOf = (fact: MmioFact): bigint => fact.address + BigInt(fact.pages) * TDISP_PAGE_SIZE;

/** The reported page of a device address. */
export function reportedPage(address: bigint, mmioReportingOffset: bigint): bigint {
  return wrap(address + mmioReportingOffset) >> TDISP_PAGE_SHIFT;
}

/** The device address of a reported page. */
export function deviceAddress(page: bigint, mmioReportingOffset: bigint): bigint {
  return wrap((page << TDISP_PAGE_SHIFT) - mmioReportingOffset);
}

function byBarAndAddress(a: MmioFact, b: MmioFact): number {
  if (a.barIndex !== b.barIndex) return a.barIndex - b.barIndex;
  return a.address < b.address ? -1 : a.address > b.address ? 1 : 0;
}

function rangeProblem(fact: MmioFact): string | undefined {
  if (!Number.isInteger(fact.barIndex) || fact.barIndex < 0 || fact.barIndex > 5)
    return `barIndex ${fact.barIndex}: expected 0 to 5`;
  if (!Number.isInteger(fact.pages) || fact.pages < 1 || fact.pages > PAGES_MAX)
    return `BAR ${fact.barIndex}: expected 1 to 2^32 - 1 pages, got ${fact.pages}`;
  if (fact.address < 0n || fact.address % TDISP_PAGE_SIZE !== 0n)
    return `BAR ${fact.barIndex}: address is not 4 KiB aligned`;
  if (endOf(fact) > ADDRESS_END) return `BAR ${fact.barIndex}: range runs past 2^64`;
  return undefined;
}

/** Why these facts cannot be reported (misaligned, overlapping, too many), or undefined. */
export function factsProblem(facts: ReportFacts): string | undefined {
  for (const fact of facts.ranges) {
    const problem = rangeProblem(fact);
    if (problem !== undefined) return problem;
  }
  const sorted = [...facts.ranges].sort((a, b) => (a.address < b.address ? -1 : 1));
  for (const [i, fact] of sorted.entries()) {
    const next = sorted[i + 1];
    if (next !== undefined && next.address < endOf(fact))
      return `BAR ${fact.barIndex} and BAR ${next.barIndex} overlap`;
  }
  const size = 16 + 16 * facts.ranges.length + 4 + facts.deviceSpecificInfo.length;
  if (size > REPORT_BYTES_MAX)
    return `report of ${size} bytes, at most ${REPORT_BYTES_MAX} can be fetched`;
  return undefined;
}

function reportedAttributes(fact: MmioFact, locked: boolean): number {
  if (locked || (fact.attributes & MSIX) === 0) return fact.attributes;
  return (fact.attributes & ~MSIX) | RangeAttributes.IS_NON_TEE_MEM;
}

/**
 * The MMIO_RANGE list: BAR numbers non-decreasing, addresses ascending inside a BAR.
 * @throws LocalError if the facts cannot be reported
 */
export function reportRanges(facts: ReportFacts, lock: ReportLock): ReportedRange[] {
  const problem = factsProblem(facts);
  if (problem !== undefined) throw new LocalError(`facts: ${problem}`);
  const locked = (lock.flags & LockFlags.LOCK_MSIX) !== 0;
  const omit = !locked && facts.unlockedMsix !== 'non-tee';
  return facts.ranges
    .filter((fact) => !omit || (fact.attributes & MSIX) === 0)
    .sort(byBarAndAddress)
    .map((fact) => ({
      fact,
      range: {
        FIRST_PAGE: reportedPage(fact.address, lock.mmioReportingOffset),
        NUMBER_OF_PAGES: fact.pages,
        RANGE_ATTRIBUTES: reportedAttributes(fact, locked),
        RANGE_ID: fact.barIndex,
      },
    }));
}

/**
 * The report's bytes.
 * @throws LocalError if the facts cannot be reported (see `factsProblem`)
 */
export function buildReport(facts: ReportFacts, lock: ReportLock): Uint8Array {
  const ranges = reportRanges(facts, lock);
  const noUpdate = (lock.flags & LockFlags.NO_FW_UPDATE) !== 0 ? InterfaceInfo.NO_FW_UPDATE : 0;
  const msixLocked = (lock.flags & LockFlags.LOCK_MSIX) !== 0;
  return encode(interfaceReport, {
    INTERFACE_INFO: facts.interfaceInfo | noUpdate,
    MSI_X_MESSAGE_CONTROL: msixLocked ? facts.msixMessageControl : 0,
    LNR_CONTROL: facts.lnrControl,
    TPH_CONTROL: facts.tphControl,
    MMIO_RANGE: ranges.map(({ range }) => range),
    DEVICE_SPECIFIC_INFO: facts.deviceSpecificInfo,
  });
}
