/**
 * A root port: a type 1 function with IDE, and the key unit through which the TSM, and nobody else,
 * programs this end's keys with IDE_KM objects, as vendors' key configuration units do.
 */

import type { CryptoProvider } from '../protocols/crypto/provider.ts';
import type { Effect } from '../protocols/engine.ts';
import type { StreamStateEffect } from '../protocols/ide/effects.ts';
import { IdekmResponder } from '../protocols/ide/idekm-responder.ts';
import { IdePort } from '../protocols/ide/port.ts';
import { delay, type Kernel, Signal, type Task } from '../sim/kernel/index.ts';
import { IdeCapability } from './caps/ide.ts';
import { PcieCapability, PortTypes } from './caps/pcie.ts';
import { busNumbers, memoryWindow, prefetchableWindow } from './caps/type1-bridge.ts';
import { ConfigSpace } from './config-space.ts';
import { emitIdeEffect } from './ide-records.ts';
import type { Link } from './link.ts';
import { PciePort, type Received } from './pcie-port.ts';
import type { SimRecords } from './records.ts';

export interface RootPortOptions {
  readonly name: string;
  readonly crypto: CryptoProvider;
  readonly link: Link;
  /** bus 15:8, device 7:3, function 2:0 */
  readonly rid: number;
  readonly idePs: number;
  readonly completionTimeoutPs: number;
  readonly keyUnitPs: number;
  readonly onRequest: (request: Received) => void;
}

const VENDOR_ID = 0x1e50;
const DEVICE_ID = 0x0b00;
const CLASS_PCI_BRIDGE = 0x060400;
/** memory and prefetchable window, and one to spare */
const SELECTIVE = [{ addressAssociations: 3 }, { addressAssociations: 3 }];

export class RootPort {
  readonly name: string;
  readonly rid: number;
  readonly config: ConfigSpace;
  readonly ide: IdePort;
  readonly port: PciePort;
  /** a stream of this port left Secure: what an error interrupt would tell the TSM */
  readonly streamLost = new Signal<number>();
  private readonly kernel: Kernel<SimRecords>;
  private readonly keys: IdekmResponder;
  private readonly keyUnitPs: number;

  constructor(kernel: Kernel<SimRecords>, options: RootPortOptions) {
    const { crypto, link, rid, name } = options;
    this.kernel = kernel;
    this.name = name;
    this.rid = rid;
    this.keyUnitPs = options.keyUnitPs;
    this.ide = new IdePort({ crypto, role: 'root-port', rid, selective: SELECTIVE });
    this.keys = new IdekmResponder({ ports: [this.ide] });
    this.port = new PciePort(kernel, {
      name,
      ide: this.ide,
      send: (bytes) => link.send('downstream', bytes),
      onRequest: options.onRequest,
      onEffects: (effects) => this.apply(effects),
      idePs: options.idePs,
      completionTimeoutPs: options.completionTimeoutPs,
    });
    link.connect('upstream', (bytes) => this.port.receive(bytes));
    this.config = new ConfigSpace({
      type: 1,
      vendorId: VENDOR_ID,
      deviceId: DEVICE_ID,
      classCode: CLASS_PCI_BRIDGE,
    });
    const { generation, width: lanes } = link.options;
    this.config.addCapability(
      new PcieCapability({ portType: PortTypes.ROOT_PORT, generation, lanes }),
    );
    this.config.addExtendedCapability(
      new IdeCapability(this.ide, (effects) => this.apply(effects)),
    );
  }

  private apply(effects: readonly Effect[]): void {
    for (const effect of effects) {
      emitIdeEffect(this.kernel, this.name, effect);
      if (effect.type !== 'ide-stream-state') continue;
      const { from, to, streamId } = effect as StreamStateEffect;
      if (from === 'SECURE' && to !== 'SECURE') this.streamLost.fire(streamId);
    }
  }

  /** One IDE_KM object to this port's key unit, for the TSM; undefined: no answer. */
  *keyUnit(payload: Uint8Array, sessionId: number): Task<Uint8Array | undefined> {
    yield* delay(this.keyUnitPs);
    const { reply, effects } = this.keys.handle(payload, sessionId);
    this.apply(effects);
    return reply instanceof Uint8Array ? reply : undefined;
  }

  /** The TSM ended the session that keyed this port's streams. */
  sessionEnded(sessionId: number): void {
    this.apply(this.ide.sessionEnded(sessionId));
  }

  buses() {
    return busNumbers((offset) => this.config.read(offset));
  }

  /** Does a CPU access to these bytes go down this port? */
  forwards(address: number, length: number): boolean {
    if (this.config.get('Command.MSE') === 0) return false;
    const read = (offset: number) => this.config.read(offset);
    return [memoryWindow(read), prefetchableWindow(read)].some(
      (window) =>
        window !== undefined &&
        address >= Number(window.base) &&
        address + length - 1 <= Number(window.limit),
    );
  }
}
