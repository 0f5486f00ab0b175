/**
 * A multi-function endpoint with a DSM in function 0: it completes configuration and memory requests,
 * holds each TDI to its T-bit rules, and lets what happens to streams, registers and sessions reach
 * the TDISP state machine.
 */

import { le } from '../protocols/codec/bytes.ts';
import type { CryptoProvider } from '../protocols/crypto/provider.ts';
import type { Effect } from '../protocols/engine.ts';
import type { StreamStateEffect } from '../protocols/ide/effects.ts';
import { IdePort } from '../protocols/ide/port.ts';
import type { TdiLockedEffect, TdiStateEffect } from '../protocols/tdisp/index.ts';
import {
  byteEnabled,
  CompletionStatuses,
  completionFor,
  destinationId,
  FlowClasses,
  firstBE,
  flowClass,
  hasData,
  payloadDw,
  poisoned,
  registerNumber,
  splitCompletions,
  transferAddress,
  transferBytes,
  transferData,
  typeOf,
} from '../protocols/tlp/index.ts';
import type { Kernel } from '../sim/kernel/index.ts';
import { DoeCapability } from './caps/doe.ts';
import { IdeCapability } from './caps/ide.ts';
import { Dsm, type DsmOptions } from './dsm.ts';
import { EndpointTdis } from './endpoint-tdis.ts';
import { type FunctionPlan, PciFunction } from './function.ts';
import { FunctionBus } from './function-bus.ts';
import { emitIdeEffect } from './ide-records.ts';
import type { Link } from './link.ts';
import { PciePort, type Received } from './pcie-port.ts';
import type { SimRecords } from './records.ts';
import { registerEvent } from './register-tracking.ts';
import { completerTable } from './tdi-gate.ts';

export interface EndpointOptions {
  readonly name: string;
  readonly crypto: CryptoProvider;
  readonly link: Link;
  readonly functions: readonly Omit<FunctionPlan, 'onFlr' | 'link' | 'multiFunction'>[];
  readonly selectiveStreams: number;
  readonly latencyPs: number;
  readonly idePs: number;
  readonly completionTimeoutPs: number;
  readonly addressWidth: number;
  readonly reportPortion: number;
  readonly dsm: Omit<DsmOptions, 'name' | 'crypto' | 'ide' | 'tdisp' | 'onEffect'>;
}

const ADDRESS_ASSOCIATIONS = 3;
const RCB = 64;

export class Endpoint {
  readonly name: string;
  readonly functions: readonly PciFunction[];
  readonly ide: IdePort;
  readonly port: PciePort;
  readonly dsm: Dsm;
  readonly tdis: EndpointTdis;
  private readonly kernel: Kernel<SimRecords>;
  private readonly options: EndpointOptions;
  /** bus and device number, captured from configuration writes */
  private busDevice = 0;
  /** state changes of each function's TDI */
  private readonly epochs = new Map<number, number>();

  constructor(kernel: Kernel<SimRecords>, options: EndpointOptions) {
    this.kernel = kernel;
    this.options = options;
    this.name = options.name;
    const { crypto, link, idePs, completionTimeoutPs } = options;
    const selective = Array.from({ length: options.selectiveStreams }, () => ({
      addressAssociations: ADDRESS_ASSOCIATIONS,
    }));
    this.ide = new IdePort({ crypto, role: 'endpoint', rid: 0, selective });
    this.port = new PciePort(kernel, {
      name: `${this.name}.port`,
      ide: this.ide,
      send: (bytes) => link.send('upstream', bytes),
      onRequest: (request) => kernel.schedule(options.latencyPs, () => this.handle(request)),
      onEffects: (effects) => this.apply(effects),
      idePs,
      completionTimeoutPs,
    });
    link.connect('downstream', (bytes) => this.port.receive(bytes));
    this.functions = options.functions.map((plan) => this.build(plan));
    const { random } = options.dsm;
    this.tdis = new EndpointTdis({
      ide: this.ide,
      functions: this.functions,
      random,
      requesterId: (each) => this.requesterId(each.plan.number),
      addressWidth: options.addressWidth,
      reportPortion: options.reportPortion,
    });
    this.dsm = new Dsm(kernel, {
      ...options.dsm,
      name: `${this.name}.dsm`,
      crypto,
      ide: this.ide,
      tdisp: this.tdis,
      onEffect: (effect) => this.onEffect(effect),
    });
    this.addSharedCapabilities();
  }

