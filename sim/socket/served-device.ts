/**
 * The device behind a served responder, apart from SPDM: two IDE ports (the DMTF requester emulator asks
 * for PortIndex 1) and one TDI, with what their IDE_KM
 * and TDISP responders ask of it. There is no bus here: the TDI's BARs are where an enumerating host
 * would have put them.
 */

import type { CryptoProvider } from '../../protocols/crypto/provider.ts';
import type { Effect, VendorResponder } from '../../protocols/engine.ts';
import { IdekmResponder, IdePort } from '../../protocols/ide/index.ts';
import {
  InterfaceInfo,
  LOCK_FLAGS_DEFINED,
  type LockRequest,
  RangeAttributes,
  type ReportFacts,
  type TdispDevice,
  TdispErrors,
  TdispResponder,
  type TdispVerdict,
} from '../../protocols/tdisp/index.ts';
import type { DeviceFacts } from './engines.ts';

const ADDRESS_ASSOCIATIONS = 1;
const PORTS = [0, 1] as const;
const BAR0 = 0xe000_0000n;
const BAR2 = 0xf000_0000n;
/** MSI-X enabled, 16 vectors */
const MSIX_MESSAGE_CONTROL = 0x800f;

function reportFacts(): ReportFacts {
  const { MSI_X_TABLE, MSI_X_PBA, IS_MEM_ATTR_UPDATABLE } = RangeAttributes;
  return {
    interfaceInfo: InterfaceInfo.DMA_WITHOUT_PASID,
    msixMessageControl: MSIX_MESSAGE_CONTROL,
    lnrControl: 0,
    tphControl: 0,
    ranges: [
      { barIndex: 0, address: BAR0, pages: 4, attributes: 0 },
      { barIndex: 0, address: BAR0 + 0x4000n, pages: 1, attributes: MSI_X_TABLE | MSI_X_PBA },
      { barIndex: 2, address: BAR2, pages: 16, attributes: IS_MEM_ATTR_UPDATABLE },
    ],
    deviceSpecificInfo: new Uint8Array(0),
  };
}

export class ServedDevice {
  readonly vendor: readonly VendorResponder[];
  readonly #ports: readonly IdePort[];
  readonly #tdisp: TdispResponder;

  constructor(
    crypto: CryptoProvider,
    random: (size: number) => Uint8Array,
    facts: DeviceFacts,
    functionId: number,
  ) {
    const selective = Array.from({ length: facts.selectiveStreams }, () => ({
      addressAssociations: ADDRESS_ASSOCIATIONS,
    }));
    this.#ports = PORTS.map(
      (portIndex) =>
        new IdePort({ crypto, role: 'endpoint', rid: functionId, portIndex, selective }),
    );
    const device: TdispDevice = {
      capabilities: {
        lockFlagsSupported: LOCK_FLAGS_DEFINED,
        deviceAddressWidth: facts.addressWidth,
        numReqThis: 1,
        numReqAll: 1,
        reportPortionMax: facts.reportPortion,
      },
      interfaces: () => [functionId],
      checkLock: (_id, request, sessionId) => this.#checkLock(request, sessionId),
      reportFacts,
      random,
    };
    this.#tdisp = new TdispResponder(device);
    this.vendor = [new IdekmResponder({ ports: this.#ports }), this.#tdisp];
  }

  /** Only over a stream whose keys came over the same session (PCIe Base 6.x 11.3). */
  #checkLock(request: LockRequest, sessionId: number): TdispVerdict {
    const keyed = this.#ports.some(
      (port) => port.keyedBySession(request.defaultStreamId) === sessionId,
    );
    return keyed ? undefined : TdispErrors.INVALID_REQUEST;
  }

  /** PCIe Base 6.x 11.4.5: streams keyed over the session become Insecure, TDIs locked over it ERROR. */
  sessionEnded(sessionId: number): readonly Effect[] {
    return [
      ...this.#ports.flatMap((port) => port.sessionEnded(sessionId)),
      ...this.#tdisp.event({ sessionId }, 'session-ended'),
    ];
  }
}
