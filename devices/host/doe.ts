/** The host's DOE driver: the initiator's register steps as configuration TLPs to one mailbox. */

import {
  isPeerFault,
  type PeerFault,
  peerFault,
  refusalText,
} from '../../protocols/codec/refusal.ts';
import {
  type DoeSteps,
  type DoeTiming,
  doeExchange,
  doeOpen,
} from '../../protocols/doe/initiator.ts';
import {
  type DoeObjectType,
  DoeTypes,
  decodeObject,
  encodeObject,
  VENDOR_PCI_SIG,
} from '../../protocols/doe/object.ts';
import type { Packet } from '../../protocols/spdm/responder/responder.ts';
import { delay, type Kernel, type Task } from '../../sim/kernel/index.ts';
import type { SimRecords } from '../records.ts';
import type { RootComplex } from '../root-complex.ts';
import { DoeTap } from './doe-tap.ts';

export class DoeDriver {
  private readonly kernel: Kernel<SimRecords>;
  private readonly complex: RootComplex;
  private readonly rid: number;
  /** offset of the DOE extended capability */
  private readonly base: number;
  private readonly timing: DoeTiming;
  private readonly tap: DoeTap;
  /** exchanges done, and DWs moved by them */
  readonly counts = { exchanges: 0, dws: 0 };

  constructor(
    kernel: Kernel<SimRecords>,
    complex: RootComplex,
    rid: number,
    base: number,
    pollPs: number,
  ) {
    this.kernel = kernel;
    this.complex = complex;
    this.rid = rid;
    this.base = base;
    this.timing = { pollPs };
    this.tap = new DoeTap((direction, object) =>
      kernel.bus.emit('doe', 'doe', { direction, object }),
    );
  }

  /** Abort, then Discovery: every object type the mailbox takes. */
  *open(capabilityVersion: number): Task<readonly DoeObjectType[] | PeerFault> {
    return yield* this.steps(doeOpen(capabilityVersion, this.timing));
  }

  /** One SPDM message or secured record, and what comes back. */
  *exchange(packet: Packet): Task<Packet | PeerFault> {
    const DataObjectType = packet.secured ? DoeTypes.SECURED_CMA_SPDM : DoeTypes.CMA_SPDM;
    const object = encodeObject({
      VendorID: VENDOR_PCI_SIG,
      DataObjectType,
      payload: packet.bytes,
    });
    this.counts.exchanges++;
    const answer = yield* this.steps(doeExchange(object, this.timing));
    if (isPeerFault(answer)) return answer;
    const decoded = decodeObject(answer);
    if (!decoded.ok) return peerFault('DOE_OBJECT', refusalText(decoded));
    const secured = decoded.value.DataObjectType === DoeTypes.SECURED_CMA_SPDM;
    return { secured, bytes: decoded.value.payload };
  }

  private *steps<T>(steps: DoeSteps<T>): Task<T | PeerFault> {
    let step = steps.next();
    while (!step.done) {
      const { value } = step;
      let answer = 0;
      if ('read' in value) {
        answer = yield* this.complex.configRead(this.rid, this.base + value.read);
        this.tap.read(value.read, answer);
      } else if ('write' in value) {
        this.counts.dws++;
        yield* this.complex.configWrite(this.rid, this.base + value.write, value.value);
        this.tap.write(value.write, value.value);
      } else {
        const before = this.kernel.now;
        yield* delay(value.waitPs);
        answer = this.kernel.now - before;
      }
      step = steps.next(answer);
    }
    return step.value;
  }
}
