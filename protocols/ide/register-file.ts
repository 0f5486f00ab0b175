/**
 * Register access to a port's IDE Extended Capability (PCIe Base 6.x clause 7.9.26): which DW stands
 * where, what a write may change, and what it does to the streams (clause 6.33.3).
 *
 * Choices: altering a frozen field or an association of an enabled stream makes it Insecure, the new
 * value being stored; clearing Enable in the same write comes first, as hosts tear a stream down with
 * one write of zero; altering the Stream ID of a disabled stream destroys its keys, which were
 * programmed for the old one. Setting Enable without a valid RID association (Selective), with an
 * unknown algorithm, or as the second owner of a Stream ID or of a TC's Default Stream ends Insecure.
 */

import { LocalError } from '../codec/refusal.ts';
import type { IdeEffect } from './effects.ts';
import {
  AddressAssociation1,
  AddressAssociation2,
  AddressAssociation3,
  field,
  IDE_CAPABILITY_ID,
  IDE_CAPABILITY_VERSION,
  IdeCapability,
  IdeControl,
  IdeLimits,
  IdeOffsets,
  maskOf,
  type Register,
  RidAssociation1,
  RidAssociation2,
  registerValue,
  SelectiveCapability,
  StreamControl,
  StreamStatus,
} from './registers.ts';
import { IdeStream } from './stream.ts';

/** A switch port protects nothing of its own but Link streams: it lets Selective streams flow through. */
export type IdeRole = 'root-port' | 'endpoint' | 'switch-port';

/** What a port is built with and says in its IDE Capability register. */
export interface IdeFeatures {
  readonly role: IdeRole;
  /** Link IDE streams, one per TC, 0..8 */
  readonly linkTcs: number;
  /** Selective IDE streams, each with its number of address association register blocks, 0..15 */
  readonly selective: readonly { readonly addressAssociations: number }[];
  readonly flowThrough: boolean;
  readonly configRequests: boolean;
  readonly teeLimited: boolean;
}

const AES_GCM_256_96 = 0;
const FROZEN = maskOf(StreamControl, (at) => at.frozen);
const STREAM_ID = maskOf({ StreamId: StreamControl.StreamId }, () => true);

function capabilityValue(f: IdeFeatures): number {
  const bit = (on: boolean) => (on ? 1 : 0);
  return registerValue(IdeCapability, {
    LinkIdeStreamSupported: bit(f.linkTcs > 0),
    SelectiveIdeStreamsSupported: bit(f.selective.length > 0),
    FlowThroughIdeStreamSupported: bit(f.flowThrough),
    IdeKmProtocolSupported: 1,
    SelectiveIdeForConfigurationRequestsSupported: bit(f.configRequests),
    SupportedAlgorithms: AES_GCM_256_96,
    NumberOfTcsSupportedForLinkIde: Math.max(f.linkTcs - 1, 0),
    NumberOfSelectiveIdeStreamsSupported: Math.max(f.selective.length - 1, 0),
    TeeLimitedStreamSupported: bit(f.teeLimited),
  });
}

/** Bits of Stream Control this port lets software write; what it does not support reads 0. */
function controlMask(f: IdeFeatures, kind: IdeStream['kind']): number {
  const selective = kind === 'selective';
  const can: Partial<Record<string, boolean>> = {
    XtEnable: false,
    TxAggregationModeNpr: false,
    TxAggregationModePr: false,
    TxAggregationModeCpl: false,
    PcrcEnable: false,
    PartialHeaderEncryptionMode: false,
    SelectiveIdeForConfigurationRequestsEnable:
      selective && f.configRequests && f.role === 'root-port',
    DefaultStream: selective && f.role === 'endpoint',
    TeeLimitedStream: selective && f.teeLimited,
  };
  return maskOf(StreamControl, (_, name) => can[name] ?? true);
}

const writable = (register: Register) => maskOf(register, (at) => at.access === 'RW');

interface Cell {
  /** as the specification calls the register, with the index of its block */
  readonly name: string;
  read(): number;
  /** `value` has the bytes that were not enabled as they read before; `enabled` masks the others. */
  write?(value: number, enabled: number): IdeEffect[];
}

