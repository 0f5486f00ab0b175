/**
 * The TDIs of an endpoint as its TDISP responder asks for them: what may be locked, what a report says,
 * and which stream and session each TDI is bound to.
 */

import type { IdePort } from '../protocols/ide/port.ts';
import {
  InterfaceInfo,
  LockFlags,
  type LockRequest,
  type ReportFacts,
  type TdispCapabilities,
  type TdispDevice,
  TdispErrors,
  type TdispVerdict,
} from '../protocols/tdisp/index.ts';
import type { PciFunction } from './function.ts';

export interface EndpointTdiOptions {
  readonly ide: IdePort;
  readonly functions: readonly PciFunction[];
  readonly random: (size: number) => Uint8Array;
  /** Requester ID of a function, as its bus and device number stand now */
  readonly requesterId: (pciFunction: PciFunction) => number;
  readonly addressWidth: number;
  readonly reportPortion: number;
}

export interface Binding {
  readonly streamId: number;
  readonly sessionId: number;
  readonly flags: number;
}

/** Room for DSM and function in DEVICE_SPECIFIC_INFO: none of ours is needed to judge a report. */
const NO_SPECIFIC_INFO = new Uint8Array(0);

export class EndpointTdis implements TdispDevice {
  readonly capabilities: TdispCapabilities;
  private readonly options: EndpointTdiOptions;
  private readonly bindings = new Map<number, Binding>();

  constructor(options: EndpointTdiOptions) {
    this.options = options;
    this.capabilities = {
      lockFlagsSupported: LockFlags.NO_FW_UPDATE | LockFlags.LOCK_MSIX,
      deviceAddressWidth: options.addressWidth,
      numReqThis: 1,
      numReqAll: 1,
      reportPortionMax: options.reportPortion,
    };
  }

  interfaces(): readonly number[] {
    return this.options.functions.map((each) => this.options.requesterId(each));
  }

  functionOf(functionId: number): PciFunction | undefined {
    return this.options.functions.find((each) => this.options.requesterId(each) === functionId);
  }

  bindingOf(functionId: number): Binding | undefined {
    return this.bindings.get(functionId);
  }
  bind(functionId: number, binding: Binding): void {
    this.bindings.set(functionId, binding);
  }
  unbind(functionId: number): void {
    this.bindings.delete(functionId);
  }
  /** Requester IDs changed, all at once: bindings go with their TDIs. */
  renumber(moves: readonly (readonly [from: number, to: number])[]): void {
    const before = new Map(this.bindings);
    for (const [from] of moves) this.bindings.delete(from);
    for (const [from, to] of moves) {
      const binding = before.get(from);
      if (binding !== undefined) this.bindings.set(to, binding);
    }
  }

  checkLock(functionId: number, request: LockRequest, sessionId: number): TdispVerdict {
    const stream = this.options.ide.streamInfo(request.defaultStreamId);
    const keyed = stream?.kind === 'selective' && stream.secure && stream.keyedBy === sessionId;
    if (!keyed) return TdispErrors.INVALID_REQUEST;
    const device = this.functionOf(functionId);
    if (device === undefined) return TdispErrors.INVALID_INTERFACE;
    const configured = stream.tc === 0 && device.memoryEnabled && !this.barsOverlap(device);
    return configured ? undefined : TdispErrors.INVALID_DEVICE_CONFIGURATION;
  }

  /** Two BARs decoding the same address would let one function answer for the other. */
  private barsOverlap(device: PciFunction): boolean {
    const own = device.config.bars();
    const others = this.options.functions.flatMap((each) =>
      each === device ? [] : each.config.bars(),
    );
    return own.some((a, i) =>
      [...own.slice(i + 1), ...others].some(
        (b) => a.base < b.base + b.size && b.base < a.base + a.size,
      ),
    );
  }

  reportFacts(functionId: number): ReportFacts {
    const device = this.functionOf(functionId)!;
    const control = device.msix.registers;
    const enable = control.get('MSI-X Message Control.Enable') << 15;
    const mask = control.get('MSI-X Message Control.Function_Mask') << 14;
    return {
      interfaceInfo: InterfaceInfo.DMA_WITHOUT_PASID,
      msixMessageControl: enable | mask | (device.msix.vectors - 1),
      lnrControl: 0,
      tphControl: 0,
      ranges: device.ranges(),
      deviceSpecificInfo: NO_SPECIFIC_INFO,
    };
  }

  random(size: number): Uint8Array {
    return this.options.random(size);
  }
}
