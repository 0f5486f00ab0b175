/**
 * One port's IDE (PCIe Base 6.x clause 6.33): its Extended Capability registers, the streams with their
 * keys, and every TLP in and out. No time, no link: bytes and register accesses in, bytes and effects
 * out. `transmit.ts` and `receive.ts` hold the TLP paths, `register-file.ts` the registers.
 */

import { toHex } from '../codec/bytes.ts';
import { LocalError } from '../codec/refusal.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import { InvocationCounter } from './counters.ts';
import type { IdeEffect } from './effects.ts';
import {
  INITIAL_IFV,
  type InvocationField,
  KEY_BYTES,
  type KeyDirection,
  type KeySet,
  type SubStream,
} from './idekm.ts';
import type { KeyChannel } from './keys.ts';
import { OutstandingRequests } from './outstanding.ts';
import { type Received, type ReceivePolicy, receive } from './receive.ts';
import { buildStreams, type IdeFeatures, type IdeRole, RegisterFile } from './register-file.ts';
import { referenceSealers, type SealerFactory } from './seal.ts';
import type { IdeStream } from './stream.ts';
import type { StreamState } from './stream-state.ts';
import { type TransmitOptions, type Transmitted, transmit } from './transmit.ts';

export interface IdePortOptions {
  readonly crypto: CryptoProvider;
  readonly role: IdeRole;
  /** the port's own Requester ID: bus 15:8, device 7:3, function 2:0 */
  readonly rid: number;
  readonly segment?: number;
  /** PortIndex in IDE_KM; 0 unless given */
  readonly portIndex?: number;
  /** Link IDE streams 0..8; none unless given */
  readonly linkTcs?: number;
  /** Selective IDE streams with their numbers of address associations */
  readonly selective: readonly { readonly addressAssociations: number }[];
  /** Selective IDE for Configuration Requests Supported; true unless given */
  readonly configRequests?: boolean;
  /** TEE-Limited Stream Supported; true unless given */
  readonly teeLimited?: boolean;
  /** Flow-Through IDE Stream Supported; true for switch ports unless given */
  readonly flowThrough?: boolean;
  /** see `ReceivePolicy`; `refuse` for root ports, `deliver` for others unless given */
  readonly plaintext?: ReceivePolicy['plaintext'];
  /** seals TLPs; the readable reference over `crypto` unless given */
  readonly sealers?: SealerFactory;
}

/** Names one key slot of a port. */
export interface KeyAddress {
  readonly streamId: number;
  readonly keySet: KeySet;
  /** as this port sees it */
  readonly direction: KeyDirection;
  readonly subStream: SubStream;
}

export type KeyRefusal = 'UNKNOWN_STREAM' | 'KEY_IN_USE' | 'KEY_NOT_PROGRAMMED';
export type KeyOutcome =
  | { readonly ok: true; readonly effects: readonly IdeEffect[] }
  | { readonly ok: false; readonly code: KeyRefusal };

export interface StreamInfo {
  readonly kind: 'link' | 'selective';
  readonly index: number;
  readonly state: StreamState;
  readonly enabled: boolean;
  readonly secure: boolean;
  readonly tc: number;
  readonly defaultStream: boolean;
  /** session that programmed a key for each direction and sub-stream, if one session did */
  readonly keyedBy: number | undefined;
}

export class IdePort {
  /** Requester ID; an endpoint's owner writes it when it captures its bus number. */
  rid: number;
  readonly segment: number;
  readonly portIndex: number;
  readonly role: IdeRole;
  readonly streams: readonly IdeStream[];
  readonly outstanding = new OutstandingRequests();
  /** session of the first KEY_PROG; others must wait until it has ended */
  ownerSession: number | undefined;

  readonly #crypto: CryptoProvider;
  readonly #sealers: SealerFactory;
  readonly #registers: RegisterFile;
  readonly #policy: ReceivePolicy;

  /** @throws LocalError on counts outside what the capability can express. */
  constructor(options: IdePortOptions) {
    const { crypto, role } = options;
    const features: IdeFeatures = {
      role,
      linkTcs: options.linkTcs ?? 0,
      selective: options.selective,
      configRequests: options.configRequests ?? true,
      teeLimited: options.teeLimited ?? true,
      flowThrough: options.flowThrough ?? role === 'switch-port',
    };
    this.rid = options.rid;
    this.segment = options.segment ?? 0;
    this.portIndex = options.portIndex ?? 0;
    this.role = role;
    this.streams = buildStreams(this.portIndex, features);
    this.#crypto = crypto;
    this.#sealers = options.sealers ?? referenceSealers(crypto);
    this.#registers = new RegisterFile(features, this.streams);
    const plaintext = options.plaintext ?? (role === 'root-port' ? 'refuse' : 'deliver');
    this.#policy = { plaintext };
  }

  /** Bytes the Extended Capability takes in config space, its header included. */
  get size(): number {
    return this.#registers.size;
  }
  /** Flow-Through IDE Stream Enabled: whether a switch may pass Selective IDE TLPs by this port. */
  get flowThroughEnabled(): boolean {
    return this.#registers.flowThroughEnabled;
  }

  /**
   * A register DW at a byte offset from the capability's start. The header's Next pointer reads 0:
   * config space knows it. @throws LocalError if `offset` is no DW of the capability.
   */
  read(offset: number): number {
    return this.#registers.read(offset);
  }
  /** Writes the bytes of a DW that `byteEnable` (bits 3:0) selects. @throws LocalError as `read`. */
  write(offset: number, value: number, byteEnable = 0xf): readonly IdeEffect[] {
    return this.#registers.write(offset, value, byteEnable);
  }
  /** The register's name, as `Selective IDE Stream Control 0`. @throws LocalError as `read`. */
  registerName(offset: number): string {
    return this.#registers.name(offset);
  }
  /** The registers from IDE Capability on, as QUERY_RESP carries them. */
  registerDwords(): number[] {
    return this.#registers.dwords();
  }