  private build(plan: EndpointOptions['functions'][number]): PciFunction {
    const { number } = plan;
    const { generation, width } = this.options.link.options;
    const bus = new FunctionBus(this.kernel, {
      port: () => this.port,
      self: () => this.functions.find((each) => each.plan.number === number)!,
      requesterId: () => this.requesterId(number),
      state: () => this.dsm.tdisp.state(this.requesterId(number)),
      epoch: () => this.epochs.get(number) ?? 0,
      lockFlags: () => this.tdis.bindingOf(this.requesterId(number))?.flags ?? 0,
      onFailure: (event) => this.dsm.apply(this.dsm.tdisp.event(this.requesterId(number), event)),
    });
    const link = { generation, lanes: width };
    const multiFunction = this.options.functions.length > 1;
    const onFlr = () => this.reset(number);
    const device = new PciFunction(this.kernel, { ...plan, link, multiFunction, onFlr }, bus);
    device.config.onChange((change) => this.onRegister(number, change));
    return device;
  }

  /** DOE and IDE belong to the port and live in function 0. */
  private addSharedCapabilities(): void {
    const first = this.functions.find((each) => each.plan.number === 0)!;
    const { mailbox } = this.dsm;
    first.config.addExtendedCapability(
      new DoeCapability(mailbox, 1, (outcome) => this.dsm.onMailbox(outcome)),
    );
    first.config.addExtendedCapability(
      new IdeCapability(this.ide, (effects) => this.apply(effects)),
    );
  }

  requesterId(functionNumber: number): number {
    return this.busDevice | functionNumber;
  }

  /** FLR of one function; function 0 holds the IDE capability, so its streams go with it. */
  private reset(number: number): void {
    const device = this.functions.find((each) => each.plan.number === number)!;
    this.dsm.apply(this.dsm.tdisp.event(this.requesterId(number), 'function-reset'));
    if (number === 0) this.apply(this.ide.reset('FLR of function 0'));
    device.config.reset('flr');
    device.scrub(this.requesterId(number));
  }

  private onRegister(number: number, change: { register: string; from: number; to: number }): void {
    const { register, from, to } = change;
    const event = registerEvent(register, from, to);
    if (event === undefined) return;
    const functionId = this.requesterId(number);
    if (this.tdis.bindingOf(functionId) !== undefined)
      this.kernel.bus.emit('register-change', this.name, { functionId, register, from, to });
    this.dsm.apply(this.dsm.tdisp.event(functionId, event));
  }

  /** What IDE says happened, on its way to records and to the TDIs bound to the stream. */
  private apply(effects: readonly Effect[]): void {
    this.dsm.apply(effects);
  }

  private onEffect(effect: Effect): void {
    emitIdeEffect(this.kernel, this.port.options.name, effect);
    if (effect.type === 'ide-stream-state') {
      const { from, to, streamId } = effect as StreamStateEffect;
      if (from === 'SECURE' && to !== 'SECURE')
        this.dsm.apply(this.dsm.tdisp.event({ streamId }, 'stream-insecure'));
    }
    if (effect.type === 'tdi-locked') this.locked(effect as TdiLockedEffect);
    if (effect.type === 'tdi-state') this.moved(effect as TdiStateEffect);
  }

  private locked(effect: TdiLockedEffect): void {
    const { functionId, sessionId, request } = effect;
    const { flags, defaultStreamId: streamId } = request;
    this.tdis.bind(functionId, { streamId, sessionId, flags });
    this.kernel.bus.emit('tdi-locked', this.dsm.options.name, { functionId, sessionId, streamId });
  }

  private moved(effect: TdiStateEffect): void {
    const { functionId, from, to, cause } = effect;
    this.kernel.bus.emit('tdi', this.dsm.options.name, { functionId, from, to, cause });
    const device = this.tdis.functionOf(functionId);
    const number = device?.plan.number;
    if (number !== undefined) this.epochs.set(number, (this.epochs.get(number) ?? 0) + 1);
    if (to === 'ERROR') device?.engine.reset('the TDI went to ERROR');
    if (to === 'CONFIG_UNLOCKED') {
      this.tdis.unbind(functionId);
      device?.scrub(functionId);
    }
  }

  private handle(request: Received): void {
    const type = typeOf(request.tlp);
    // Type 1 requests end at bridges, and locked reads at legacy endpoints (PCIe Base 6.x 7.3.3, 6.5).
    if (type === 'CfgRd0' || type === 'CfgWr0') this.config(request);
    else if (/^M(Rd|Wr)(32|64)$/.test(type)) this.memory(request);
    else if (flowClass(request.tlp) === FlowClasses.NON_POSTED)
      this.complete(request, 0, CompletionStatuses.UR);
  }