export class RegisterFile {
  readonly capability: number;
  readonly #cells: Cell[] = [];
  readonly #streams: readonly IdeStream[];
  readonly #features: IdeFeatures;
  #control = 0;

  constructor(features: IdeFeatures, streams: readonly IdeStream[]) {
    this.#features = features;
    this.#streams = streams;
    this.capability = capabilityValue(features);
    const header = IDE_CAPABILITY_ID | (IDE_CAPABILITY_VERSION << 16);
    const flowThrough = features.flowThrough ? writable(IdeControl) : 0;
    this.#cells.push({ name: 'IDE Extended Capability Header', read: () => header });
    this.#cells.push({ name: 'IDE Capability', read: () => this.capability });
    this.#cells.push({
      name: 'IDE Control',
      read: () => this.#control,
      write: (value) => {
        this.#control = (value & flowThrough) >>> 0;
        return [];
      },
    });
    for (const stream of streams) this.#addStream(stream);
  }

  /** Bytes of the capability, its header included. */
  get size(): number {
    return this.#cells.length * 4;
  }
  get flowThroughEnabled(): boolean {
    return field(this.#control, IdeControl.FlowThroughIdeStreamEnabled) === 1;
  }

  read(offset: number): number {
    return this.#cell(offset).read();
  }

  /** What the specification calls the register at `offset`. */
  name(offset: number): string {
    return this.#cell(offset).name;
  }

  write(offset: number, value: number, byteEnable: number): IdeEffect[] {
    const cell = this.#cell(offset);
    if (cell.write === undefined || byteEnable === 0) return [];
    let enabled = 0;
    for (let b = 0; b < 4; b++) if ((byteEnable >> b) & 1) enabled |= 0xff << (8 * b);
    const merged = ((cell.read() & ~enabled) | (value & enabled)) >>> 0;
    return cell.write(merged, enabled >>> 0);
  }

  /** All DWs from the IDE Capability register on, as QUERY_RESP carries them. */
  dwords(): number[] {
    return this.#cells.slice(IdeOffsets.CAPABILITY / 4).map((cell) => cell.read());
  }

  /** All registers back to their defaults; the streams' states are the port's to reset. */
  reset(): void {
    this.#control = 0;
    for (const stream of this.#streams) {
      stream.control = 0;
      stream.ridDws.fill(0);
      stream.addressDws.fill(0);
      stream.failMessageReceived = false;
      stream.associationsWritten();
    }
  }

  #cell(offset: number): Cell {
    const cell = this.#cells[offset / 4];
    if (cell === undefined)
      throw new LocalError(`offset: expected a multiple of 4 below ${this.size}, got ${offset}`);
    return cell;
  }

  #addStream(stream: IdeStream): void {
    const mask = controlMask(this.#features, stream.kind);
    if (stream.kind === 'selective') {
      const blocks = { NumberOfAddressAssociationRegisterBlocks: stream.addressDws.length / 3 };
      const capability = registerValue(SelectiveCapability, blocks);
      this.#cells.push({
        name: `Selective IDE Stream Capability ${stream.index}`,
        read: () => capability,
      });
    }
    const title = stream.kind === 'link' ? 'Link IDE Stream' : 'Selective IDE Stream';
    this.#cells.push({
      name: `${title} Control ${stream.index}`,
      read: () => stream.control,
      write: (value) => this.#writeControl(stream, (value & mask) >>> 0),
    });
    this.#cells.push({
      name: `${title} Status ${stream.index}`,
      read: () => stream.status,
      write: (value, enabled) => {
        if (field(value & enabled, StreamStatus.ReceivedIntegrityCheckFailMessage) === 1)
          stream.failMessageReceived = false;
        return [];
      },
    });
    if (stream.kind === 'link') return;
    for (const [i, register] of [RidAssociation1, RidAssociation2].entries())
      this.#addAssociation(stream, stream.ridDws, i, register);
    const address = [AddressAssociation1, AddressAssociation2, AddressAssociation3];
    for (let i = 0; i < stream.addressDws.length; i++)
      this.#addAssociation(stream, stream.addressDws, i, address[i % 3]!);
  }

  #addAssociation(stream: IdeStream, dws: Uint32Array, index: number, register: Register): void {
    const mask = writable(register);
    const rid = dws === stream.ridDws;
    const which = rid ? `RID Association ${index + 1}` : `Address Association ${(index % 3) + 1}`;
    const block = rid ? `${stream.index}` : `${stream.index}.${Math.floor(index / 3)}`;
    const name = `IDE ${which} of stream ${block}`;
    this.#cells.push({
      name,
      read: () => dws[index]!,
      write: (value) => {
        const next = (value & mask) >>> 0;
        if (next === dws[index]) return [];
        const reason = `${name} written while enabled`;
        const effects = stream.enabled ? stream.fire('CONFIG_ALTERED', reason) : [];
        dws[index] = next;
        stream.associationsWritten();
        return effects;
      },
    });
  }

  #writeControl(stream: IdeStream, next: number): IdeEffect[] {
    const before = stream.control;
    const altered = ((before ^ next) & FROZEN) >>> 0;
    const effects: IdeEffect[] = [];
    // Events that end something are told under the old Stream ID, those that begin under the new one.
    if (stream.enabled && (next & 1) === 0) {
      effects.push(...stream.fire('ENABLE_CLEARED', 'Enable cleared'));
      if ((altered & STREAM_ID) !== 0 && stream.keys.any)
        effects.push(...stream.fire('STREAM_ID_CHANGED', 'Stream ID written'));
      effects.push(...stream.keysChanged('Enable cleared'));
    } else if (stream.enabled && altered !== 0) {
      effects.push(...stream.fire('CONFIG_ALTERED', 'Stream Control written while enabled'));
    } else if ((altered & STREAM_ID) !== 0) {
      effects.push(...stream.fire('STREAM_ID_CHANGED', 'Stream ID written'));
    }
    stream.control = next;
    if ((before & 1) === 0 && (next & 1) === 1) effects.push(...this.#enable(stream));
    return effects;
  }

  #enable(stream: IdeStream): IdeEffect[] {
    const fault = this.#misconfiguration(stream);
    return fault === undefined
      ? stream.fire('ENABLE_SET', 'Enable set')
      : stream.fire('ENABLE_SET_MISCONFIGURED', fault);
  }

  #misconfiguration(stream: IdeStream): string | undefined {
    const others = this.#streams.filter((other) => other !== stream && other.enabled);
    if (stream.kind === 'selective' && !stream.rid.valid) return 'RID Association not valid';
    if (field(stream.control, StreamControl.SelectedAlgorithm) !== AES_GCM_256_96)
      return 'Selected Algorithm not supported';
    if (others.some((other) => other.streamId === stream.streamId))
      return 'Stream ID in use by another stream';
    if (stream.defaultStream && others.some((o) => o.defaultStream && o.tc === stream.tc))
      return 'second Default Stream for the TC';
    return undefined;
  }
}

/** The streams of a port in the order of their blocks. @throws LocalError on counts out of range. */
export function buildStreams(portIndex: number, features: IdeFeatures): IdeStream[] {
  const { linkTcs, selective } = features;
  if (!Number.isInteger(linkTcs) || linkTcs < 0 || linkTcs > IdeLimits.LINK_STREAMS)
    throw new LocalError(`linkTcs: expected 0..8, got ${linkTcs}`);
  if (selective.length > IdeLimits.SELECTIVE_STREAMS)
    throw new LocalError(`selective: expected at most 255 streams, got ${selective.length}`);
  const link = Array.from({ length: linkTcs }, (_, index) => {
    return new IdeStream({ portIndex, kind: 'link', index, addressAssociations: 0 });
  });
  return [
    ...link,
    ...selective.map(({ addressAssociations }, index) => {
      const most = IdeLimits.ADDRESS_ASSOCIATIONS;
      if (
        !(
          Number.isInteger(addressAssociations) &&
          addressAssociations >= 0 &&
          addressAssociations <= most
        )
      )
        throw new LocalError(`selective[${index}].addressAssociations: expected 0..${most}`);
      return new IdeStream({ portIndex, kind: 'selective', index, addressAssociations });
    }),
  ];
}