  /** Sends a TLP: see `transmit.ts`. */
  transmit(tlp: Uint8Array, options: TransmitOptions): Transmitted {
    return transmit(this, tlp, options);
  }
  /** Takes a TLP off the wire: see `receive.ts`. Never throws on its bytes. */
  receive(bytes: Uint8Array): Received {
    return receive(this, this.#policy, bytes);
  }

  /**
   * The stream a Stream ID means. While disabled several blocks may hold the same (default) ID: an
   * enabled one comes first, then one with a valid RID association, then the first in block order
   * with Selective blocks before Link blocks.
   */
  stream(streamId: number): IdeStream | undefined {
    const named = this.streams.filter((s) => s.streamId === streamId);
    return (
      named.find((s) => s.enabled) ??
      named.find((s) => s.rid.valid) ??
      named.find((s) => s.kind === 'selective') ??
      named[0]
    );
  }

  streamInfo(streamId: number): StreamInfo | undefined {
    const s = this.stream(streamId);
    if (s === undefined) return undefined;
    const { kind, index, state, enabled, secure, tc, defaultStream } = s;
    return { kind, index, state, enabled, secure, tc, defaultStream, keyedBy: s.keys.keyedBy };
  }
  /** The session over which all six directions and sub-streams of a stream were keyed. */
  keyedBySession(streamId: number): number | undefined {
    return this.stream(streamId)?.keys.keyedBy;
  }

  #channel(at: KeyAddress): { stream: IdeStream; channel: KeyChannel } | undefined {
    const stream = this.stream(at.streamId);
    if (stream === undefined) return undefined;
    return { stream, channel: stream.keys.channel(at.direction, at.subStream) };
  }

  /**
   * KEY_PROG: puts a 32-byte key in a slot. A started key of a Secure stream is not replaced: a choice,
   * the specification having no status for it.
   * @throws LocalError if `key` is not 32 bytes.
   */
  programKey(
    at: KeyAddress,
    key: Uint8Array,
    sessionId: number | undefined,
    ifv: InvocationField = INITIAL_IFV,
  ): KeyOutcome {
    if (key.length !== KEY_BYTES)
      throw new LocalError(`key: expected ${KEY_BYTES} bytes, got ${key.length}`);
    const found = this.#channel(at);
    if (found === undefined) return { ok: false, code: 'UNKNOWN_STREAM' };
    const { stream, channel } = found;
    if (stream.secure && channel.slot(at.keySet)?.go === true)
      return { ok: false, code: 'KEY_IN_USE' };
    const keyId = toHex(this.#crypto.hash('SHA_256', key).subarray(0, 4));
    const counter = new InvocationCounter(ifv);
    channel.program(at.keySet, {
      sealer: this.#sealers(key),
      keyId,
      sessionId,
      counter,
      go: false,
    });
    this.ownerSession ??= sessionId;
    const { portIndex } = this;
    const effects: IdeEffect[] = [
      { type: 'ide-key-programmed', portIndex, ...address(at), keyId, sessionId },
    ];
    effects.push(...stream.keysChanged('KEY_PROG'));
    return { ok: true, effects };
  }

  /**
   * K_SET_GO for one key. Refused unless that key is programmed; twice is once. Key by key is how the
   * DMTF emulator starts a set; the stream is Secure only when all six are started.
   */
  keySetGo(at: KeyAddress): KeyOutcome {
    const found = this.#channel(at);
    if (found === undefined) return { ok: false, code: 'UNKNOWN_STREAM' };
    const { stream, channel } = found;
    if (channel.slot(at.keySet) === undefined) return { ok: false, code: 'KEY_NOT_PROGRAMMED' };
    channel.go(at.keySet);
    const { portIndex } = this;
    const effects: IdeEffect[] = [{ type: 'ide-key-set-go', portIndex, ...address(at) }];
    effects.push(...stream.keysChanged('K_SET_GO'));
    return { ok: true, effects };
  }

  /** K_SET_STOP for one key: destroys it. A stream left without a started key becomes Insecure. */
  keySetStop(at: KeyAddress): KeyOutcome {
    const found = this.#channel(at);
    if (found === undefined) return { ok: false, code: 'UNKNOWN_STREAM' };
    found.channel.drop(at.keySet);
    const { portIndex } = this;
    const effects: IdeEffect[] = [{ type: 'ide-key-set-stop', portIndex, ...address(at) }];
    effects.push(...found.stream.keysChanged('K_SET_STOP'));
    return { ok: true, effects };
  }

  /** An SPDM session is over: every stream keyed over it becomes Insecure, its keys are destroyed. */
  sessionEnded(sessionId: number): readonly IdeEffect[] {
    if (this.ownerSession === sessionId) this.ownerSession = undefined;
    return this.streams
      .filter((stream) => stream.heldBy(sessionId))
      .flatMap((stream) => stream.fire('SESSION_ENDED', `session ${sessionId} ended`));
  }

  /**
   * Conventional reset, or FLR of the function that holds the capability: keys gone, registers at
   * their defaults. Which session owns the port survives, since the session may.
   */
  reset(reason = 'reset'): readonly IdeEffect[] {
    const effects = this.streams.flatMap((stream) => stream.fire('RESET', reason));
    this.#registers.reset();
    this.outstanding.clear();
    return effects;
  }
}

function address(at: KeyAddress): KeyAddress {
  const { streamId, keySet, direction, subStream } = at;
  return { streamId, keySet, direction, subStream };
}