  private complete(request: Received, number: number, status: number, data?: Uint8Array): void {
    const completerId = this.requesterId(number);
    const answer = data === undefined ? { completerId, status } : { completerId, status, data };
    this.port.complete(request, completionFor(request.tlp, answer));
  }

  private config(request: Received): void {
    const { tlp } = request;
    const destination = destinationId(tlp);
    const number = destination & 7;
    const device = this.functions.find((each) => each.plan.number === number);
    // Device numbers other than 0 do not exist behind a link (PCIe Base 6.x 7.3.1).
    if (device === undefined || ((destination >> 3) & 31) !== 0) {
      this.complete(request, number, CompletionStatuses.UR);
      return;
    }
    const offset = registerNumber(tlp);
    if (!hasData(tlp)) {
      const data = le(device.config.read(offset), 4);
      this.complete(request, number, CompletionStatuses.SC, data);
      return;
    }
    this.capture(destination & ~7);
    device.config.write(offset, payloadDw(tlp), firstBE(tlp));
    this.complete(request, number, CompletionStatuses.SC);
  }

  /** Bus and device number come with configuration writes; TDIs are named by them. */
  private capture(busDevice: number): void {
    if (busDevice === this.busDevice) return;
    const moves = this.functions.map((each) => {
      const { number } = each.plan;
      return [this.busDevice | number, busDevice | number] as const;
    });
    // What that does to the TDIs is told under their old names, by which the device still knows them.
    this.dsm.apply(this.dsm.tdisp.renumber(moves));
    this.tdis.renumber(moves);
    this.busDevice = busDevice;
    this.ide.rid = busDevice;
  }

  private memory(request: Received): void {
    const { tlp } = request;
    const at = transferAddress(tlp);
    const device = this.functions.find((each) => each.decode(at) !== undefined);
    const place = device?.decode(at);
    if (device === undefined || place === undefined) {
      this.refuse(request, 0, 'no BAR decodes this address');
      return;
    }
    const refusal = this.gate(device, place, request);
    if (refusal !== undefined) {
      this.refuse(request, device.plan.number, refusal);
      return;
    }
    const space = device.spaces.get(place.bar)!;
    const length = transferBytes(tlp);
    if (hasData(tlp)) {
      if (poisoned(tlp)) {
        this.poisonedWrite(device, tlp);
        return;
      }
      const skip = at % 4;
      space.write(place.offset, transferData(tlp), (i) => byteEnabled(tlp, i + skip));
      return;
    }
    const data = space.read(place.offset, length);
    const completerId = this.requesterId(device.plan.number);
    const maxPayload = device.pcie.maxPayloadBytes;
    const parts = splitCompletions(tlp, { completerId, data, rcb: RCB, maxPayload });
    for (const part of parts) this.port.complete(request, part);
  }

  /** Data known to be wrong is not written; to a TDI that runs it is an error (PCIe Base 6.x 11.2.6). */
  private poisonedWrite(device: PciFunction, tlp: Uint8Array): void {
    const code = 'POISONED_TLP';
    const reason = `poisoned write to function ${device.plan.number}`;
    this.kernel.bus.emit('tlp-dropped', this.name, { code, reason, bytes: tlp });
    const functionId = this.requesterId(device.plan.number);
    this.dsm.apply(this.dsm.tdisp.event(functionId, 'poisoned-data'));
  }

  /** Undefined: let through; else why not. */
  private gate(
    device: PciFunction,
    place: { bar: number; offset: number },
    request: Received,
  ): string | undefined {
    const functionId = this.requesterId(device.plan.number);
    const state = this.dsm.tdisp.state(functionId);
    if (device.isNonTee(place.bar, place.offset)) return undefined;
    const bound = this.tdis.bindingOf(functionId)?.streamId;
    const tee = request.tee && request.streamId !== undefined && request.streamId === bound;
    if (completerTable[state][tee ? 'tee-bound' : 'other'] === 'accept') return undefined;
    return `T=${request.tee ? 1 : 0} to TEE memory of a TDI in ${state}`;
  }

  private refuse(request: Received, number: number, reason: string): void {
    const functionId = this.requesterId(number);
    this.kernel.bus.emit('mmio-refused', this.name, { functionId, tee: request.tee, reason });
    if (flowClass(request.tlp) === FlowClasses.NON_POSTED)
      this.complete(request, number, CompletionStatuses.UR);
  }
}
