/**
 * One TDI on its way into a guest: locked, its report judged, accepted, started, stopped. The TSM's
 * record of it decides what the guest may map with T=1 and whether the IOMMU lets T=1 through.
 */

import {
  isPeerFault,
  LocalError,
  type PeerFault,
  peerFault,
} from '../../protocols/codec/refusal.ts';
import {
  checkReport,
  getInterfaceReport,
  getInterfaceState,
  getTdispCapabilities,
  getTdispVersion,
  InterfaceInfo,
  LockFlags,
  lockInterface,
  type MmioDescriptor,
  type ReportVerdict,
  startInterface,
  stopInterface,
  type TdiState,
} from '../../protocols/tdisp/index.ts';
import type { Task } from '../../sim/kernel/index.ts';
import type { Iommu, IommuMapping } from '../iommu.ts';
import type { FoundFunction } from './pci.ts';
import type { Tsm } from './tsm.ts';

export interface AssignmentOptions {
  readonly tsm: Tsm;
  readonly iommu: Iommu;
  readonly function: FoundFunction;
  /** bytes of report asked for at once */
  readonly reportPortion: number;
  /** what the guest sees instead of host addresses: a multiple of every BAR size */
  readonly reportingOffset: bigint;
  /** guest memory the TDI may reach once it runs */
  readonly mappings: readonly IommuMapping[];
  /** BARs narrower than this cannot be decoded by the device */
  readonly addressWidthMin: number;
}

const PAGE_SIZE = 4096;
const LOCK_FLAGS = LockFlags.NO_FW_UPDATE | LockFlags.LOCK_MSIX;
/** DMA without PASID, and neither ATS nor PRS: nothing the IOMMU model would have to answer */
const INFO_MASK =
  InterfaceInfo.DMA_WITHOUT_PASID |
  InterfaceInfo.DMA_WITH_PASID |
  InterfaceInfo.ATS |
  InterfaceInfo.PRS;

export class TdiAssignment {
  readonly options: AssignmentOptions;
  readonly functionId: number;
  private nonce: Uint8Array | undefined;
  private report: Uint8Array | undefined;
  private verdict: ReportVerdict | undefined;
  /** what the guest may map with T=1; empty until it accepts */
  private granted: readonly MmioDescriptor[] = [];

  constructor(options: AssignmentOptions) {
    this.options = options;
    this.functionId = options.function.rid;
  }

  /** GET_TDISP_VERSION, GET_TDISP_CAPABILITIES, LOCK_INTERFACE_REQUEST on the stream. */
  *lock(streamId: number): Task<true | PeerFault> {
    // Nothing that was granted or found good before belongs to the lock to come.
    this.withdraw();
    const { tsm, reportingOffset, addressWidthMin } = this.options;
    const versions = yield* tsm.tdisp(getTdispVersion(this.functionId));
    if (isPeerFault(versions)) return versions;
    const capabilities = yield* tsm.tdisp(getTdispCapabilities(this.functionId));
    if (isPeerFault(capabilities)) return capabilities;
    if ((capabilities.lockFlagsSupported & LOCK_FLAGS) !== LOCK_FLAGS)
      return peerFault('TDISP_LOCK_FLAGS', 'NO_FW_UPDATE or LOCK_MSIX is not supported');
    if (capabilities.deviceAddressWidth < addressWidthMin)
      return peerFault('TDISP_ADDRESS_WIDTH', `${capabilities.deviceAddressWidth} address bits`);
    const nonce = yield* tsm.tdisp(
      lockInterface(this.functionId, {
        flags: LOCK_FLAGS,
        defaultStreamId: streamId,
        mmioReportingOffset: reportingOffset,
        bindP2pAddressMask: 0n,
      }),
    );
    if (isPeerFault(nonce)) return nonce;
    this.nonce = nonce;
    return true;
  }

  /** DEVICE_INTERFACE_REPORT, in portions. */
  *readReport(): Task<Uint8Array | PeerFault> {
    const { tsm, reportPortion: portionBytes } = this.options;
    this.report = undefined;
    this.verdict = undefined;
    const report = yield* tsm.tdisp(getInterfaceReport(this.functionId, { portionBytes }));
    if (isPeerFault(report)) return report;
    this.report = report;
    return report;
  }

  /** Holds the report against the BARs the host assigned. */
  judgeReport(): ReportVerdict {
    if (this.report === undefined) throw new LocalError('report: read it before judging it');
    const { function: found, reportingOffset } = this.options;
    this.verdict = checkReport(this.report, {
      bars: found.bars.map(({ index, size, address }) => ({
        index,
        size: BigInt(size),
        address: BigInt(address),
        kind: 'memory',
      })),
      reportingOffset,
      offsetRule: 'absolute',
      lockFlags: LOCK_FLAGS,
      interfaceInfo: { mask: INFO_MASK, value: InterfaceInfo.DMA_WITHOUT_PASID },
    });
    return this.verdict;
  }

  /** The guest takes the TDI: its TEE ranges become mappable with T=1. Refused without a good report. */
  accept(): true | PeerFault {
    if (this.verdict?.ok !== true)
      return peerFault('REPORT_REFUSED', 'the interface report was not found good');
    this.granted = this.verdict.descriptors.filter((each) => each.kind !== 'non-tee');
    return true;
  }

  /** START_INTERFACE_REQUEST with the lock's nonce; then the IOMMU opens for T=1. */
  *start(): Task<true | PeerFault> {
    const { tsm, iommu, mappings } = this.options;
    if (this.granted.length === 0) return peerFault('NOT_ACCEPTED', 'the guest has not accepted');
    if (this.nonce === undefined) return peerFault('NOT_LOCKED', 'no nonce: lock first');
    const nonce = this.nonce;
    this.nonce = undefined;
    const started = yield* tsm.tdisp(startInterface(this.functionId, nonce));
    if (isPeerFault(started)) return started;
    for (const mapping of mappings) iommu.map('trusted', this.functionId, mapping);
    iommu.enable('trusted', this.functionId, true);
    return true;
  }

  /** Closes the IOMMU and takes the MMIO grants back; no message is sent. */
  withdraw(): void {
    this.options.iommu.clear('trusted', this.functionId);
    this.granted = [];
    this.nonce = undefined;
    this.report = undefined;
    this.verdict = undefined;
  }

  /** STOP_INTERFACE_REQUEST, after everything that could still reach the guest is closed. */
  *stop(): Task<true | PeerFault> {
    this.withdraw();
    return yield* this.options.tsm.tdisp(stopInterface(this.functionId));
  }

  *readState(): Task<TdiState | PeerFault> {
    return yield* this.options.tsm.tdisp(getInterfaceState(this.functionId));
  }

  /** May the guest reach these bytes of a BAR with T=1? */
  grants(barIndex: number, offset: number, length: number): boolean {
    return this.granted.some(
      (each) =>
        each.barIndex === barIndex &&
        offset >= Number(each.offset) &&
        offset + length <= Number(each.offset) + each.pages * PAGE_SIZE,
    );
  }
}
